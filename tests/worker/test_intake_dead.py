"""What becomes a dead letter, and when that is no answer any more."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.structs import ConsumerRecord
from faust.types import TP
from prometheus_client import REGISTRY

from scorer.wire.dead_letters import Reason, dead_letter, origin
from scorer.worker.door_position import DoorPosition
from scorer.worker.intake_dead import FAULTS_IN_A_ROW, IntakeDeadLetters
from tests.support.misplaced import MISPLACED

DOOR = DoorPosition(TP("p.activity.page.v1", 2), "activity.page.v1", 6, 0)


class Lane:
    def __init__(self) -> None:
        self.sent: list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]] = []

    def append(self, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        self.sent.append((key, value, headers))


def record(
    offset: int = 7, key: bytes | None = b"k", value: bytes | None = b"v", at: int = 1_000
) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord("p.activity.page.v1", 2, offset, at, 1, key, value, None, 1, 1, ())


def letters(limit: int = 1000) -> tuple[IntakeDeadLetters, list[Any]]:
    lanes: list[Any] = [Lane(), Lane(), Lane(), Lane()]
    return IntakeDeadLetters(lanes, limit), lanes


def test_a_letter_is_the_record_and_says_where_it_lay() -> None:
    dead, lanes = letters()
    dead.send(DOOR, [(record(), Reason.NOT_JSON, "no braces")])
    assert [len(lane.sent) for lane in lanes] == [0, 0, 1, 0]  # one door partition, one order
    key, value, headers = lanes[2].sent[0]
    assert (key, value) == (b"k", b"v")
    assert origin(headers) == (Reason.NOT_JSON, "no braces", "activity.page.v1", 2, 7, 1_000)


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        (b"k" * 10, b"v" * 90, (10, 90)),
        (b"k" * 10, b"v" * 91, (10, 90)),
        (b"k" * 1000, None, (50, None)),
        (b"k" * 1000, b"v" * 1000, (50, 50)),
        (None, b"v" * 1000, (None, 100)),
    ],
)
def test_what_no_topic_takes_is_cut(
    key: bytes | None, value: bytes | None, kept: tuple[int | None, int | None]
) -> None:
    dead, lanes = letters(limit=100)
    dead.send(DOOR, [(record(key=key, value=value), Reason.TOO_LARGE, "")])
    sent_key, sent_value, headers = lanes[2].sent[0]
    assert tuple(None if part is None else len(part) for part in (sent_key, sent_value)) == kept
    whole = (sent_key, sent_value) == (key, value)
    assert dict(headers).get("cut") == (None if whole else b"%d %d" % (len(key or b""), len(value or b"")))


def rejected(reason: Reason) -> float:
    labels = {"door": DOOR.door, "reason": reason}
    return REGISTRY.get_sample_value("scorer_intake_rejected_total", labels) or 0.0


def test_a_chunk_s_letters_keep_its_order_and_are_counted_to_the_last() -> None:
    dead, lanes = letters()
    reasons = [list(Reason)[number % 7 % 4] for number in range(500)]
    before = {reason: rejected(reason) for reason in Reason}
    for start in range(0, 500, 100):  # chunks
        dead.send(DOOR, [(record(n), reasons[n], f"detail {n}") for n in range(start, start + 100)])
    assert [origin(headers) for _, _, headers in lanes[2].sent] == [
        (reason, f"detail {n}", "activity.page.v1", 2, n, 1_000) for n, reason in enumerate(reasons)
    ]
    assert {reason: rejected(reason) - before[reason] for reason in Reason} == {
        reason: reasons.count(reason) for reason in Reason
    }


def test_letters_share_headers_with_none_but_their_like() -> None:
    dead, lanes = letters()
    other = DoorPosition(TP("p.activity.email.v1", 3), "activity.email.v1", 7, 0)
    for door in (DOOR, other, DOOR):
        later = record(8, at=1_001)
        dead.send(door, [(record(), Reason.NULL_VALUE, "a"), (later, Reason.BAD_TIME, "b")])
    for lane, door, copies in ((lanes[2], DOOR, 2), (lanes[3], other, 1)):
        expected = [
            dead_letter(reason, detail, door.door, door.tp.partition, offset, b"k", b"v", at)
            for reason, detail, offset, at in (
                (Reason.NULL_VALUE, "a", 7, 1_000),
                (Reason.BAD_TIME, "b", 8, 1_001),
            )
        ]
        assert lane.sent == expected * copies


def test_our_own_failures_are_dead_letters_until_they_do_not_end() -> None:
    dead, _ = letters()
    error = ZeroDivisionError()
    for offset in range(FAULTS_IN_A_ROW):
        lying = record(offset)
        assert dead.fault(DOOR, lying, error) == (lying, Reason.ENGINE_ERROR, "ZeroDivisionError")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        dead.fault(DOOR, record(FAULTS_IN_A_ROW), error)


def test_our_own_failures_are_logged_without_what_the_record_said(caplog: pytest.LogCaptureFixture) -> None:
    dead, _ = letters()

    def fail(text: str) -> None:
        raise ValueError(text)

    with pytest.raises(ValueError) as failed:
        fail(MISPLACED)
    dead.fault(DOOR, record(), failed.value)
    assert "in fail" in caplog.text
    assert "ValueError" in caplog.text
    assert MISPLACED not in caplog.text


def test_failures_with_successes_between_them_go_on() -> None:
    dead, _ = letters()
    for offset in range(0, 10 * FAULTS_IN_A_ROW, 2):
        assert dead.fault(DOOR, record(offset), ZeroDivisionError())
