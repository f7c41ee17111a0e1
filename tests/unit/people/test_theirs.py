"""Whose a record of the doors is: its identifiers say, and texts only where they say nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from scorer.domain.record import Fact, encode_record
from scorer.people.asked import Asked
from scorer.people.texts import Texts, texts_of
from scorer.people.theirs import Theirs
from scorer.wire.dead_letters import Reason, dead_letter, origin
from scorer.wire.identity import Identity
from scorer.wire.redrive import Judge, Letter, Refused
from scorer.wire.registry import DEAD_LETTERS, LOG, Registry

DOOR = "activity.web.v1"
IDENTITY = Identity("secret")
ASKED = Asked((("email", "ann@firm.com"), ("user-id", "4711")))
LEADS = {lead for one in ASKED.identifiers for lead in Asked((one,)).ids(IDENTITY)}
THEIRS = Theirs(IDENTITY, LEADS, Texts(texts_of(ASKED)))


class Record:
    def __init__(self, value: bytes | None, key: bytes | None = None, headers: Any = None) -> None:
        self._value, self._key, self._headers = value, key, headers

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Any:
        return self._headers


def event(**data: Any) -> bytes:
    return msgspec.json.encode(
        {"specversion": "1.0", "id": "1", "source": "/x", "type": "page.viewed", "data": data}
    )


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (event(email="Ann@firm.com"), True),
        (event(user_id="1", email="ann@firm.com"), True),  # named beside somebody else
        (event(email="joann@firm.com"), False),
        (event(user_id="1", order="A-4711"), False),
        (event(user_id="1", note="4711 ann@firm.com"), False),
        (event(note="call ann@firm.com"), True),
        (event(note="call joann@firm.com"), False),
        (event(order="A-4711"), False),
        (b'{"email":"ann@firm.com"', True),
        (b'{"email":"joann@firm.com"', False),
        (None, False),
    ],
)
def test_identifiers_decide_and_texts_only_without_them(value: bytes | None, *, wanted: bool) -> None:
    assert THEIRS.record(DOOR, Record(value)) is wanted  # type: ignore[arg-type]
    letter = dead_letter(Reason.NO_LEAD, "why", DOOR, 0, 7, None, value, 1)
    assert THEIRS.record(DEAD_LETTERS, Record(letter.value, letter.key, letter.headers)) is wanted  # type: ignore[arg-type]


def test_a_dead_letter_of_the_log_is_its_leads() -> None:
    fact = encode_record(Fact("page.viewed", 1, 1, 3, 41, b"12345678", "1", "/x", {"note": "ann@firm.com"}))
    for key, value, wanted in (
        (min(LEADS), fact, True),
        (b"somebody", fact, False),
        (b"somebody", b"?? ann@firm.com", True),
        (b"somebody", b"?? joann@firm.com", False),
    ):
        letter = dead_letter(Reason.ENGINE_ERROR, "why", LOG, 0, 7, key, value, None)
        record = Record(letter.value, letter.key, letter.headers)
        assert THEIRS.record(DEAD_LETTERS, record) is wanted, (key, value)  # type: ignore[arg-type]


def test_a_refusal_names_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("ann@firm.com")

    monkeypatch.setattr("scorer.wire.intake.encode_record", broken)
    value = event(email="ann@firm.com").replace(b"page.viewed", b"email.opened")
    made = dead_letter(Reason.ENGINE_ERROR, "why", "activity.email.v1", 0, 7, None, value, 1_000)
    letter = Letter(0, 7, 1_000, origin(made.headers), None, value, dict(made.headers))
    with pytest.raises(Refused, match=r"on it again: ValueError$"):
        Judge(Registry.load(), IDENTITY, {"activity.email.v1": 4}.__getitem__)(letter, 1_000)
