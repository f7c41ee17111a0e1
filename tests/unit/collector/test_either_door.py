"""One intake for both doors: the same event gives the same record but for coordinates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scorer.domain.person import decode_sealed
from scorer.domain.record import BINDS, BINDS_EACH, NO_DOOR, Bind, Fact, decode_record
from scorer.wire.cloudevents import decode
from scorer.wire.dead_letters import Rejected
from scorer.wire.identity import Identity
from scorer.wire.intake import Intake
from scorer.wire.properties import PERSONAL
from scorer.wire.sealing import KEY_BYTES, KEY_ID_BYTES, LeadKey, Sealer, unseal
from scorer.wire.times import date_time, milliseconds
from tests.unit.collector.asking import NOON, REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from scorer.wire.intake import Accepted


def examples() -> Iterator[Any]:
    for topic in REGISTRY.doors:
        for quality in ("valid", "invalid"):
            folder: Path = REGISTRY.folder.joinpath(topic.examples or "", quality)
            for path in sorted(folder.iterdir()):
                yield pytest.param(topic.name, path.read_bytes(), id=f"{topic.name}-{path.name}")


def outcome(work: Callable[[], tuple[Accepted, ...]]) -> tuple[Accepted, ...] | Rejected:
    try:
        return work()
    except Rejected as rejected:
        return rejected


class OneKey:
    """The same for a lead whoever asks."""

    def key_of(self, lead: bytes) -> LeadKey:
        return LeadKey(lead, b"k" * KEY_ID_BYTES, (lead * KEY_BYTES)[:KEY_BYTES])

    def find(self, lead: bytes, _: bytes) -> bytes:
        return self.key_of(lead).key


def intake(fields: Iterable[str] = ()) -> Intake:
    identity = Identity("secret")
    sealer = Sealer(fields, OneKey(), identity.names_somebody) if fields else None
    return Intake(identity, REGISTRY.max_log_bytes, REGISTRY, sealer)


def opened(record: Fact | Bind) -> dict[str, str | None]:
    sealed = record.sealed if isinstance(record, Fact) else None
    found = {} if sealed is None else decode_sealed(sealed)
    return {field: unseal(one, field, OneKey().find) for field, one in found.items()}


@pytest.mark.parametrize("fields", [(), tuple(sorted(PERSONAL))], ids=["dropped", "sealed"])
@pytest.mark.parametrize(("topic", "value"), list(examples()))
def test_the_same_event_through_either_door(topic: str, value: bytes, fields: tuple[str, ...]) -> None:
    through_kafka = outcome(lambda: intake(fields)(topic, value, NOON, 7, 99))
    through_http = outcome(lambda: intake(fields).take(topic, decode(value), NOON))
    if isinstance(through_kafka, Rejected) or isinstance(through_http, Rejected):
        assert repr(through_http) == repr(through_kafka)
        return
    assert [lead for lead, _ in through_http] == [lead for lead, _ in through_kafka]
    for number, ((_, mine), (_, theirs)) in enumerate(zip(through_http, through_kafka, strict=True)):
        one, other = decode_record(mine), decode_record(theirs)
        assert isinstance(one, Fact | Bind)
        assert (one.door, one.offset) == (NO_DOOR, -1)
        place = (BINDS + 7, 99 * BINDS_EACH + number - 1) if number else (7, 99)
        assert isinstance(other, Fact | Bind)
        assert (other.door, other.offset) == place
        assert opened(one) == opened(other)
        assert without_place(one) == without_place(other)


def without_place(record: Fact | Bind) -> Fact | Bind:
    """And without what is sealed, of which no two are alike."""
    record = msgspec.structs.replace(record, door=0, offset=0)
    return msgspec.structs.replace(record, sealed=None) if isinstance(record, Fact) else record


def test_of_the_examples_some_have_something_to_seal() -> None:
    taken = [
        outcome(lambda topic=topic, value=value: intake(PERSONAL).take(topic, decode(value), NOON))
        for topic, value in (one.values for one in examples())
        if b"@" in value
    ]
    records = [decode_record(one[0][1]) for one in taken if not isinstance(one, Rejected)]
    assert any("email" in opened(one) for one in records if isinstance(one, Fact))


@pytest.mark.parametrize(
    "changes", [{"id": ""}, {"id": "x" * 257}, {"source": ""}, {"source": "x" * 513}, {"subject": ""}]
)
def test_what_a_made_event_may_not_be_is_what_a_message_may_not_be(changes: dict[str, str]) -> None:
    message = {"specversion": "1.0", "id": "1", "source": "/x", "type": "page.viewed", "data": {}}
    good = decode(json.dumps({**message, "subject": "lead-1"}).encode())
    made = msgspec.structs.replace(good, **changes)
    with pytest.raises(Rejected) as mine:
        intake().take("activity.page.v1", made, NOON)
    with pytest.raises(Rejected) as theirs:
        intake()("activity.page.v1", msgspec.json.encode(made), NOON)
    assert mine.value.reason == theirs.value.reason


@pytest.mark.parametrize("ms", [0, 1, 999, 1000, NOON, NOON + 1, 253_402_300_799_999])
def test_times_written_are_times_read(ms: int) -> None:
    assert milliseconds(date_time(ms)) == ms


@pytest.mark.parametrize("ms", [-1, 253_402_300_800_000, 10**18])
def test_times_that_nobody_writes(ms: int) -> None:
    with pytest.raises(Rejected):
        date_time(ms)
