"""What a record of the lead log says: facts about leads, and control records about the log itself.

The Kafka key of a fact is the lead id (UTF-8); control records have no key. The value is msgpack of
one of the structs below: an array whose first element is the tag.
"""

from __future__ import annotations

from typing import Any

import msgspec

PROFILE_UPDATED = "profile.updated"
"""The one fact type that changes attributes; every other type is an activity."""

NO_DOOR = 0
"""The door number of a record that came through no door partition (collector, re-driven dead letter)."""


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


class ImportBegin(msgspec.Struct, array_like=True, tag_field="kind", tag=4, gc=False, frozen=True):
    """From here on facts whose ``door`` equals ``number`` change state without being evaluated."""

    number: int
    """A hash of the imported file's content, at least 2**32: never the number of a door partition."""


class ImportEnd(msgspec.Struct, array_like=True, tag_field="kind", tag=5, gc=False, frozen=True):
    """Every lead that the import touched is evaluated once, as of the clock here."""

    number: int


Posted = Posting | Clock | Doors | Rules | ImportBegin | ImportEnd
Record = Fact | Clock | Doors | Rules | ImportBegin | ImportEnd

decode_record = msgspec.msgpack.Decoder(Record).decode
"""bytes -> Record; raises ``msgspec.MsgspecError`` on anything else."""

decode_posted = msgspec.msgpack.Decoder(Posted).decode
"""Like ``decode_record``, with a ``Posting`` in the place of a ``Fact``."""

decode_properties = msgspec.msgpack.Decoder(dict[str, Any]).decode
"""What ``Posting.properties`` holds; raises like ``decode_record``."""

encode_record = msgspec.msgpack.Encoder().encode
"""Record -> bytes."""
