"""Lines that are held back: how many are written, how many are told, and how much is kept for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from scorer.logs.limit import OTHERS, Held, Kind, Limiter

A, B, C = (Kind("scorer.a", 20, letter) for letter in "abc")
EVENTS = st.lists(
    st.tuples(st.sampled_from([A, B, C]), st.sampled_from([0, 0, 1, 3, 10, 60, 61])), max_size=150
)


def run(limiter: Limiter, lines: list[tuple[Kind, float]]) -> tuple[list[tuple[Kind, float]], list[Held]]:
    """The lines that are written, and what is told of the others while they come."""
    shown, told = [], []
    for kind, now in lines:
        told += limiter.due(now)
        if limiter.shows(kind, now):
            shown.append((kind, now))
    return shown, told


def timed(events: list[tuple[Kind, int]]) -> list[tuple[Kind, float]]:
    lines, now = [], 0
    for kind, pause in events:
        now += pause
        lines.append((kind, float(now)))
    return lines


def by_hand(lines: list[tuple[Kind, float]], most: int) -> tuple[list[tuple[Kind, float]], Counter[Kind]]:
    """Slow and obvious: cut each kind's lines into windows, take the first ``most`` of each."""
    shown: list[tuple[Kind, float]] = []
    held: Counter[Kind] = Counter()
    windows: dict[Kind, list[list[float]]] = defaultdict(list)
    for kind, now in lines:
        if not windows[kind] or now >= windows[kind][-1][0] + 60:
            windows[kind].append([])
        windows[kind][-1].append(now)
    for kind, found in windows.items():
        for window in found:
            shown += [(kind, now) for now in window[:most]]
            held[kind] += len(window[most:])
    return shown, +held


@given(EVENTS, st.integers(1, 5))
def test_the_first_of_each_window_are_written_and_the_rest_is_told(
    events: list[tuple[Kind, int]], most: int
) -> None:
    lines = timed(events)
    limiter = Limiter(most)
    shown, told = run(limiter, lines)
    told += limiter.rest()
    expected, held = by_hand(lines, most)
    assert sorted(shown) == sorted(expected)
    counted: Counter[Kind] = Counter()
    for one in told:
        counted[one.kind] += one.lines
    assert counted == held
    assert len(shown) + counted.total() == len(lines)  # nothing is lost silently


@given(EVENTS)
def test_what_is_held_back_is_told_when_its_window_is_over_and_once(events: list[tuple[Kind, int]]) -> None:
    limiter = Limiter(1)
    held: Counter[Kind] = Counter()
    ends: dict[Kind, float] = {}
    for kind, now in timed(events):
        for one in limiter.due(now):
            assert ends[one.kind] <= now
            assert one.lines == held.pop(one.kind)
        assert not any(ends[waiting] <= now for waiting in held)
        assert limiter.next_due() == min((ends[waiting] for waiting in held), default=None)
        if now >= ends.get(kind, 0):
            ends[kind] = now + 60
        if not limiter.shows(kind, now):
            held[kind] += 1


@given(st.lists(st.tuples(st.integers(0, 500), st.sampled_from([0, 0, 0, 1, 30])), max_size=300))
def test_kinds_without_number_take_bounded_memory_and_are_counted_too(events: list[tuple[int, int]]) -> None:
    limiter = Limiter(1, kinds=5)
    lines = timed([(Kind("loud", 20, str(number)), pause) for number, pause in events])
    shown, told = run(limiter, lines)
    assert len(limiter._windows) <= 6
    for _, window in groupby(shown, lambda one: one[1] // 60):
        assert len(list(window)) <= 2 * 6
    told += limiter.rest()
    assert len(shown) + sum(one.lines for one in told) == len(lines)
    assert limiter.rest() == []


def test_one_kind_does_not_silence_another() -> None:
    limiter = Limiter(2, kinds=2)
    assert [limiter.shows(A, 0) for _ in range(3)] == [True, True, False]
    assert limiter.shows(B, 1)
    assert [limiter.shows(C, 1) for _ in range(3)] == [True, True, False]  # there is no room: it is an other
    assert limiter.due(59.9) == []
    assert limiter.due(60) == [Held(A, 1)]
    assert limiter.due(61) == [Held(OTHERS, 1)]
