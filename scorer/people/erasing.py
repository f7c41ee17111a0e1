"""Having a person forgotten: asking the score agents by way of the lead log, and waiting until it is done.

Nobody but the owner of a lead changes it, so all that this writes are tombstones for data keys and one
``Erase`` record per lead id. Who is who may change while that is on its way: so it looks again when all
of it has been applied, and begins anew with whoever it finds, until nobody is found any more.
"""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

from scorer.collector.sink import DEADLINE
from scorer.domain.outcomes import instant
from scorer.domain.record import NO_DOOR, Erase, encode_record
from scorer.errors import UserError
from scorer.people.data_keys import delete
from scorer.people.progress_of_log import Behind, LogProgress
from scorer.people.told import erasures
from scorer.people.who import everybody, persons
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import ERASED, LEAD_KEYS, LOG, RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from confluent_kafka import Message

    from scorer.broker import Broker
    from scorer.people.kept import Topic
    from scorer.people.reading import Bar
    from scorer.people.told import Told
    from scorer.settings import Settings

NOT_YET: Final = 75
"""Exit code (sysexits.h: EX_TEMPFAIL): asked for, and not done yet."""
ROUNDS: Final = 6
"""Looks at who is who. Two are usual; more, where names are linked at this very moment."""
SETTLES: Final = 12
"""Steps in which the leads of one person may still answer each other: bind, ask, answer, merge, erase."""
LOOK: Final = 0.3
"""Seconds between two looks at the workers' progress."""
SAY: Final = 10.0
"""Seconds between two words of what is waited for."""
UNDER_WAY: Final = DEADLINE + 0.1
"""Seconds after which a collector seals nothing with a key that it made for something received before."""
_CLOCK_KEY: Final = b"time"


class Outcome(NamedTuple):
    """What an erasure has done."""

    request: str
    blocked: bool
    began: int
    """ms, the brokers' time: what was received until then is forgotten ..."""
    until: int
    """... and what was until then, of those that were found later."""
    finished: int
    rounds: int
    told: dict[bytes, Told]
    """Lead -> the newest outcome that says so."""
    keys: int
    """Data keys deleted."""
    came_back: bool
    """They have been named together again by something received since."""


def new_request(now: float) -> str:
    """A name for a request, at ``now`` (s)."""
    return f"{time.strftime('%Y-%m-%d', time.gmtime(now))}-{secrets.token_hex(4)}"


class Erasure:
    def __init__(
        self,
        settings: Settings,
        broker: Broker,
        topics: Mapping[str, Topic],
        request: str,
        *,
        blocked: bool,
        timeout: float,
        bar: Bar,
        tell: Callable[[str], None],
    ) -> None:
        """``timeout``: seconds to wait for the workers, in each round."""
        self._broker = broker
        self._group = f"{settings.app_id}-score"
        self._sealed = LEAD_KEYS in topics
        self._request = request
        self._blocked = blocked
        self._timeout = timeout
        self._bar = bar
        self._tell = tell
        self._ids: set[bytes] = set()
        self._keys = 0
        self._said = 0.0
        self._began = 0

    def run(self, ids: Collection[bytes]) -> Outcome:
        """Returns when nobody is left; raises ``UserError``, ``NOT_YET`` where the workers are not there."""
        self._ids = set(ids)
        self._refuse_a_used_name()
        self._ids |= everybody(persons(self._broker, ids, self._bar))
        at = 0
        for number in range(1, ROUNDS + 1):
            with closing(LogProgress(self._broker, self._group, self._ids, self._request)) as progress:
                # Later than where the log is read from: what is said of a door's progress is said but once.
                at = max(broker_time(self._broker), at + 1)
                self._began = self._began or at
                self._ask(at)
                asked = time.monotonic()
                self._wait(progress, at)
                time.sleep(max(0.0, asked + UNDER_WAY - time.monotonic()))
                told = self._told(at)
                # Intake may have made new keys for what was still unread when the old ones were deleted, and
                # collectors for what they were just taking.
                self._delete_keys()
                named_since = progress.newest_bind > at
            found = persons(self._broker, self._ids, self._bar)
            known = len(told)
            told = self._told(at)  # whoever was told last meanwhile has lost its view, too
            if len(told) > known:
                self._delete_keys()
            linked = everybody({key: links for key, links in found.items() if links.others})
            if linked <= self._ids and (not linked or named_since):
                finished = broker_time(self._broker)
                return Outcome(
                    self._request,
                    self._blocked,
                    self._began,
                    at,
                    finished,
                    number,
                    told,
                    self._keys,
                    bool(linked),
                )
            more = len(linked - self._ids)
            self._tell(f"{more} more names found, once more" if more else "linked anew meanwhile, once more")
            self._ids |= linked
        raise UserError(
            f"request {self._request}: after {ROUNDS} rounds names are still being linked to the person",
            hint="something links them all the time; stop it or give --block-return, then run it again"
            f" with --request {self._request}",
            exit_code=1,
        )

    def _refuse_a_used_name(self) -> None:
        """A name of somebody else's request; its receipt, and this one's, would be about both."""
        before = {told.lead for told in erasures(self._broker) if told.request == self._request}
        if before and before.isdisjoint(self._ids):
            raise UserError(
                f"--request {self._request} is the name of somebody else's request",
                hint="one name for one person: give another, or none",
            )

    def _ask(self, at: int) -> None:
        """Delete the keys, then append the erasures."""
        self._delete_keys()
        partitions = self._broker.partitions(LOG)
        value = encode_record(Erase(at, self._blocked, self._request, b"", NO_DOOR, -1))
        with self._broker.writer() as writer:
            for one in sorted(self._ids):
                writer.append(LOG, partition_of(one, partitions), one, value)
        names = "1 lead" if len(self._ids) == 1 else f"{len(self._ids)} leads"
        self._tell(f"request {self._request}: {names} to be forgotten as of {instant(at)}")

    def _delete_keys(self) -> None:
        if self._sealed:
            self._keys += delete(self._broker, self._ids)

    def _wait(self, progress: LogProgress, at: int) -> None:
        """Until the doors have been read through ``at`` and all that came of it has been scored."""
        self._said = time.monotonic()
        deadline = self._said + self._timeout
        ends = progress.read_on()
        while (behind := progress.unread(at)) is not None:
            self._pause(behind, deadline)
            ends = progress.read_on()
        for _ in range(SETTLES):
            while (behind := progress.unscored(ends)) is not None:
                self._pause(behind, deadline)
            # What a commit covers has been told before it, to the log as well.
            before = progress.named
            ends = progress.read_on()
            if progress.named == before:
                return

    def _pause(self, behind: Behind, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise UserError(
                f"appended as request {self._request}; not done yet: {behind.why}",
                hint=f"{behind.hint}; then run the same again with --request {self._request}: it waits, and"
                " deletes the keys that intake may have made meanwhile",
                exit_code=NOT_YET,
            )
        if time.monotonic() > self._said + SAY:
            self._said = time.monotonic()
            self._tell(f"waiting: {behind.why}")
        time.sleep(LOOK)

    def _told(self, at: int) -> dict[bytes, Told]:
        """Lead -> what was told of it last; with those that the agents have found by themselves."""
        newest: dict[bytes, Told] = {}
        for told in erasures(self._broker):
            if told.lead in self._ids or told.request == self._request:
                newest[told.lead] = told
        missing = [one for one in self._ids if one not in newest or newest[one].at < at]
        if missing:
            raise UserError(
                f"request {self._request}: nothing was told in {ERASED} of {len(missing)} of {len(self._ids)}"
                " leads, though the log has been scored to its end",
                hint="`scorer dead-letters list --topic lead.log.v1` shows whether the worker failed on it",
                exit_code=1,
            )
        # Whom an earlier run of that name has found is in the receipt, and not asked for again: an id of a
        # visitor may be somebody else's by now.
        self._ids |= {one for one, told in newest.items() if told.at >= self._began}
        return newest


def broker_time(broker: Broker) -> int:
    """The brokers' time, ms: when they append, to a topic that stamps its records itself.

    The record says nothing, and is gone when the topic is compacted.
    """
    stamps: list[int] = []

    def acknowledged(message: Message) -> None:
        stamps.append(message.timestamp()[1])

    with broker.writer(acknowledged) as writer:
        writer.append(RULES, 0, _CLOCK_KEY, None)
    return stamps[-1] if stamps and stamps[-1] > 0 else int(time.time() * 1000)


def receipt(outcome: Outcome) -> dict[str, object]:
    """What is kept of a request: no identifier is in it, but those of leads."""
    return {
        "request": outcome.request,
        "forgotten_until": instant(outcome.until),
        "asked_at": instant(outcome.began),
        "finished_at": instant(outcome.finished),
        "blocked": outcome.blocked,
        "rounds": outcome.rounds,
        "data_keys_deleted": outcome.keys,
        "came_back": outcome.came_back,
        "leads": [
            {
                "lead": told.lead.decode(),
                "sequence": told.sequence,
                "topic": ERASED,
                "partition": told.partition,
                "offset": told.offset,
            }
            for _, told in sorted(outcome.told.items())
        ],
    }
