"""Carrying everything over: states with their views, and the keys of sealed fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scorer.domain.account import Account
from scorer.domain.account_outcomes import account_view
from scorer.domain.lead import NewerFormat
from scorer.domain.outcomes import identity_view, score_view
from scorer.domain.rules import build
from scorer.domain.state import encode_state
from scorer.errors import UserError
from scorer.migration.settled import ALL_PARTS
from scorer.migration.translating import TimerWaitsError, Translation
from scorer.state_copy import STEP, copies
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import ACCOUNT_SCORE, CHANGELOG, IDENTITY, LEAD_KEYS, SCORE
from scorer.wire.sealing import parse_key_name
from scorer.worker.cut import CUT, Cut, decode_cut, encode_cut, epoch_headers, next_epoch, rules_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from scorer.broker import Writer
    from scorer.domain.lead import Lead
    from scorer.domain.rules import RuleSet
    from scorer.migration.settled import Source
    from scorer.migration.target import Target
    from scorer.state_copy import Copy

    Bar = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]

EPOCH: Final = next_epoch(0, 0)
"""Of all that is written here; each owner's is higher."""


class Carried(NamedTuple):
    leads: int
    accounts: int
    keys: int


class _Carrier:
    def __init__(self, source: Source, target: Target, writer: Writer) -> None:
        self._source = source
        self._translation = Translation(source.states, target.doors, target.starts)
        self._target = target
        self._writer = writer
        self._headers = [(name, value or b"") for name, value in epoch_headers(EPOCH)]
        newest = source.rules.newest
        if newest is None:
            raise RuntimeError("an installation without rules is not at rest")
        self._model = newest.model
        self._rules: RuleSet = build(newest.model, newest.version)
        self._judged_at = max(self._translation.clock - self._rules.model.grace, 0)
        self.leads = self.accounts = 0

    def carry(self, copy: Copy, moved: Callable[[int], None]) -> None:
        """One partition's leads and accounts, and what is shown of them."""
        self._check(copy)
        for count, (key, stored) in enumerate(_everybody(copy), 1):
            try:
                new = self._translation.moved(copy.number, key, stored, self._judged_at)
            except NewerFormat as error:
                raise UserError(
                    f"a state in partition {copy.number} was stored by a later version of scorer ({error})",
                    hint="run the command with that version",
                    exit_code=1,
                ) from error
            except TimerWaitsError:
                raise UserError(
                    f"partition {copy.number}: its clock is behind the others', and timers wait for it",
                    hint=ALL_PARTS,
                    exit_code=1,
                ) from None
            self._writer.append(CHANGELOG, new.partition, key, new.stored, self._headers)
            if isinstance(new.what, Account):
                self.accounts += 1
                name, view = account_view(self._rules, key, new.what)
                if view is not None:
                    self._writer.append(ACCOUNT_SCORE, new.partition, name, view)
            else:
                self.leads += 1
                self._show(new.partition, key, new.what)
            if count % STEP == 0:
                moved(STEP)

    def _show(self, partition: int, key: bytes, lead: Lead) -> None:
        name = key.decode()
        if lead.since:
            self._writer.append(SCORE, partition, key, score_view(self._rules, name, lead))
        if lead.links is not None:
            view = identity_view(name, lead, lead.links, self._translation.clock)
            if view is not None:
                self._writer.append(IDENTITY, partition, key, view)

    def _check(self, copy: Copy) -> None:
        """What was restored is what was found at rest, and sound."""
        stored, expected = copy.store.get(CUT), self._source.cuts[copy.number]
        if stored is None or decode_cut(stored) != expected:
            raise UserError(
                f"partition {copy.number}: the changelog is still written to, or was by a former owner",
                hint="start a worker, stop it cleanly, and run the command again",
                exit_code=1,
            )
        if copy.store.doubtful():
            raise UserError(
                f"partition {copy.number}: a former owner overwrote states that compaction has removed since",
                hint="start a worker: it heals that, or says what to do",
                exit_code=1,
            )

    def cut(self) -> None:
        """What makes the partitions' changelogs usable, behind everything else."""
        version = self._translation.version
        log = self._target.place.log.encode()
        for number, start in enumerate(self._target.starts):
            state = encode_state(self._translation.state(number))
            record = encode_cut(Cut(EPOCH, start, log, state))
            self._writer.append(CHANGELOG, number, rules_key(version), self._model, self._headers)
            self._writer.append(CHANGELOG, number, CUT, record, self._headers)


def _everybody(copy: Copy) -> Iterator[tuple[bytes, bytes]]:
    yield from copy.store.accounts()
    yield from copy.store.leads()


def carry_over(source: Source, target: Target, bar: Bar) -> Carried:
    """Everything is acknowledged when this returns. Raises ``UserError``."""
    ranges = source.broker.ranges(CHANGELOG)
    total = sum(wanted.end - wanted.start for wanted in ranges.values())
    with target.broker.writer() as writer:
        carrier = _Carrier(source, target, writer)
        # Each record is read; each state is written.
        with bar("states", 2 * total) as moved:
            for copy in copies(source.broker, moved):
                carrier.carry(copy, moved)
        # The keys first: whoever finds a cut finds what is sealed readable.
        keys = _copy_keys(source, target, writer, bar)
        writer.flush()
        carrier.cut()
    return Carried(carrier.leads, carrier.accounts, keys)


def _copy_keys(source: Source, target: Target, writer: Writer, bar: Bar) -> int:
    """Those that are not deleted: a key that an erasure has deleted goes nowhere."""
    ranges = source.broker.ranges(LEAD_KEYS)
    count, new = 0, len(target.starts)
    with bar("keys", 2 * sum(wanted.end - wanted.start for wanted in ranges.values())) as moved:
        for number, wanted in ranges.items():
            deleted: set[bytes] = set()
            for record in source.broker.read(LEAD_KEYS, number, wanted):
                moved(1)
                if record.key is not None:
                    (deleted.discard if record.value is not None else deleted.add)(record.key)
            for record in source.broker.read(LEAD_KEYS, number, wanted):
                moved(1)
                key = record.key
                name = None if key is None else parse_key_name(key)
                if name is not None and record.value is not None and key not in deleted:
                    writer.append(LEAD_KEYS, partition_of(name[0], new), key, record.value)
                    count += 1
    return count
