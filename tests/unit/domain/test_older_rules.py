"""A lead that comes from a partition with older rules is the same, whenever idle leads are swept."""

from __future__ import annotations

import pytest

from scorer.domain.clock import pack
from scorer.domain.lead import encode_lead
from scorer.domain.model import encode_model, fingerprint
from scorer.domain.partition import LogPartition
from scorer.domain.reading import total
from scorer.domain.record import HOPS, Clock, Door, Doors, Fact, Merge, Record, Rules, encode_record
from scorer.domain.state import PartitionState
from scorer.rulefile import loads
from tests.worker.score_world import Message, sweep

BEGAN = 1_800_000_000_000
SECOND = 1_000


class Partition:
    def __init__(self) -> None:
        self.machine = LogPartition(PartitionState(), {}, lambda _: None)
        self._end = 0
        self.read(Doors(1, [Door(1, 0, "activity.email.v1", 0)]))

    def read(self, record: Record, key: bytes | None = None) -> None:
        self.machine.apply([Message(self._end, key, encode_record(record))])
        self._end += 1

    def at(self, seconds: int) -> None:
        self.read(Clock(pack({1: BEGAN + seconds * SECOND})))


def rules(version: int, absent: str, limit: str) -> Rules:
    text = f"""
model: Version {version}
grace: 1 second
qualify: {{enter: above 20, exit: below 15}}
scores: {{e: {{decay: none}}}}
rules:
  e:
    - {{rule: Opened, on: email.opened, points: +1}}
    - {{rule: Limited, on: email.opened, points: +10, limit: {limit}}}
disqualify:
  - {{rule: Silent, when: {{no: {absent}, for: 40 seconds}}}}
"""
    model = loads(text).model
    assert model is not None
    encoded = encode_model(model)
    return Rules(version, fingerprint(encoded), encoded)


def opened(number: int, seconds: int) -> Fact:
    time = BEGAN + seconds * SECOND
    return Fact("email.opened", time, time, 0, -1, number.to_bytes(8, "big"), f"e{number}", "test", {})


def lead_of_version_1() -> Merge:
    there = Partition()
    there.at(0)
    there.read(rules(1, "email.opened", "once a day"))
    there.read(opened(1, 1), b"b")
    return Merge(b"b", 1, encode_lead(there.machine.leads[b"b"]), HOPS + 1, 0)


@pytest.mark.parametrize(
    ("changes", "points"),
    [
        ([("email.clicked", "once a day")], 12.0),
        ([("email.clicked", "once a week")], 2.0),
        ([("email.clicked", "once a week"), ("email.opened", "once a day")], 2.0),
    ],
    ids=["another window", "another limit", "and back"],
)
def test_it_is_the_same_before_and_after_they_were_swept(
    changes: list[tuple[str, str]], points: float
) -> None:
    found = []
    for swept in (0, 1, 2):
        here = Partition()
        here.at(0)
        here.read(rules(1, "email.opened", "once a day"))
        here.read(opened(2, 1), b"a")
        here.at(30)
        for version, change in enumerate(changes, 2):
            here.read(rules(version, *change))
            if swept:
                sweep(here.machine)
        here.read(lead_of_version_1(), b"a")
        if swept > 1:
            sweep(here.machine)
        here.at(45)
        sweep(here.machine)
        lead = here.machine.leads[b"a"]
        assert here.machine.outcomes == []  # for 15 s nobody has been silent
        assert total(here.machine.rules, lead, lead.clock) == points
        found.append(encode_lead(lead))
        here.at(80)
        assert [one.topic for one in here.machine.outcomes] == ["lead.disqualified.v1"]
    assert len(set(found)) == 1


def test_an_event_that_is_said_again_while_a_lead_waits_for_its_rules_counts_once() -> None:
    there = Partition()
    there.at(0)
    there.read(rules(2, "email.opened", "once a week"))
    there.read(opened(1, 1), b"b")
    here = Partition()
    here.at(0)
    here.read(rules(1, "email.opened", "once a day"))
    here.read(opened(2, 1), b"a")
    here.read(Merge(b"b", 2, encode_lead(there.machine.leads[b"b"]), HOPS + 1, 0), b"a")
    here.read(opened(1, 1), b"a")  # its publisher's retry, to the lead that it is part of from now on
    here.read(rules(2, "email.opened", "once a week"))
    sweep(here.machine)
    lead = here.machine.leads[b"a"]
    assert total(here.machine.rules, lead, lead.clock) == 2.0 + 10.0
    here.read(opened(1, 1), b"a")
    assert total(here.machine.rules, lead, lead.clock) == 2.0 + 10.0
