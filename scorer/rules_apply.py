"""Putting a rule set in force: first the rules topic, then one control record per log partition.

The topic ``lead.rules.v1`` has one partition and forgets nothing: key ``rules:<version>`` holds the
record that the log partitions get, and key ``rules.complete`` names the newest version that all of
them have. Whoever finds a newest version that is not complete appends it to all partitions again;
readers ignore a version that they have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from scorer.domain.model import decode_model, encode_model, fingerprint
from scorer.domain.record import ANNOUNCE_ALL, Rules, decode_record, encode_record
from scorer.errors import UserError
from scorer.wire.moved import Marks
from scorer.wire.registry import LOG, RULES, RULES_COMPLETE, RULES_KEY, Registry

if TYPE_CHECKING:
    from scorer.broker import Broker, Writer


class Stored(NamedTuple):
    """What the rules topic says."""

    versions: dict[int, Rules]
    complete: tuple[int, str]
    """Version and fingerprint of what is known to be in every log partition; (0, "") for nothing."""
    end: int
    """The topic's end offset when it was read."""
    marks: Marks
    """Whether the log has been moved, or is being moved here."""

    @property
    def moved(self) -> str | None:
        """Why no rules may be put in force; None: they may."""
        return self.marks.refusal(complete=self.complete[0] != 0)

    @property
    def newest(self) -> Rules | None:
        return self.versions[max(self.versions)] if self.versions else None

    @property
    def half_written(self) -> bool:
        """Some log partition may lack the newest version."""
        return self.newest is not None and self.newest.version > self.complete[0]

    @property
    def displaced(self) -> bool:
        """The newest version is in force with a content that the topic has lost to a second applier."""
        return (
            self.newest is not None
            and self.newest.version == self.complete[0] != 0
            and (self.newest.fingerprint != self.complete[1])
        )


class Applied(NamedTuple):
    """What ``apply`` did."""

    rules: Rules
    previous: Rules | None
    """What was in force before; None where nothing was."""
    already: bool
    """The file was in force before."""
    completed: int
    """A version that an earlier run had left half-written and this one completed; 0: none."""
    partitions: int


def read(broker: Broker) -> Stored:
    """Every rule set there is; raises ``UserError`` without the topic."""
    wanted = broker.ranges(RULES)[0]
    versions: dict[int, Rules] = {}
    complete, marks = b"", Marks()
    for record in broker.read(RULES, 0, wanted):
        marks.take(record.key, record.value)
        if record.key == RULES_COMPLETE:
            complete = record.value or b""
        elif (rules := _rules(record.key, record.value)) is not None:
            # Two appliers at once may both have written a version; the first one's is in force.
            versions.setdefault(rules.version, rules)
    return Stored(versions, _complete(complete), wanted.end, marks)


def apply(
    broker: Broker,
    model: bytes,
    announce: int = ANNOUNCE_ALL,
    expected: int | None = None,
    *,
    keep_shadow: bool = True,
) -> Applied:
    """Put an encoded model in force. It has been checked: this looks at nothing inside it.

    ``announce``: what is told of that which the change alone brings about; see ``record.Rules``.

    ``expected``: the version that is in force, as far as we know. ``keep_shadow``: rules that are tried
    beside those in force are tried beside these, too. Raises ``UserError`` where Kafka refuses, another
    version is in force, the log is moved elsewhere, or somebody else applies at the same time.
    """
    partitions = broker.partitions(LOG)
    stored = read(broker)
    if (moved := stored.moved) is not None:
        raise UserError(moved, exit_code=1)
    newest = stored.newest
    completed = 0
    if keep_shadow and newest is not None:
        model = beside(newest.model, model)
    name = fingerprint(model)
    with broker.writer() as writer:
        if newest is not None and stored.half_written:
            # Before anything newer, so that every partition has passed through the same versions.
            _complete_everywhere(writer, newest, partitions)
            completed = newest.version
        if newest is not None and newest.fingerprint == name and not stored.displaced:
            earlier = stored.versions.get(newest.version - 1)
            return Applied(newest, earlier, already=True, completed=completed, partitions=partitions)
        if expected is not None and (newest is None or newest.version != expected):
            raise UserError(
                "somebody else has put other rules in force meanwhile",
                hint="look at theirs, then run the command again",
                exit_code=1,
            )
        rules = Rules(1 if newest is None else newest.version + 1, name, model, announce)
        _append(broker, writer, rules, stored.end)
        _complete_everywhere(writer, rules, partitions)
    return Applied(rules, newest, already=False, completed=completed, partitions=partitions)


def beside(live: bytes, coming: bytes) -> bytes:
    """A coming model with the shadow of the live one; without it where that itself comes into force."""
    shadow = decode_model(live).shadow
    if shadow is None or encode_model(shadow) == coming:
        return coming
    return encode_model(replace(decode_model(coming), shadow=shadow))


def _append(broker: Broker, writer: Writer, rules: Rules, end: int) -> None:
    """Append a version and make sure that nobody else's is in its place."""
    value = encode_record(rules)
    limit = Registry.load().max_log_bytes
    if len(value) > limit:
        raise UserError(f"the compiled rules are {len(value):,} bytes; the log takes {limit:,}")
    key = RULES_KEY + b"%d" % rules.version
    writer.append(RULES, 0, key, value)
    writer.flush()
    for record in broker.read(RULES, 0, broker.ranges(RULES)[0]._replace(start=end)):
        if record.key != key or record.value is None:
            continue
        if record.value == value:
            return
        # Theirs came first. Ours is the newer one of its key, which compaction would keep: put theirs
        # behind it.
        writer.append(RULES, 0, key, record.value)
        writer.flush()
        raise UserError(
            f"somebody else put other rules in force at the same moment, as version {rules.version}",
            hint="nothing of this file is in force; look at theirs, then run the command again",
            exit_code=1,
        )
    raise UserError(f"{RULES} does not hold what was written to it", exit_code=1)


def _complete_everywhere(writer: Writer, rules: Rules, partitions: int) -> None:
    value = encode_record(rules)
    for partition in range(partitions):
        writer.append(LOG, partition, None, value)
    # Only when all of them are acknowledged.
    writer.flush()
    mark_complete(writer, rules.version, rules.fingerprint)
    writer.flush()


def mark_complete(writer: Writer, version: int, fingerprint: str) -> None:
    """Every log partition has that version: from now on workers and collectors may begin."""
    writer.append(RULES, 0, RULES_COMPLETE, b"%d %s" % (version, fingerprint.encode()))


def _complete(marker: bytes) -> tuple[int, str]:
    number, _, name = marker.partition(b" ")
    return (int(number), name.decode("ascii", "replace")) if number.isdigit() else (0, "")


def _rules(key: bytes | None, value: bytes | None) -> Rules | None:
    if key is None or value is None or not key.startswith(RULES_KEY):
        return None
    try:
        record = decode_record(value)
    except msgspec.MsgspecError:
        return None
    return record if isinstance(record, Rules) else None
