"""A token counts once, whatever else comes, and memory is bounded."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.collector.source import RefusedError
from scorer.collector.webhook.tokens import Tokens

WINDOW = 10


class Careful:
    """The obvious reference: remembers everything for ever."""

    def __init__(self) -> None:
        self.first: dict[tuple[int, int], int] = {}

    def fits(self, token: int, at: int, body: int) -> bool:
        return self.first.setdefault((token, at), body) == body


uses = st.lists(
    st.tuples(st.integers(0, 2), st.integers(18, 21), st.integers(0, 1), st.integers(-3, 3)), max_size=40
)
"""Token, when it was signed, the body, and how far the clock moves, backwards too."""


@given(uses=uses, most=st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_no_token_is_ever_used_for_two_bodies(uses: list[tuple[int, int, int, int]], most: int) -> None:
    tokens, careful, clock = Tokens(most), Careful(), 20
    for token, at, body, moved in uses:
        clock += moved
        if at < clock - WINDOW:
            continue  # the source has refused it before
        used = True
        try:
            tokens.use(b"%d %d" % (token, at), b"%d" % body, at, clock - WINDOW)
        except RefusedError:
            used = False
        assert not used or careful.fits(token, at, body)
        assert len(tokens) <= most


@given(st.lists(st.integers(0, 1_000), unique=True, min_size=1, max_size=50))
@settings(deadline=None)
def test_with_room_enough_every_token_counts_and_may_come_again(times: list[int]) -> None:
    tokens = Tokens(50)
    for _ in range(2):
        for at in times:
            tokens.use(b"%d" % at, b"body", at, 0)
    assert len(tokens) == len(times)


def test_what_is_too_old_is_forgotten() -> None:
    tokens = Tokens(1_000)
    for at in range(500):
        tokens.use(b"%d" % at, b"", at, at - WINDOW)
    assert len(tokens) <= WINDOW + 1
