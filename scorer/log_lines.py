"""The lead log as text: one JSON object per record, from which the record can be made again to the byte.

    {"kind":"fact","partition":0,"offset":7,"key":"lead-17","type":"email.opened","time":1793527200000,...}

Bytes (a digest, a compiled model) are base64. A record that would not come back exactly, because it is
no record at all or because another encoder wrote it, is kept whole: kind ``raw``, key and value in base64.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from scorer.domain import clock, record


class Recorded(NamedTuple):
    """A record of one log partition, as Kafka holds it."""

    offset: int
    key: bytes | None
    value: bytes | None


class _Line(msgspec.Struct, tag_field="kind", omit_defaults=True, gc=False, kw_only=True):
    partition: int
    offset: int
    key: str | None
    dead_lettered: str | None = None
    """The reason, where the score agent put the record into the dead letters."""


class FactLine(_Line, tag="fact"):
    type: str
    time: int
    received: int
    door: int
    door_offset: int
    digest: bytes
    id: str
    source: str
    properties: dict[str, Any]
    sealed: bytes | None = None
    account: str | None = None


class ClockLine(_Line, tag="clock"):
    times: dict[int, int]
    """Door number -> ms through which that door partition has been read."""


class DoorLine(msgspec.Struct, gc=False):
    number: int
    generation: int
    topic: str
    partition: int


class DoorsLine(_Line, tag="doors"):
    version: int
    doors: list[DoorLine]


class RulesLine(_Line, tag="rules"):
    version: int
    fingerprint: str
    model: bytes
    announce: Literal["all", "upward", "none"] = "all"


class RebuiltLine(_Line, tag="rebuilt"):
    version: int
    as_of: int
    landmark: int
    masses: dict[int, float]
    days: dict[int, dict[int, float]] | None
    limits: dict[int, bytes]
    newest: dict[int, list[int]]


class ImportBeginLine(_Line, tag="import_begin"):
    number: int


class ImportEndLine(_Line, tag="import_end"):
    number: int


class BindLine(_Line, tag="bind"):
    other: str
    received: int
    door: int
    door_offset: int


class AskLine(_Line, tag="ask"):
    lead: str
    members: list[str]
    asked: str
    door: int
    door_offset: int


class AnswerLine(_Line, tag="answer"):
    lead: str
    accepted: bool
    asked: str
    door: int
    door_offset: int


class MergeLine(_Line, tag="merge"):
    lead: str
    version: int
    state: bytes
    door: int
    door_offset: int


class EraseLine(_Line, tag="erase"):
    at: int
    blocked: bool
    request: str
    member: str
    door: int
    door_offset: int


class MemberLine(_Line, tag="member"):
    """``key``: the account's, with the byte in front that no lead id has."""

    lead: str
    version: int
    points: float | None
    at: int
    instead_of: list[tuple[str, int]] = []


class RawLine(msgspec.Struct, tag_field="kind", tag="raw", omit_defaults=True, gc=False, kw_only=True):
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    dead_lettered: str | None = None


LinkingLine = BindLine | AskLine | AnswerLine | MergeLine | EraseLine
Line = (
    FactLine
    | LinkingLine
    | MemberLine
    | ClockLine
    | DoorsLine
    | RulesLine
    | ImportBeginLine
    | ImportEndLine
    | RebuiltLine
    | RawLine
)

encode_line = msgspec.json.Encoder().encode
decode_line = msgspec.json.Decoder(Line).decode
"""bytes -> Line; raises ``msgspec.MsgspecError`` on anything else."""


def line_of(partition: int, recorded: Recorded, dead_lettered: str | None = None) -> bytes:
    """The JSON of a record, without a line end."""
    try:
        line = _readable(partition, recorded, dead_lettered)
        encoded = encode_line(line)
        if recorded_of(decode_line(encoded)) == recorded:
            return encoded
    except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        pass
    return encode_line(
        RawLine(
            partition=partition,
            offset=recorded.offset,
            key=recorded.key,
            value=recorded.value,
            dead_lettered=dead_lettered,
        )
    )


def recorded_of(line: Line) -> Recorded:
    """The record of a line; raises ``ValueError`` where the line says something impossible."""
    if isinstance(line, RawLine):
        return Recorded(line.offset, line.key, line.value)
    key = None if line.key is None else line.key.encode()
    return Recorded(line.offset, key, record.encode_record(_record(line)))


def _record(line: Line) -> record.Record:
    if isinstance(line, FactLine):
        return record.Fact(
            line.type,
            line.time,
            line.received,
            line.door,
            line.door_offset,
            line.digest,
            line.id,
            line.source,
            line.properties,
            line.sealed,
            line.account,
        )
    if isinstance(line, LinkingLine):
        return _linking(line)
    if isinstance(line, MemberLine):
        instead = [(lead.encode(), version) for lead, version in line.instead_of]
        return record.Member(line.lead.encode(), line.version, line.points, line.at, instead)
    if isinstance(line, ClockLine):
        if min(line.times.values(), default=0) < 0 or min(line.times, default=0) < 0:
            raise ValueError("a clock can't be negative")
        return record.Clock(clock.pack(line.times))
    if isinstance(line, DoorsLine):
        doors = [record.Door(door.number, door.generation, door.topic, door.partition) for door in line.doors]
        return record.Doors(line.version, doors)
    if isinstance(line, RulesLine | RebuiltLine):
        return _of_rules(line)
    if isinstance(line, ImportBeginLine):
        return record.ImportBegin(line.number)
    if isinstance(line, ImportEndLine):
        return record.ImportEnd(line.number)
    raise ValueError("a raw line has no fields")


def _of_rules(line: RulesLine | RebuiltLine) -> record.Rules | record.Rebuilt:
    if isinstance(line, RulesLine):
        announce = record.ANNOUNCE.index(line.announce)
        return record.Rules(line.version, line.fingerprint, line.model, announce)
    return record.Rebuilt(**{name: getattr(line, name) for name in record.Rebuilt.__struct_fields__})


def _linking(line: LinkingLine) -> record.Linking:
    door, offset = line.door, line.door_offset
    if isinstance(line, BindLine):
        return record.Bind(line.other.encode(), line.received, door, offset)
    if isinstance(line, AskLine):
        return record.Ask(
            line.lead.encode(), [one.encode() for one in line.members], line.asked.encode(), door, offset
        )
    if isinstance(line, AnswerLine):
        return record.Answer(line.lead.encode(), line.accepted, line.asked.encode(), door, offset)
    if isinstance(line, EraseLine):
        return record.Erase(line.at, line.blocked, line.request, line.member.encode(), door, offset)
    return record.Merge(line.lead.encode(), line.version, line.state, door, offset)


def _readable(partition: int, recorded: Recorded, dead_lettered: str | None) -> Line:
    """Raises ``ValueError`` or ``msgspec.MsgspecError`` where the record can't be shown in fields."""
    if recorded.value is None:
        raise ValueError("no value")
    told = record.decode_record(recorded.value)
    common: dict[str, Any] = {
        "partition": partition,
        "offset": recorded.offset,
        "key": None if recorded.key is None else recorded.key.decode(),
        "dead_lettered": dead_lettered,
    }
    if isinstance(told, record.Fact):
        return FactLine(
            **common,
            type=told.type,
            time=told.time,
            received=told.received,
            door=told.door,
            door_offset=told.offset,
            digest=told.digest,
            id=told.id,
            source=told.source,
            properties=told.properties,
            sealed=told.sealed,
            account=told.account,
        )
    if isinstance(told, record.Linking):
        return _linking_line(told, common)
    if isinstance(told, record.Member):
        return MemberLine(
            **common,
            lead=told.lead.decode(),
            version=told.version,
            points=told.points,
            at=told.at,
            instead_of=[(lead.decode(), version) for lead, version in told.instead_of],
        )
    if isinstance(told, record.Clock):
        return ClockLine(**common, times=clock.unpack(told.packed))
    if isinstance(told, record.Doors):
        doors = [DoorLine(door.number, door.generation, door.topic, door.partition) for door in told.doors]
        return DoorsLine(**common, version=told.version, doors=doors)
    if isinstance(told, record.Rules):
        common |= msgspec.structs.asdict(told)
        return RulesLine(**common | {"announce": record.ANNOUNCE[told.announce]})
    if isinstance(told, record.Rebuilt):
        return RebuiltLine(**common, **msgspec.structs.asdict(told))
    return _import_line(told, common)


def _import_line(
    told: record.ImportBegin | record.ImportEnd, common: dict[str, Any]
) -> ImportBeginLine | ImportEndLine:
    if isinstance(told, record.ImportBegin):
        return ImportBeginLine(**common, number=told.number)
    return ImportEndLine(**common, number=told.number)


def _linking_line(told: record.Linking, common: dict[str, Any]) -> LinkingLine:
    common |= {"door": told.door, "door_offset": told.offset}
    if isinstance(told, record.Bind):
        return BindLine(**common, other=told.other.decode(), received=told.received)
    if isinstance(told, record.Ask):
        return AskLine(
            **common,
            lead=told.lead.decode(),
            members=[one.decode() for one in told.members],
            asked=told.asked.decode(),
        )
    if isinstance(told, record.Answer):
        return AnswerLine(
            **common, lead=told.lead.decode(), accepted=told.accepted, asked=told.asked.decode()
        )
    if isinstance(told, record.Erase):
        return EraseLine(
            **common,
            at=told.at,
            blocked=told.blocked,
            request=told.request,
            member=told.member.decode(),
        )
    return MergeLine(**common, lead=told.lead.decode(), version=told.version, state=told.state)
