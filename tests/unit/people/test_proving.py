"""What a finding means: gone by itself by a known time, or left."""

from __future__ import annotations

import pytest

from scorer.cli.proof_shown import as_dict, table
from scorer.people.data_keys import DataKey
from scorer.people.kept import FOR_EVER, Topic
from scorer.people.proving import LEFTOVER, NOTHING, UNSEEN, UNTIL, Finding, Proof, _Hits, _judged, _keys
from scorer.wire.sealing import key_name

DAY = 86_400_000
AT = 100 * DAY
DOOR = Topic("door", "door", compacted=False, retention=7 * DAY, rolled=DAY, lag=FOR_EVER)
LOG = Topic("log", "log", compacted=False, retention=400 * DAY, rolled=DAY, lag=FOR_EVER)
STATES = Topic("states", "changelog", compacted=True, retention=FOR_EVER, rolled=DAY, lag=2 * DAY)
HIT, CLEAN = {"email 1"}, set[str]()


def hits(*records: tuple[set[str], bytes | None, int]) -> _Hits:
    found = _Hits()
    for names, key, at in records:
        found.add(names, key, at)
    return found


@pytest.mark.parametrize(
    ("topic", "found", "state", "gone_by"),
    [
        (DOOR, hits((CLEAN, b"k", AT)), NOTHING, None),
        (DOOR, hits((HIT, b"k", AT), (HIT, None, AT + 5), (CLEAN, b"k", AT + 9)), UNTIL, AT + 5 + 8 * DAY),
        (DOOR._replace(role="outcome"), hits((HIT, b"k", AT)), UNTIL, AT + 8 * DAY),
        (DOOR._replace(retention=FOR_EVER), hits((HIT, b"k", AT)), LEFTOVER, None),
        (LOG, hits((HIT, b"k", AT)), LEFTOVER, None),
        (STATES, hits((HIT, b"k", AT)), LEFTOVER, None),
        (STATES, hits((HIT, b"k", AT), (CLEAN, b"k", AT + 9)), UNTIL, AT + 9 + 3 * DAY),
        (STATES, hits((HIT, b"k", AT), (CLEAN, b"k", AT + 9), (HIT, b"l", AT)), LEFTOVER, None),
        (STATES, hits((HIT, b"k", AT), (CLEAN, b"k", AT), (HIT, b"k", AT)), LEFTOVER, None),
        (STATES._replace(lag=FOR_EVER), hits((HIT, b"k", AT), (CLEAN, b"k", AT)), LEFTOVER, None),
    ],
)
def test_what_expires_is_told_from_what_stays(
    topic: Topic, found: _Hits, state: str, gone_by: int | None
) -> None:
    judged = _judged(topic, found)
    assert (judged.state, judged.gone_by) == (state, gone_by)


def test_a_table_has_a_line_per_place_and_the_sum() -> None:
    findings = [
        Finding("door", UNTIL, "email 1", 3, AT),
        Finding("log", LEFTOVER, "text 1", 1),
        Finding("changelog (state)", NOTHING, "1 forgotten"),
        Finding("data (leads)", UNSEEN, "in use"),
    ]
    proof = Proof(["e_1"], ["email 1", "text 1"], ["user-id 1"], findings)
    assert list(table(proof)) == [
        "looked for email 1, text 1, and at 1 lead",
        "user-id 1 is too short to be told from chance: not looked for as text",
        "door               readable until 1970-04-11T00:00:00.000Z  3  email 1",
        "log                LEFTOVER                                 1  text 1",
        "changelog (state)  nothing                                     1 forgotten",
        "data (leads)       not looked at                               in use",
        "not everything could be looked at",
        "what publishers have sent is gone by 1970-04-11T00:00:00.000Z",
        "1 leftover",
    ]
    told = as_dict(proof)
    assert told["erasure_leftovers"] == proof.leftovers == 1
    assert told["places"][0] == {
        "place": "door",
        "state": "until",
        "detail": "email 1",
        "records": 3,
        "gone_by": "1970-04-11T00:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("keys", "stubs", "state"),
    [
        ([], "xy", NOTHING),
        ([("x", 900, False)], "", LEFTOVER),  # of before
        ([("x", 1_500, False)], "y", NOTHING),  # of the life begun since, though y was forgotten later
        ([("x", 1_500, False)], "xy", LEFTOVER),  # of what was on its way
        ([("z", 1_500, False)], "", LEFTOVER),  # of somebody who was never forgotten
        ([("x", 900, True)], "xy", UNTIL),
    ],
)
def test_data_keys_are_judged_lead_by_lead(keys: list[tuple[str, int, bool]], stubs: str, state: str) -> None:
    found = {
        key_name(lead.encode(), b"12345678"): DataKey(0, place, at, deleted=deleted, readable=True)
        for place, (lead, at, deleted) in enumerate(keys)
    }
    forgotten = {b"x": 1_000, b"y": 2_000}
    assert _keys(STATES, found, forgotten, {one.encode() for one in stubs}).state == state
