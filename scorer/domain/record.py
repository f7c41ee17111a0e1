"""What a record of the lead log says: facts about leads, who is who, and the log itself.

The Kafka key of a fact, and of what says that two leads are one person, is the lead id (UTF-8); control
records have no key. The value is msgpack of one of the structs below: an array whose first element is the
tag.

``door`` and ``offset`` are where a record comes from, so that the reader applies each once: its last hop.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

PROFILE_UPDATED = "profile.updated"
"""The one fact type that changes attributes; every other type is an activity."""
PROFILE_LINKED = "profile.linked"
"""An activity that, like a profile update, says that all identifiers in it are one person's."""

ANNOUNCE_ALL: Final = 0
ANNOUNCE_UPWARD: Final = 1
"""Who qualifies."""
ANNOUNCE_NONE: Final = 2
ANNOUNCE: Final = ("all", "upward", "none")
"""Their names."""

NO_DOOR = 0
"""The door number of a record that came through no door partition (collector, re-driven dead letter)."""

BINDS: Final = 1 << 30
"""Added to a door's number: the source of the binds that intake makes of that door's records. A record may
make a fact and several binds for one log partition, and each source counts its own."""
BINDS_EACH: Final = 4
"""The offset of a bind from a door: the record's, times this, plus which of its binds it is."""
HOPS: Final = 1 << 31
"""Added to a log partition's number: the source of what its score agent sends to the log."""
SENT_EACH: Final = 1 << 12
"""The offset of what a score agent sends: that of the record that made it, times this, plus a count."""


class Fact(msgspec.Struct, array_like=True, tag_field="kind", tag=0, gc=False, frozen=True):
    """An activity or a profile update of one lead."""

    type: str
    """Activity type, for example ``email.opened``; ``profile.updated`` carries attributes."""
    time: int
    """Event time, ms since 1970-01-01 UTC."""
    received: int
    """Append time of the door record, or the collector's time received, ms."""
    door: int
    """Number of the door partition read from (see ``Doors``) or of the import; ``NO_DOOR`` for neither."""
    offset: int
    """Offset in that door partition, or the line in the import file."""
    digest: bytes
    """8-byte hash of (source, id): what a publisher's retry repeats."""
    id: str
    """The publisher's event id."""
    source: str
    """The publisher's CloudEvents source."""
    properties: dict[str, Any]
    """Flat: nested objects are joined with dots. Values are text, finite numbers, booleans or lists of them;
    in a profile update null removes the attribute."""
    sealed: bytes | None = None
    """Identifying fields, encrypted with a key of the lead's own; the engine never opens it."""
    account: str | None = None
    """The company that the lead belongs to: an id that a publisher has given, empty where the publisher says
    that there is none any more; or ``@`` and the domain of an address. None: nothing is said."""


class Posting(msgspec.Struct, array_like=True, tag_field="kind", tag=0, gc=False, frozen=True):
    """A ``Fact`` as the engine reads it: its properties stay encoded until a rule wants to see them."""

    type: str
    time: int
    received: int
    door: int
    offset: int
    digest: bytes
    id: str
    source: str
    properties: msgspec.Raw
    sealed: bytes | None = None
    account: str | None = None


class Heading(msgspec.Struct, array_like=True, tag_field="kind", tag=0, gc=False, frozen=True):
    """How a ``Fact`` begins: all that is looked at where it is only sent on."""

    type: str
    time: int
    received: int
    door: int
    offset: int


class Bind(msgspec.Struct, array_like=True, tag_field="kind", tag=6, gc=False, frozen=True):
    """The lead of the key and ``other`` are one person."""

    other: bytes
    received: int
    """As in the ``Fact`` that says so."""
    door: int
    offset: int


class Ask(msgspec.Struct, array_like=True, tag_field="kind", tag=7, gc=False, frozen=True):
    """The lead ``lead`` asks the lead of the key, which is the better known, to become one with it."""

    lead: bytes
    members: list[bytes]
    """``lead`` and all that has become one with it."""
    asked: bytes
    """The lead that was asked first: the answer repeats it."""
    door: int
    offset: int


class Answer(msgspec.Struct, array_like=True, tag_field="kind", tag=8, gc=False, frozen=True):
    """What ``lead`` answers to the lead of the key, which has asked it or one that it has become one with."""

    lead: bytes
    accepted: bool
    asked: bytes
    """As in the question."""
    door: int
    offset: int


class Merge(msgspec.Struct, array_like=True, tag_field="kind", tag=9, gc=False, frozen=True):
    """The lead of the key takes in all that ``lead`` was; what still arrives for that one is forwarded."""

    lead: bytes
    version: int
    """The rules that ``state`` belongs to."""
    state: bytes
    """``encode_lead``."""
    door: int
    offset: int


class Erase(msgspec.Struct, array_like=True, tag_field="kind", tag=10, gc=False, frozen=True):
    """The person whose lead is the key's is forgotten, under all names."""

    at: int
    """ms; what was received until then counts no more, whenever it arrives."""
    blocked: bool
    """What is received later does not count either."""
    request: str
    """Names the request; the outcome repeats it."""
    member: bytes
    """Not empty: only if this lead has become part of the key's."""
    door: int
    offset: int


class Member(msgspec.Struct, array_like=True, tag_field="kind", tag=11, gc=False, frozen=True):
    """What a lead counts in the account of the key. Absolute: a lower or equal version changes nothing."""

    lead: bytes
    version: int
    """Rises with each such record of the lead, whichever account it is for."""
    points: float | None
    """None: the lead belongs to the account no more."""
    at: int
    """ms; the lead's clock, at which it had these points."""
    instead_of: list[tuple[bytes, int]] = []
    """(lead, version): members that have become part of this one, each with its last version: it leaves."""


class Clock(msgspec.Struct, array_like=True, tag_field="kind", tag=1, gc=False, frozen=True):
    """How far the doors have been read: see ``scorer.domain.clock`` for the packing."""

    packed: bytes


class Door(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One life of one door partition. Numbers are never used twice: a re-created door gets new ones."""

    number: int
    generation: int
    topic: str
    partition: int


class Doors(msgspec.Struct, array_like=True, tag_field="kind", tag=2, gc=False, frozen=True):
    """The door partitions that the clock waits for. A record with a lower or equal version is ignored."""

    version: int
    doors: list[Door]


class Rules(msgspec.Struct, array_like=True, tag_field="kind", tag=3, gc=False, frozen=True):
    """A rule set comes into force. A record with a lower or equal version is ignored."""

    version: int
    fingerprint: str
    """16 hex digits: hash of ``model``."""
    model: bytes
    """msgpack of ``scorer.domain.model.Model``."""
    announce: Annotated[int, msgspec.Meta(ge=0, le=2)] = ANNOUNCE_ALL
    """What is told of that which the change alone brings about: ANNOUNCE_ALL, _UPWARD, _NONE."""


class ImportBegin(msgspec.Struct, array_like=True, tag_field="kind", tag=4, gc=False, frozen=True):
    """From here on facts whose ``door`` equals ``number`` change state without being evaluated."""

    number: int
    """A hash of the imported file's content, at least 2**32: never the number of a door partition."""


class ImportEnd(msgspec.Struct, array_like=True, tag_field="kind", tag=5, gc=False, frozen=True):
    """Every lead that the import touched is evaluated once, as of the clock here."""

    number: int


class Rebuilt(msgspec.Struct, array_like=True, tag_field="kind", tag=12, gc=False, frozen=True):
    """What the past of the lead of the key means to rules that are prepared: see ``preparing``.

    Ignored where the lead has taken in a later record than ``as_of``, or other rules are in force.
    """

    version: int
    """Of the prepared rules."""
    as_of: int
    """Offset in this log partition of the last record that it takes in."""
    landmark: int
    masses: dict[int, float]
    days: dict[int, dict[int, float]] | None
    limits: dict[int, bytes]
    newest: dict[int, list[int]]
    """As in ``lead.Lead``, of what is prepared."""


Linking = Bind | Ask | Answer | Merge | Erase
"""Who is who, and who is to be forgotten. What comes from outside is a ``Bind`` or an ``Erase``."""
Posted = Posting | Linking | Member | Clock | Doors | Rules | ImportBegin | ImportEnd | Rebuilt
Record = Fact | Linking | Member | Clock | Doors | Rules | ImportBegin | ImportEnd | Rebuilt

ACCOUNT: Final = b"\x01"
"""A key that begins with it is an account's: no lead id has control characters."""


def ids_in(record: Linking) -> list[bytes]:
    """The lead ids in a record about who is who, its key aside."""
    if isinstance(record, Bind):
        return [record.other]
    if isinstance(record, Ask):
        return [record.lead, *record.members, record.asked]
    if isinstance(record, Answer):
        return [record.lead, record.asked]
    if isinstance(record, Merge):
        return [record.lead]
    return [record.member] if record.member else []


decode_record = msgspec.msgpack.Decoder(Record).decode
"""bytes -> Record; raises ``msgspec.MsgspecError`` on anything else."""

decode_posted = msgspec.msgpack.Decoder(Posted).decode
"""Like ``decode_record``, with a ``Posting`` in the place of a ``Fact``."""

decode_properties = msgspec.msgpack.Decoder(dict[str, Any]).decode
"""What ``Posting.properties`` holds; raises like ``decode_record``."""

encode_record = msgspec.msgpack.Encoder().encode
"""Record -> bytes."""

decode_heading = msgspec.msgpack.Decoder(Heading).decode
"""Like ``decode_record``, for what ``is_fact``."""
