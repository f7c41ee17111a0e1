"""Bugs, planted one at a time: each must be caught by some check within a bounded number of seeds.

They live in the simulated processes alone: the careful pass runs the same engine without them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, cast
from unittest import mock

from scorer.domain import population as engine
from scorer.domain.joining import Sent
from scorer.domain.lead import Lead, decode_lead, encode_lead
from scorer.domain.outcomes import Outcome
from scorer.domain.partition import Dead, LogPartition
from scorer.domain.state import decode_state
from scorer.domain.timers import FOREVER, Timer, Timers, page
from scorer.errors import CannotContinue
from scorer.storage.ports import Bounds, Incoming
from scorer.worker import (
    checkpoint,
    door_clock,
    door_position,
    outbox,
    score_agent,
    score_partition,
    store,
    takeover,
    views,
)
from scorer.worker.score_partition import ScorePartition
from scorer.worker.store_meta import Meta
from tests.simulate.loop import LIFE
from tests.simulate.score_life import ScoreLife
from tests.simulate.world import simulate

SEEDS = 300
"""Within which each bug must be caught."""


class Caught(NamedTuple):
    bug: str
    seeds: int
    """Needed."""
    seed: int
    check: str
    """Which invariant was found broken; empty: none in all those seeds."""


def hunt(bug: str, first: int = 0, most: int = SEEDS) -> Caught:
    """Simulate with the bug until a check finds it."""
    with BUGS[bug]():
        for seed in range(first, first + most):
            violation = simulate(seed).violation
            if violation is not None:
                return Caught(bug, seed - first + 1, seed, violation.check)
    return Caught(bug, most, first + most - 1, "")


def _patched(target: object, name: str, replacement: Callable[..., Any]) -> AbstractContextManager[Any]:
    return mock.patch.object(target, name, replacement)


# -- the order of a checkpoint --------------------------------------------------------------------


@contextmanager
def commit_before_changelog() -> Iterator[None]:
    real = score_agent.checkpoint

    async def checkpoint_(partition: Any, *rest: Any, **more: Any) -> Any:
        life = cast("ScoreLife", LIFE.get())
        if partition.changed:
            await life.kafka.commit({partition.number: partition.machine.state.position})
        return await real(partition, *rest, **more)

    with _patched(score_agent, "checkpoint", checkpoint_):
        yield


@contextmanager
def outcomes_after_changelog() -> Iterator[None]:
    class Late(outbox.Outbox):
        """Keeps outcomes until after the cut."""

        def __init__(self, *rest: Any) -> None:
            super().__init__(*rest)
            self.held: list[Outcome] = []

        def send(self, outcomes: Sequence[Outcome], dead: Sequence[Dead], sends: Sequence[Sent]) -> None:
            self.held += outcomes
            super().send((), dead, sends)

        async def release(self) -> None:
            held, self.held = self.held, []
            super().send(held, (), ())
            await super().flush()

    with _released_after_checkpoint(Late):
        yield


@contextmanager
def _released_after_checkpoint(box: type[Any]) -> Iterator[None]:
    """Outboxes of this kind are told to ``release`` what they hold when the cut is durable."""
    real = score_agent.checkpoint

    async def checkpoint_(partition: Any, box: Any, *rest: Any, **more: Any) -> Any:
        done = await real(partition, box, *rest, **more)
        await box.release()
        return done

    with _patched(score_agent, "Outbox", box), _patched(score_agent, "checkpoint", checkpoint_):
        yield


@contextmanager
def cut_before_outcomes_are_drained() -> Iterator[None]:
    """Outcomes wait for a later chunk: a cut in between is ahead of what has been said."""
    real = score_partition.ScorePartition.drain

    def drain(self: Any) -> tuple[list[Outcome], list[Dead], list[Sent]]:
        late = self.__dict__.setdefault("late", [([], [], []), ([], [], [])])
        late.append(real(self))
        return cast("tuple[list[Outcome], list[Dead], list[Sent]]", late.pop(0))

    with _patched(score_partition.ScorePartition, "drain", drain):
        yield


@contextmanager
def store_ahead_of_changelog() -> Iterator[None]:
    real = checkpoint.write

    async def write(lane: Any, number: int, epoch: int, meta: Meta, records: Any) -> Meta:
        partition = cast("ScoreLife", LIFE.get()).agent.partitions[number]
        ahead = Meta(meta.next + len(records), epoch, meta.fence, meta.changelog)
        partition.store.persist(records, (), ahead)
        return await real(lane, number, epoch, meta, records)

    with _patched(checkpoint, "write", write):
        yield


@contextmanager
def cut_in_front_of_the_leads() -> Iterator[None]:
    """The cut record is sent first, so a torn send leaves leads behind it."""
    real = checkpoint.write

    async def write(lane: Any, number: int, epoch: int, meta: Meta, records: Any) -> Meta:
        return await real(lane, number, epoch, meta, [records[-1], *records[:-1]])

    with _patched(checkpoint, "write", write):
        yield


# -- state ----------------------------------------------------------------------------------------


@contextmanager
def fence_off_by_one() -> Iterator[None]:
    """A lead read back skips the record after its fence."""

    def decode(raw: Any) -> Lead:
        lead = decode_lead(raw)
        lead.fence += 1
        return lead

    with _patched(score_partition, "decode_lead", decode):
        yield


@contextmanager
def state_not_marked_dirty() -> Iterator[None]:
    """What a timer changes is not written, unless something else changes too."""
    real = LogPartition._fire_timers

    def fire_timers(self: LogPartition) -> None:
        before = set(self.dirty)
        real(self)
        if LIFE.get() is not None:
            self.dirty = {key: lead for key, lead in self.dirty.items() if key in before}

    with _patched(LogPartition, "_fire_timers", fire_timers):
        yield


@contextmanager
def timer_fired_twice() -> Iterator[None]:
    real = engine.fire

    def fire(rules: Any, lead: Lead, key: bytes, judged_at: int, outcomes: list[Outcome]) -> None:
        before, told = decode_lead(encode_lead(lead)), len(outcomes)
        real(rules, lead, key, judged_at, outcomes)
        if LIFE.get() is not None and len(outcomes) > told:
            before.seq = lead.seq
            real(rules, before, key, judged_at, outcomes)
            lead.seq = before.seq

    with _patched(engine, "fire", fire):
        yield


@contextmanager
def coordinates_forgotten() -> Iterator[None]:
    """A restart forgets the highest offsets applied."""

    def decode(raw: bytes) -> Any:
        state = decode_state(raw)
        state.highest = {}
        return state

    with _patched(score_partition, "decode_state", decode):
        yield


@contextmanager
def beginning_forgotten() -> Iterator[None]:
    """What was seen before the clock began counts as seen in 1970."""
    moved = LogPartition._clock_moved

    def move(self: LogPartition) -> None:
        began, self.state.began = self.state.began, 0
        moved(self)
        self.state.began = began

    with _patched(LogPartition, "_clock_moved", move):
        yield


# -- leads that are one person --------------------------------------------------------------------


@contextmanager
def merged_twice() -> Iterator[None]:
    """What a score agent sends again after a crash is taken for new."""
    real = LogPartition._link

    def link(self: LogPartition, message: Any, record: Any) -> None:
        if LIFE.get() is not None:
            self.state.highest.pop(record.door, None)
        real(self, message, record)

    with _patched(LogPartition, "_link", link):
        yield


@contextmanager
def log_after_changelog() -> Iterator[None]:
    """The changelog says that a lead has moved before the log has its state."""

    class Late(outbox.Outbox):
        def __init__(self, *rest: Any) -> None:
            super().__init__(*rest)
            self.held: list[Sent] = []

        def _send_on(self, sends: Sequence[Sent]) -> None:
            self.held += sends

        async def release(self) -> None:
            held, self.held = self.held, []
            super()._send_on(held)

    with _released_after_checkpoint(Late):
        yield


@contextmanager
def signpost_not_marked_dirty() -> Iterator[None]:
    real = LogPartition._link

    def link(self: LogPartition, message: Any, record: Any) -> None:
        real(self, message, record)
        if LIFE.get() is not None and self.counters.merged % 3 == 1:
            self.dirty.pop(message.key, None)

    with _patched(LogPartition, "_link", link):
        yield


# -- accounts -------------------------------------------------------------------------------------


@contextmanager
def account_not_marked_dirty() -> Iterator[None]:
    real = LogPartition._changed_account

    def change(self: LogPartition, account: Any, key: bytes, wake: int) -> None:
        real(self, account, key, wake)
        if LIFE.get() is not None and account.fence % 3 == 1:
            self.dirty_accounts.pop(key, None)

    with _patched(LogPartition, "_changed_account", change):
        yield


@contextmanager
def old_statement_believed() -> Iterator[None]:
    """What a lead states once more after a crash takes the place of what it has stated since."""
    real = LogPartition._take_report

    def take(self: LogPartition, key: bytes, record: Any, offset: int) -> bool:
        account = self._find_account(key)
        if LIFE.get() is not None and account is not None and record.lead in account.members:
            _, points, at = account.members[record.lead]
            account.members[record.lead] = -1, points, at
        return real(self, key, record, offset)

    with _patched(LogPartition, "_take_report", take):
        yield


# -- taking over ----------------------------------------------------------------------------------


@contextmanager
def restore_one_record_short() -> Iterator[None]:
    real = takeover.restore

    class Short:
        def __init__(self, kafka: Any) -> None:
            self._kafka = kafka

        def __getattr__(self, name: str) -> Any:
            return getattr(self._kafka, name)

        async def read(
            self, topic: str, ranges: Mapping[int, Bounds]
        ) -> AsyncIterator[tuple[int, Sequence[Incoming], int]]:
            async for number, records, following in self._kafka.read(topic, ranges):
                last = following == ranges[number][1]
                yield number, records[:-1] if last else records, following

    async def restore(stores: Any, kafka: Any, *rest: Any) -> bool:
        return await real(stores, Short(kafka), *rest)

    with _patched(takeover, "restore", restore):
        yield


@contextmanager
def epoch_ignored() -> Iterator[None]:
    with _patched(store, "epoch_of", lambda _: 1 << 40):
        yield


@contextmanager
def timers_not_restored() -> Iterator[None]:
    with _patched(store.Store, "timers", lambda _: iter(())):
        yield


@contextmanager
def timers_under_way_overlooked() -> Iterator[None]:
    """Timers are read from disk while newer ones are still on their way there."""

    def load(self: ScorePartition, since: int) -> tuple[list[Timer], int]:
        return page(self.store.timers(since), self.near_timers)

    with _patched(ScorePartition, "_load_timers", load):
        yield


@contextmanager
def later_timers_dropped() -> Iterator[None]:
    """What is beyond memory's bound counts as read already."""
    trim = Timers.trim

    def forget(self: Timers, most: int) -> None:
        trim(self, most)
        if self._horizon:
            self._horizon = FOREVER

    with _patched(Timers, "trim", forget):
        yield


# -- intake ---------------------------------------------------------------------------------------


@contextmanager
def commit_before_append() -> Iterator[None]:
    """Door records count as safe as soon as they have been read."""

    def settle(self: Any) -> None:
        while self._unsettled:
            chunk = self._unsettled.popleft()
            self.acked, self.acked_at = chunk.end, chunk.at

    with _patched(door_position.DoorPosition, "settle", settle):
        yield


@contextmanager
def clock_without_a_margin() -> Iterator[None]:
    """A door counts as read through this very moment: what is stamped and not yet seen is late."""
    with _patched(door_clock, "UNSEEN_MS", cast("Any", 0)):
        yield


@contextmanager
def old_answer_taken_for_a_loss() -> Iterator[None]:
    """An answer about the doors' ends is compared with what has been read since the question."""
    real = door_clock.DoorClock._caught_up

    async def caught_up(self: Any, doors: Any) -> Any:
        answer: Any = {}
        ask = self._ends

        async def ends(tps: Any) -> Any:
            answer.update(await ask(tps))
            return answer

        self._ends = ends
        try:
            found = await real(self, doors)
        finally:
            self._ends = ask
        if any(answer.get(door.tp, door.acked) < door.acked for door in doors):
            raise CannotContinue("ends at an offset before what has been read")
        return found

    with _patched(door_clock.DoorClock, "_caught_up", caught_up):
        yield


@contextmanager
def dead_letter_lost() -> Iterator[None]:
    """The doors' dead letters are not waited for."""
    from scorer.worker.intake_dead import IntakeDeadLetters

    real = IntakeDeadLetters.send

    def send(self: Any, door: Any, refused: Any) -> None:
        real(self, door, [one for one in refused if one[0].offset % 7])

    with _patched(IntakeDeadLetters, "send", send):
        yield


@contextmanager
def views_of_others_left() -> Iterator[None]:
    """What a former owner has shown too late is not shown again."""

    def keys(*_: Any) -> set[bytes]:
        return set()

    with _patched(views, "_keys", keys):
        yield


BUGS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    bug.__name__.replace("_", " "): bug
    for bug in (
        commit_before_changelog,
        outcomes_after_changelog,
        fence_off_by_one,
        state_not_marked_dirty,
        timer_fired_twice,
        restore_one_record_short,
        cut_before_outcomes_are_drained,
        cut_in_front_of_the_leads,
        store_ahead_of_changelog,
        epoch_ignored,
        timers_not_restored,
        timers_under_way_overlooked,
        later_timers_dropped,
        coordinates_forgotten,
        beginning_forgotten,
        merged_twice,
        log_after_changelog,
        signpost_not_marked_dirty,
        account_not_marked_dirty,
        old_statement_believed,
        commit_before_append,
        clock_without_a_margin,
        old_answer_taken_for_a_loss,
        dead_letter_lost,
        views_of_others_left,
    )
}
