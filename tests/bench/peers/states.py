"""Final states as each system's changelog has them, read back as the oracle's answers."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

from scorer.domain.lead import QUALIFIED as IS_QUALIFIED
from scorer.domain.lead import decode_lead
from scorer.domain.model import encode_model
from scorer.domain.reading import total
from scorer.domain.rules import build
from scorer.wire.registry import CHANGELOG
from scorer.worker.cut import STAMP_BYTES, SYSTEM
from tests.bench.engine import small_rules
from tests.bench.peers import job
from tests.bench.peers.log import CLOSING
from tests.bench.peers.oracle import Answer

if TYPE_CHECKING:
    from scorer.broker import Broker

_STREAMS = struct.Struct(">qqdqBi")
"""As ``Lead.encode`` writes: since, clock, mass, opened, qualified, outcomes."""


def newest(broker: Broker, topic: str) -> dict[bytes, bytes]:
    """Key -> last value of a compacted topic; ``topic`` is named without the broker's prefix."""
    found: dict[bytes, bytes] = {}
    for partition, wanted in broker.ranges(topic).items():
        for record in broker.read(topic, partition, wanted):
            if record.key is None:
                continue
            if record.value is None:
                found.pop(record.key, None)
            else:
                found[record.key] = record.value
    return found


def records(broker: Broker, *topics: str) -> int:
    """How many records have been appended to topics."""
    return sum(wanted.end for topic in topics for wanted in broker.ranges(topic).values())


def of_worker(broker: Broker) -> dict[str, Answer]:
    rules = build(encode_model(small_rules()), 1)
    answers: dict[str, Answer] = {}
    for key, value in newest(broker, CHANGELOG).items():
        if key[:1] == SYSTEM:
            continue  # the worker's own keys
        lead = decode_lead(memoryview(value)[STAMP_BYTES:])
        opened = [times[-1] for times in lead.newest.values()]  # the one watch that the rules have
        answers[key.decode()] = Answer(
            total=total(rules, lead, CLOSING),
            opened=opened[0] if opened else 0,
            qualified=lead.status == IS_QUALIFIED,
            outcomes=lead.seq,
        )
    return answers


def of_streams(broker: Broker, topic: str) -> dict[str, job.State]:
    states: dict[str, job.State] = {}
    for key, value in newest(broker, topic).items():
        since, clock, mass, opened, on, out = _STREAMS.unpack_from(value)
        states[key.decode()] = {
            "since": since,
            "clock": clock,
            "mass": mass,
            "opened": opened,
            "on": bool(on),
            "out": out,
        }
    return states


def of_faust(broker: Broker, topic: str) -> dict[str, job.State]:
    return {json.loads(key): json.loads(value) for key, value in newest(broker, topic).items()}


def of_quix(broker: Broker, topic: str) -> dict[str, job.State]:
    """A key is the message key, a bar, and the state's name in JSON."""
    states: dict[str, job.State] = {}
    for key, value in newest(broker, topic).items():
        lead, _, name = key.partition(b"|")
        if name == b'"lead"':
            states[lead.decode().strip('"')] = json.loads(value)
    return states


def answer(state: job.State) -> Answer:
    """A peer's state, read at the closing instant: who has faded below the threshold by then is out."""
    points = job.total(state, max(state["clock"], CLOSING), CLOSING)
    out = state["on"] and points < job.EXIT
    return Answer(points, state["opened"], state["on"] and not out, state["out"] + out)
