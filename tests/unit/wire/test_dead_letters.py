from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.wire.dead_letters import MAX_DETAIL, Origin, Reason, dead_letter, origin


@given(
    st.sampled_from(Reason),
    st.text(max_size=MAX_DETAIL, alphabet=st.characters(codec="utf-8")),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
    st.none() | st.binary(),
    st.none() | st.binary(),
    st.none() | st.integers(0, 2**62),
)
def test_the_record_is_kept_and_the_headers_say_where_it_was(
    reason: Reason,
    detail: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    at: int | None,
) -> None:
    letter = dead_letter(reason, detail, "activity.page.v1", partition, offset, key, value, at)
    assert (letter.key, letter.value) == (key, value)
    assert origin(letter.headers) == Origin(reason, detail, "activity.page.v1", partition, offset, at)


def test_headers_are_text_and_bounded() -> None:
    letter = dead_letter(Reason.NOT_JSON, "\ud800" + "ü" * 10_000, "t", 1, 2, None, b"v", 3)
    headers = dict(letter.headers)
    assert headers["reason"] == b"not_json"
    assert (headers["partition"], headers["offset"], headers["at"]) == (b"1", b"2", b"3")
    assert len(headers["detail"].decode()) <= MAX_DETAIL + 10


@pytest.mark.parametrize("missing", ["reason", "topic", "offset"])
def test_other_headers_are_no_dead_letter(missing: str) -> None:
    headers = [h for h in dead_letter(Reason.FUTURE, "", "t", 1, 2, None, None).headers if h[0] != missing]
    with pytest.raises(ValueError, match="dead letter"):
        origin(headers)


def test_an_unknown_reason_is_no_dead_letter() -> None:
    headers = dict(dead_letter(Reason.FUTURE, "", "t", 1, 2, None, None).headers) | {"reason": b"mood"}
    with pytest.raises(ValueError, match="mood"):
        origin(headers.items())
