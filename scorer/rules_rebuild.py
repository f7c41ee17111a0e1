"""Rules that come into force with their past: rebuilt from the lead log, by one process, while workers go on.

Everything goes through the log, so workers do nothing but read it, and an interrupted rebuild is begun again:

1. the live rules are put in force once more, with what the coming ones need beside them (``preparing``);
2. the log is replayed under the coming rules, and each lead is told its past;
3. the log is followed: a lead of which a record came in between is told again, until nobody is left;
4. the coming rules are put in force.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec.structs import replace

from scorer.domain.encoded import is_fact, is_member, is_rules
from scorer.domain.model import Model, decode_model, encode_model
from scorer.domain.partition import NO_RECORD
from scorer.domain.preparing import past_of, prepare, replayed, slots_of
from scorer.domain.record import (
    ANNOUNCE_NONE,
    Merge,
    Rebuilt,
    Rules,
    decode_record,
    encode_record,
)
from scorer.domain.rules import build_model
from scorer.errors import UserError
from scorer.log_export import dead_lettered
from scorer.log_lines import Recorded
from scorer.replay import Replay
from scorer.replay.sources import BATCH, Batch
from scorer.rules_apply import Applied, Stored, apply, read
from scorer.wire.dead_letters import Reason
from scorer.wire.doors import load_doors
from scorer.wire.registry import DEAD_LETTERS, LOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from confluent_kafka import Message

    from scorer.broker import Broker, Tail, Writer
    from scorer.domain.lead import Lead
    from scorer.replay import Standing

    Bar = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]

CACHE: Final = 200_000
"""Leads kept decoded, in all partitions together; all of them are kept encoded."""
PATIENCE: Final = 600.0
"""Seconds for which leads that never rest are told again, and merges that are under way are waited for."""
PAUSE: Final = 0.3
"""Seconds between two looks at the log, where nobody is left who can be told."""
AT_ONCE: Final = 5_000
"""Leads told between two looks at the log: the longer ago one was, the more have to be told again."""


class Came(NamedTuple):
    """What a rebuild has done."""

    applied: Applied
    records: int
    """Of the log, read."""
    leads: int
    """That were told their past."""
    again: int
    """How often one had to be told again."""


def rebuild(
    broker: Broker,
    coming: bytes,
    announce: int,
    bar: Bar,
    *,
    accept_truncated: bool = False,
    at_once: int = AT_ONCE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Came:
    """Put an encoded model in force with the past of its changed rules.

    ``announce``: see ``record.Rules``. ``bar``: see ``scorer.cli.progress``. ``at_once``: leads that are told
    between two looks at the log. Raises ``UserError`` where the log does not reach back to its beginning,
    somebody else changes the rules meanwhile, or leads never rest.
    """
    stored = read(broker)
    newest = stored.newest
    if newest is None:
        raise UserError(
            "no rules are in force yet, so there is nothing to rebuild", hint="scorer rules apply FILE"
        )
    live = decode_model(newest.model)
    if live.shadow is not None:
        raise UserError(
            f"the rules {live.shadow.name!r} are tried beside those in force",
            hint="a shadow begins again after a rebuild: `scorer shadow stop` first",
        )
    union = prepare(live, decode_model(coming))
    if not union.prepared and not union.watched:
        return Came(apply(broker, coming, announce), 0, 0, 0)
    starts = {number: wanted.start for number, wanted in broker.ranges(LOG).items()}
    truncated = [number for number, start in starts.items() if start]
    if truncated and not accept_truncated:
        raise UserError(
            f"the log does not reach back to its beginning: partition {truncated[0]} starts at offset"
            f" {starts[truncated[0]]}",
            hint="--accept-truncated rebuilds from what is left",
        )
    prepared = apply(broker, encode_model(union), ANNOUNCE_NONE).rules
    work = _Work(broker, prepared, union, _past(stored, live, decode_model(coming)), starts, bar)
    try:
        work.read_all()
        deadline = clock() + PATIENCE
        while not work.finished(whole=not truncated):
            if clock() > deadline:
                raise UserError(
                    f"after {PATIENCE:.0f} s {work.left_words()}",
                    hint="the rules are prepared and not in force; run the command again",
                    exit_code=1,
                )
            if work.tell(at_once) < at_once:
                sleep(PAUSE)
            work.follow()
    finally:
        work.close()
    applied = apply(broker, coming, announce, expected=prepared.version)
    return Came(applied, work.records, len(work.told), work.again)


def _past(stored: Stored, live: Model, coming: Model) -> Model:
    """The coming rules, remembering as much as any rules of the log did: what was once is not twice."""
    past = replayed(live, coming)
    every = [decode_model(rules.model) for rules in stored.versions.values()]
    return replace(
        past,
        dedupe=max(past.dedupe, *(one.dedupe for one in every)),
        objects=max(past.objects, *(one.objects for one in every)),
    )


class _Joined(NamedTuple):
    """A lead has arrived at the one that it is part of from now on."""

    partition: int
    offset: int
    key: bytes
    lead: bytes


class _Work:
    """The replay, who has been told what, and who is still to be."""

    def __init__(
        self,
        broker: Broker,
        prepared: Rules,
        union: Model,
        past: Model,
        starts: dict[int, int],
        bar: Bar,
    ) -> None:
        self.records = self.again = 0
        self.told: set[bytes] = set()
        self.left: dict[bytes, None] = {}
        """Leads that are to be told, or to be told again, in that order."""
        self._untold: set[bytes] = set()
        """Leads that have a past which the workers don't know. Who has come since the rules were prepared has
        none, and whom such a lead becomes part of needs no other."""
        self._broker = broker
        self._version = prepared.version
        self._slots = slots_of(build_model(union, prepared.version))
        model = encode_model(past)
        self._rules = encode_record(Rules(1, prepared.fingerprint, model))
        self._bar = bar
        self._replay = Replay(CACHE // max(1, len(starts)))
        self._joined: list[_Joined] = []
        """What the replay may not have come to yet."""
        self._sent: dict[bytes, int] = {}
        """Lead -> the offset as of which it was told last."""
        self._touched: dict[bytes, int] = {}
        """Lead -> its last record since telling began."""
        self._tail: Tail = broker.tail(LOG, starts)
        with bar(DEAD_LETTERS, None) as moved:
            self._dead = dead_lettered(broker, moved)
        self._begin({number: start for number, start in starts.items() if start})

    def close(self) -> None:
        self._tail.close()

    def left_words(self) -> str:
        """What is waited for, for a person."""
        if self.left:
            named = ", ".join(repr(key.decode()) for key in sorted(self.left)[:3])
            return f"{len(self.left):,} leads have not come to rest, such as {named}"
        if self._sent or self._joined:
            return "what was written to the log has not come back"
        return f"{len(self._on_their_way):,} leads are on their way to another: is a score worker running?"

    def finished(self, *, whole: bool) -> bool:
        """Everybody has been told, and nobody is on the way to another who had not been.

        ``whole``: the log has its beginning; else nobody knows who is still on the way.
        """
        return not (self.left or self._sent or self._joined) and not (whole and self._on_their_way)

    @property
    def _on_their_way(self) -> set[bytes]:
        return self._replay.unmet & self._untold

    # -- reading ------------------------------------------------------------------------------------

    def read_all(self) -> None:
        """The log up to where it ends now; every lead in it is to be told."""
        total = sum(wanted.end - wanted.start for wanted in self._broker.ranges(LOG).values())
        with self._bar(LOG, total) as moved:
            self._feed(self._tail.read(), moved)
        self.left = {standing.lead_id.encode(): None for standing in self._replay.standings()}
        self._untold.update(*(machine.known() for machine in self._replay.machines))

    def follow(self) -> None:
        """What has been appended since."""
        self._feed(self._look_at(one) for one in self._tail.read())
        self._tell_who_took_in()

    def _begin(self, starts: dict[int, int]) -> None:
        """Of a log without its beginning: which doors there are."""
        doors = load_doors(self._broker) if starts else None
        if doors is None:
            return
        batch = Batch(own_rules=True)
        for number, start in starts.items():
            for value in (encode_record(doors), self._rules):
                batch.add(number, Recorded(start - 1, None, value))
        self._run(batch, 0)

    def _feed(self, messages: Iterable[Message], moved: Callable[[int], None] = lambda _: None) -> None:
        batch, count = Batch(own_rules=True), 0
        for message in messages:
            number, offset, value = message.partition(), message.offset(), message.value()
            if value is not None and is_rules(value):
                self._check(value)
                value = self._rules
            failed = self._dead.get((number, offset)) == Reason.ENGINE_ERROR
            batch.add(number, Recorded(offset, message.key(), value), skip=failed)
            count += 1
            if count == BATCH:
                self._run(batch, count)
                moved(count)
                batch, count = Batch(own_rules=True), 0
        self._run(batch, count)
        moved(count)

    def _run(self, batch: Batch, count: int) -> None:
        for _ in self._replay.run([batch]):
            pass
        self.records += count

    # -- telling --------------------------------------------------------------------------------------

    def tell(self, most: int) -> int:
        """Who is left and of whom nothing is held back, here or in the replay; returns how many were told."""
        before = len(self._sent)
        ends = {number: position - 1 for number, position in self._tail.positions.items()}
        held = {number for number, _ in self._replay.held}
        with self._broker.writer() as writer, self._bar("telling leads", len(self.left)) as moved:
            for key in list(self.left):
                if len(self._sent) - before == most:
                    break
                standing = self._replay.standing(key.decode())
                if standing is None:
                    del self.left[key]
                elif standing.partition not in held:
                    self._tell(writer, key, standing, ends[standing.partition])
                moved(1)
        return len(self._sent) - before

    def _tell(self, writer: Writer, key: bytes, standing: Standing, as_of: int) -> None:
        lead = standing.lead
        if lead.links is not None and lead.links.moved:
            del self.left[key]  # whom it has become part of is told
        elif not lead.since:
            del self.left[key]  # nothing is known of it but who it is
            self._untold.discard(key)
        elif not _waits(lead):
            past = past_of(lead, self._slots, self._version, as_of)
            writer.append(LOG, standing.partition, key, encode_record(past))
            del self.left[key]
            self._sent[key] = as_of
            self.told.add(key)

    def _look_at(self, message: Message) -> Message:
        """Whether a record is in the way of what has been told."""
        key, value = message.key(), message.value()
        if key is None or value is None:
            return message
        if is_fact(value):
            self._touched[key] = message.offset()
        elif not is_member(value):
            self._look_closer(message.partition(), message.offset(), key, value)
        return message

    def _look_closer(self, partition: int, offset: int, key: bytes, value: bytes) -> None:
        try:
            record = decode_record(value)
        except NO_RECORD:
            self._touched[key] = offset
            return
        if not isinstance(record, Rebuilt):
            self._touched[key] = offset
            if isinstance(record, Merge):
                self._joined.append(_Joined(partition, offset, key, record.lead))
            return
        if record.version == self._version and self._sent.get(key) == record.as_of:
            del self._sent[key]
            if self._touched.get(key, -1) > record.as_of:
                self.left[key] = None
                self.again += 1
            else:
                self._untold.discard(key)

    def _tell_who_took_in(self) -> None:
        """Whoever took in what had not been told is told once more.

        Where the replay has come to a merge it has read what the lead was told before, and whom that had
        taken in: partitions are read in any order.
        """
        held = dict(self._replay.held)
        waiting = [one for one in self._joined if one.offset >= held.get(one.partition, one.offset + 1)]
        joined = [one for one in self._joined if one not in waiting] if waiting else self._joined
        self._joined = waiting
        while untold := {one for one in joined if one.lead in self._untold}:
            joined = [one for one in joined if one not in untold]
            for one in untold:
                self.left[one.key] = None
                self._untold.add(one.key)
                self._sent.pop(one.key, None)

    def _check(self, value: bytes) -> None:
        try:
            record = decode_record(value)
        except NO_RECORD:
            return
        if isinstance(record, Rules) and record.version > self._version:
            raise UserError(
                "somebody else has put other rules in force meanwhile",
                hint="look at theirs, then run the command again",
                exit_code=1,
            )


def _waits(lead: Lead) -> bool:
    """Some click of it is held back: it may count at any moment, without a record."""
    return any(click[3] is not None for click in lead.clicks or ())
