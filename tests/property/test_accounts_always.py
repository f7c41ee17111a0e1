"""Whatever happens to leads, and whenever it is looked at, they state the same to their accounts.

Rules that change, imports, erasures, merges; sweeps that come late and touch some; crashes that tear.
"""

from __future__ import annotations

import random

import msgspec
import pytest

from scorer.domain.encoded import is_member
from scorer.domain.model import Model, encode_model, fingerprint
from scorer.domain.person import account_of
from scorer.domain.record import (
    ACCOUNT,
    Erase,
    Fact,
    ImportBegin,
    ImportEnd,
    Member,
    Record,
    Rules,
    decode_record,
    encode_record,
)
from scorer.wire.partitioner import partition_of
from tests.property import people
from tests.property.people import BEGAN, DAY, LASTS, Log, Said, draw
from tests.property.test_accounts import COMPANIES, WAYS, known, leads

SEEDS = 80
IMPORT = 1 << 33
SWAYS = (None, *WAYS)


class Times:
    """A story in which everything happens, and who keeps it."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.log = Log(self.rng)
        self.version = 1
        self.imports = 0
        self.importing = False

    def everywhere(self, record: Record) -> None:
        for number in range(self.log.count):
            self.log.append(number, None, encode_record(record))

    def pass_by(self) -> None:
        for offset, one in enumerate(draw(self.rng, 4, 90), 1):
            if self.rng.random() < 0.15:
                self.log.tick(one.time)
            self._happens(one, offset)
            if self.rng.random() < 0.3:
                self.log.work(self.rng.randrange(self.log.count), self.rng.randrange(1, 30))
            if self.rng.random() < 0.2:
                self.sweep(0.3)
            if self.rng.random() < 0.06:
                self.log.stumble()
        if self.importing:
            self.everywhere(ImportEnd(IMPORT + self.imports))
        self.log.settle()
        self.log.stumble()
        self.log.settle()
        self.log.tick(BEGAN + LASTS + DAY)
        for _ in range(3):
            self.log.settle()
            self.sweep(1.0)
        self.log.settle()

    def _happens(self, one: Said, offset: int) -> None:
        rng = self.rng
        if rng.random() < 0.04:
            self._rules()
        if rng.random() < 0.03:
            self.importing = not self.importing
            self.imports += self.importing
            number = IMPORT + self.imports
            self.everywhere(ImportBegin(number) if self.importing else ImportEnd(number))
        if self.importing and rng.random() < 0.5:
            self._imported(one, offset)
        else:
            self.log.take_in(one, offset)
        if rng.random() < 0.01:
            erase = Erase(one.time, blocked=False, request="r", member=b"", door=0, offset=-1)
            self.log.append(partition_of(one.lead, self.log.count), one.lead, encode_record(erase))

    def _rules(self) -> None:
        self.version += 1
        changes = {"accounts": self.rng.choice(SWAYS), "grace": self.rng.choice([2_000, 2_000, 600_000])}
        model: Model = msgspec.structs.replace(people.MODEL, **changes)
        if self.rng.random() < 0.5:
            model = msgspec.structs.replace(model, awards=model.awards[self.rng.randrange(3) :])
        encoded = encode_model(model)
        self.everywhere(Rules(self.version, fingerprint(encoded), encoded, self.rng.randrange(3)))

    def _imported(self, one: Said, offset: int) -> None:
        fact = Fact(
            one.kind,
            one.time - self.rng.randrange(DAY),
            one.time,
            IMPORT + self.imports,
            offset,
            offset.to_bytes(8, "big"),
            f"imported-{offset}",
            "/",
            one.properties,
            account=people.company_of(one, offset),
        )
        self.log.append(partition_of(one.lead, self.log.count), one.lead, encode_record(fact))

    def sweep(self, share: float) -> None:
        for life in self.log.lives:
            keys = {*life.leads, *life.accounts}
            if share == 1.0:
                keys |= {*life.partition.leads, *life.partition.accounts}
            for key in sorted(keys):
                if self.rng.random() < share:
                    life.partition.touch(key)
            self.log.send(life)


def statements(log: Log) -> dict[tuple[bytes, int], set[bytes]]:
    """(lead, version) -> what it has stated: key and record."""
    found: dict[tuple[bytes, int], set[bytes]] = {}
    for records in log.logs:
        for _, key, value in records:
            if is_member(value):
                record = decode_record(value)
                assert isinstance(record, Member)
                for lead, version in ((record.lead, record.version), *record.instead_of):
                    found.setdefault((lead, version), set()).add((key or b"") + value)
    return found


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_version_says_one_thing(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "company_of", lambda said, offset: COMPANIES[(said.person + offset % 3) % 5])
    times = Times(seed)
    times.pass_by()
    log = times.log
    assert {one: said for one, said in statements(log).items() if len(said) > 1} == {}
    for life in log.lives:
        careful = people.Life(life.number)
        careful.partition.apply(log.logs[life.number])
        for key in sorted({*careful.partition.leads, *careful.partition.accounts}):
            careful.partition.touch(key)
        mine = {key: one for key, one in known(log).items() if partition_of(key, log.count) == life.number}
        assert {
            key: (one.members, one.status, one.seq, one.told)
            for key, one in careful.partition.accounts.items()
        } == {key: (one.members, one.status, one.seq, one.told) for key, one in mine.items()}
    accounts = known(log)
    for key, lead in leads(log):
        if lead.reported is not None and lead.reported[1]:
            version, account, points, at = lead.reported
            assert accounts[ACCOUNT + account.encode()].members[key] == (version, points, at)
        if log.lives[0].partition.rules.model.accounts is not None and lead.reported is not None:
            assert lead.reported[1] == (account_of(lead) if lead.since else "")
