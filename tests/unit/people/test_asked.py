"""Whom a request is about, and what is kept of the request itself."""

from __future__ import annotations

import json

import pytest

from scorer.errors import UserError
from scorer.people.asked import Asked, from_lines
from scorer.people.erasing import Outcome, new_request, receipt
from scorer.people.kept import FOR_EVER, Topic
from scorer.people.theirs import Held
from scorer.people.told import Told
from scorer.wire.identity import Identity

WHO = Identity("secret")
DAY = 86_400_000


def test_lines_are_what_options_are() -> None:
    lines = ["# ticket 12", "", "email  Anna@Example.com ", "user-id 47 11", "lead crm-7", "text Anna Müller"]
    asked = from_lines(lines, "a file")
    assert asked == Asked((("email", "Anna@Example.com"), ("user-id", "47 11")), ("crm-7",), ("Anna Müller",))
    assert asked.ids(WHO) == {
        b"crm-7",
        b"e_0onj93c5msh39v92uhev5njluo",
        *Asked((("user-id", "47 11"),)).ids(WHO),
    }


@pytest.mark.parametrize("line", ["anna@example.com", "email", "phone 0171", "email\tanna@example.com"])
def test_a_line_that_says_nothing_is_named_by_its_number(line: str) -> None:
    with pytest.raises(UserError) as raised:
        from_lines(["# whom", line], "standard input")
    assert raised.value.message == "standard input, line 2: no identifier"


@pytest.mark.parametrize(
    "asked",
    [
        Asked((("email", "anna at example"),)),
        Asked((("email", "test@example.com"),)),
        Asked((("user-id", "x" * 257),)),
        Asked(leads=("a\0b",)),
        Asked(leads=("",)),
    ],
)
def test_what_names_nobody_is_refused_without_repeating_it(asked: Asked) -> None:
    with pytest.raises(UserError) as raised:
        asked.ids(WHO)
    shown = f"{raised.value.message} {raised.value.hint}"
    assert not any(value in shown for _, value in asked.identifiers)


def test_a_sum_has_each_once() -> None:
    one = Asked((("email", "a@b.example"),), ("lead-1",))
    assert one + one == one
    assert (one + Asked(texts=("Anna",))).texts == ("Anna",)


def test_the_receipt_says_what_was_done_and_names_nobody() -> None:
    lead = Asked((("email", "anna@example.com"),)).ids(WHO).pop()
    told = Told(lead, 3, 17, 4, "r-1", blocked=False, at=DAY)
    outcome = Outcome("r-1", False, DAY, DAY + 5, DAY + 60_000, 2, {lead: told}, 2, came_back=False)
    held = [Held("activity.page.v1", 1, 7, DAY, 8 * DAY), Held("dead.letters.v1", 0, 1, DAY, None)]
    written = receipt(outcome) | {"still_held": [one.shown() for one in held]}
    assert json.loads(json.dumps(written)) == {
        "request": "r-1",
        "asked_at": "1970-01-02T00:00:00.000Z",
        "forgotten_until": "1970-01-02T00:00:00.005Z",
        "finished_at": "1970-01-02T00:01:00.000Z",
        "blocked": False,
        "rounds": 2,
        "data_keys_deleted": 2,
        "came_back": False,
        "leads": [
            {"lead": lead.decode(), "sequence": 4, "topic": "lead.erased.v1", "partition": 3, "offset": 17}
        ],
        "still_held": [
            {
                "topic": "activity.page.v1",
                "partition": 1,
                "records": 7,
                "newest": "1970-01-02T00:00:00.000Z",
                "gone_by": "1970-01-09T00:00:00.000Z",
            },
            {
                "topic": "dead.letters.v1",
                "partition": 0,
                "records": 1,
                "newest": "1970-01-02T00:00:00.000Z",
                "gone_by": None,
            },
        ],
    }
    assert "anna" not in json.dumps(written)


def test_requests_have_names_of_their_own() -> None:
    assert new_request(0).startswith("1970-01-01-")
    assert new_request(0) != new_request(0)


def test_a_record_is_gone_when_its_segment_is() -> None:
    door = Topic("d", "door", compacted=False, retention=7 * DAY, rolled=7 * DAY, lag=FOR_EVER)
    assert door.gone_by(DAY) == 15 * DAY
    view = Topic("v", "view", compacted=True, retention=FOR_EVER, rolled=DAY, lag=2 * DAY)
    assert view.gone_by(DAY) is None
    assert view.gone_by(DAY, overtaken=True) == 4 * DAY
    unbounded = view._replace(lag=FOR_EVER)
    assert unbounded.gone_by(DAY, overtaken=True) is None
