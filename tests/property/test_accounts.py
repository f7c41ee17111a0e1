"""Accounts: what their people state, however it is torn, repeated and delayed; and when time takes them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import fsum

import msgspec
import pytest

from scorer.domain.account import (
    SETTLING,
    Account,
    above,
    advance,
    below,
    falls_below,
    new_account,
    note,
    score,
)
from scorer.domain.accounting import STEP
from scorer.domain.lead import DISQUALIFIED, OPEN, QUALIFIED, Lead
from scorer.domain.model import Accounts, Fixed, Model, encode_model, fingerprint
from scorer.domain.person import account_of
from scorer.domain.reading import total
from scorer.domain.record import (
    ACCOUNT,
    ANNOUNCE_ALL,
    ANNOUNCE_NONE,
    ANNOUNCE_UPWARD,
    Erase,
    Fact,
    Member,
    Rules,
    encode_record,
)
from scorer.wire.partitioner import partition_of
from tests.property import people
from tests.property.people import BEGAN, DAY, DOOR, LASTS, Log, draw, tell

SEEDS = 60
HALF_LIFE = 9 * DAY
WAYS = (
    Accounts("sum", half_life=HALF_LIFE, enter=60.0, exit=45.0),
    Accounts("best", 2, half_life=HALF_LIFE, enter=40.0, exit=25.0),
    Accounts("maximum", half_life=None, enter=25.0, exit=25.0),
)


@pytest.fixture(params=WAYS, ids=lambda way: way.combine)
def accounts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Accounts:
    way: Accounts = request.param
    monkeypatch.setattr(people, "ENCODED", encode_model(msgspec.structs.replace(people.MODEL, accounts=way)))
    monkeypatch.setattr(people, "company_of", lambda said, offset: COMPANIES[(said.person + offset % 3) % 5])
    return way


COMPANIES = (None, "@acme.example", "@globex.example", "4711", "")


def leads(log: Log) -> Iterator[tuple[bytes, Lead]]:
    for life in log.lives:
        for key in sorted({*life.leads, *life.partition.leads}):
            lead = life.partition.get(key)
            if lead is not None:
                yield key, lead


def known(log: Log) -> dict[bytes, Account]:
    found = {}
    for life in log.lives:
        for key in {*life.accounts, *life.partition.accounts}:
            account = life.partition.account(key)
            assert account is not None
            found[key] = account
    return found


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_account_is_what_its_people_count(seed: int, accounts: Accounts) -> None:
    rng = random.Random(seed)
    log = tell(rng, draw(rng, 5, 80))
    rules = log.lives[0].partition.rules
    stated: dict[bytes, dict[bytes, tuple[int, float, int]]] = {}
    for key, lead in leads(log):
        account = account_of(lead) if lead.since else ""
        assert (lead.reported[1] if lead.reported else "") == account
        if account:
            assert lead.reported is not None
            version, _, points, at = lead.reported
            worth = 0.0 if lead.status == DISQUALIFIED else max(0.0, total(rules, lead, lead.clock))
            fading = 1.0 if accounts.half_life is None else 0.5 ** ((lead.clock - at) / accounts.half_life)
            assert points * fading == pytest.approx(worth, abs=STEP)
            stated.setdefault(ACCOUNT + account.encode(), {})[key] = version, points, at
    found = known(log)
    for key, account in found.items():
        counts = {lead: one for lead, one in account.members.items() if one[1] is not None}
        assert counts == stated.get(key, {})
        value = score(accounts, account, account.clock)
        assert value == pytest.approx(slowly(accounts, account, account.clock), abs=1e-9)
        if account.status == QUALIFIED:
            assert not below(accounts, value) or account.due == account.clock
        else:
            assert not above(accounts, value)
    assert stated.keys() <= found.keys()


def slowly(accounts: Accounts, account: Account, at: int) -> float:
    worth = sorted(
        points if accounts.half_life is None else points * 0.5 ** ((at - since) / accounts.half_life)
        for _, points, since in account.members.values()
        if points is not None
    )
    if accounts.combine == "maximum":
        return worth[-1] if worth else 0.0
    return fsum(worth[-accounts.best :] if accounts.combine == "best" else worth)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_crashes_change_nothing_that_is_said_of_an_account(seed: int, accounts: Accounts) -> None:
    """The log that the torn lives have written, read once by somebody careful, says the same."""
    rng = random.Random(seed)
    log = tell(rng, draw(rng, 4, 60))
    for life in log.lives:
        careful = people.Life(life.number)
        careful.partition.apply(log.logs[life.number])
        again = dict(careful.partition.accounts)
        mine = {key: one for key, one in known(log).items() if partition_of(key, log.count) == life.number}
        assert {key: (one.members, one.status, one.seq) for key, one in again.items()} == {
            key: (one.members, one.status, one.seq) for key, one in mine.items()
        }


@pytest.mark.parametrize("seed", range(300))
def test_when_time_takes_it_below_the_exit(seed: int) -> None:
    rng = random.Random(seed)
    way = Accounts(
        rng.choice(["sum", "maximum"]),
        half_life=rng.choice([None, 5_000, 3_600_000, 90 * DAY]),
        enter=rng.uniform(1, 100),
        exit=rng.choice([0.0, rng.uniform(0.001, 1)]),
    )
    account = new_account()
    for number in range(rng.randrange(1, 6)):
        note(account, b"lead-%d" % number, (1, rng.uniform(0, 50), BEGAN + rng.randrange(10**6)), 100)
    advance(way, account, BEGAN + 10**6 + rng.randrange(10**6))
    at = falls_below(way, account)
    if at == 0:
        later = account.clock + 200 * (way.half_life or DAY)
        assert not below(way, slowly(way, account, later))
    else:
        assert below(way, slowly(way, account, at))
        assert at == account.clock or not below(way, slowly(way, account, at - 1))


# -- told -----------------------------------------------------------------------------------------------

KEY = ACCOUNT + b"acme.example"


def stated(log: Log, lead: bytes, version: int, points: float | None, at: int) -> None:
    log.append(partition_of(KEY, log.count), KEY, encode_record(Member(lead, version, points, at)))
    log.settle()


def told(log: Log) -> list[tuple[str, str, float, int, str]]:
    events = [
        msgspec.json.decode(one.value)
        for life in log.lives
        for one in life.partition.outcomes
        if one.key == KEY[1:]
    ]
    return [
        (one["type"], one["id"], one["data"]["score"], one["data"]["people"], one["data"]["cause"])
        for one in events
    ]


def test_it_qualifies_is_dropped_by_time_and_qualifies_again(monkeypatch: pytest.MonkeyPatch) -> None:
    way = Accounts("sum", half_life=DAY, enter=50.0, exit=35.0)
    monkeypatch.setattr(people, "ENCODED", encode_model(msgspec.structs.replace(people.MODEL, accounts=way)))
    log = Log(random.Random(1), 2)
    log.tick(BEGAN)
    stated(log, b"anna", 1, 40.0, BEGAN)
    stated(log, b"ben", 1, 11.0, BEGAN)
    stated(log, b"ben", 1, 90.0, BEGAN)  # no newer version
    assert told(log) == [("account.qualified", "acme.example:1", 51.0, 2, "activity")]
    log.tick(BEGAN + DAY // 2)
    log.settle()
    assert len(told(log)) == 1  # 36.06 is not below 35
    log.tick(BEGAN + DAY)
    log.settle()
    assert told(log)[1] == ("account.disqualified", "acme.example:2", 35.0, 2, "time")
    stated(log, b"anna", 2, 40.0, BEGAN + DAY)
    assert len(told(log)) == 2  # 45.5 is not above 50
    stated(log, b"carl", 1, 6.0, BEGAN + DAY)
    assert told(log)[2] == ("account.qualified", "acme.example:3", 51.5, 3, "activity")
    stated(log, b"anna", 3, None, BEGAN + DAY)
    assert told(log)[3] == ("account.disqualified", "acme.example:4", 11.5, 2, "activity")
    stated(log, b"anna", 2, 40.0, BEGAN + DAY)  # comes late: she has left
    assert len(told(log)) == 4


def test_a_full_account_takes_nobody_until_somebody_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    way = Accounts("sum", half_life=None, enter=50.0, exit=35.0, people=2)
    monkeypatch.setattr(people, "ENCODED", encode_model(msgspec.structs.replace(people.MODEL, accounts=way)))
    log = Log(random.Random(1), 1)
    for name in (b"anna", b"ben", b"carl"):
        stated(log, name, 1, 20.0, BEGAN)
    account = log.lives[0].partition.account(KEY)
    assert account is not None
    assert sorted(account.members) == [b"anna", b"ben"]
    assert log.lives[0].partition.counters.members_refused == 1
    stated(log, b"anna", 2, None, BEGAN)
    stated(log, b"carl", 2, 31.0, BEGAN)
    assert told(log) == [("account.qualified", "acme.example:1", 51.0, 2, "activity")]


def rules_are(monkeypatch: pytest.MonkeyPatch, way: Accounts | None) -> None:
    monkeypatch.setattr(people, "ENCODED", encode_model(msgspec.structs.replace(people.MODEL, accounts=way)))


def change_rules(log: Log, version: int, model: Model, announce: int = ANNOUNCE_ALL) -> None:
    encoded = encode_model(model)
    for number in range(log.count):
        rules = Rules(version, fingerprint(encoded), encoded, announce)
        log.append(number, None, encode_record(rules))
    log.settle()


def sweep(log: Log) -> None:
    for life in log.lives:
        for key in sorted({*life.leads, *life.partition.leads, *life.accounts, *life.partition.accounts}):
            life.partition.touch(key)
        log.send(life)
    log.settle()


def test_who_is_identified_goes_on_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address becomes a user: nothing happens to the company of both."""
    rules_are(monkeypatch, Accounts("sum", half_life=None, enter=15.0, exit=10.0))
    monkeypatch.setattr(people, "company_of", lambda said, offset: "@acme.example")
    log = Log(random.Random(1))
    mail, user = people.lead_id("e", 1), people.lead_id("u", 2)
    log.take_in(people.Said(0, BEGAN, mail, (), "app.signed_up", {}), 1)
    log.settle()
    log.take_in(people.Said(0, BEGAN, user, (mail,), "profile.linked", {}), 2)
    log.settle()
    assert [one[:2] for one in told(log)] == [("account.qualified", "acme.example:1")]
    assert {lead: one[1] for lead, one in known(log)[KEY].members.items()} == {mail: None, user: 20.0}


def test_reports_do_not_put_off_what_time_has_done(monkeypatch: pytest.MonkeyPatch) -> None:
    hour = 3_600_000
    rules_are(monkeypatch, Accounts("sum", half_life=hour, enter=50.0, exit=40.0))
    log = Log(random.Random(1), 1)
    log.tick(BEGAN)
    stated(log, b"anna", 1, 60.0, BEGAN)
    for second in range(1, 3_600, 5):
        log.tick(BEGAN + second * 1_000)
        stated(log, b"ben", second, 1.0 + second / 1_000, BEGAN + second * 1_000)
    assert [one[0] for one in told(log)] == ["account.qualified", "account.disqualified"]


def test_new_points_are_judged_when_everybody_has_stated_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rules_are(monkeypatch, Accounts("sum", half_life=None, enter=100.0, exit=80.0))
    monkeypatch.setattr(people, "company_of", lambda said, offset: "@acme.example")
    log = Log(random.Random(1))
    log.tick(BEGAN)
    for number in range(4):  # 20 points each
        said = people.Said(0, BEGAN, people.lead_id("u", number), (), "app.signed_up", {})
        log.take_in(said, number + 1)
    log.settle()
    halved = tuple(
        msgspec.structs.replace(award, points=Fixed(10.0)) if award.id == "signed-up" else award
        for award in people.MODEL.awards
    )
    way = Accounts("sum", half_life=None, enter=50.0, exit=45.0)
    change_rules(log, 2, msgspec.structs.replace(people.MODEL, awards=halved, accounts=way))
    sweep(log)
    log.tick(BEGAN + 2 * SETTLING)
    log.settle()
    assert score(way, known(log)[KEY], BEGAN + 2 * SETTLING) == 40.0
    assert told(log) == []


def test_without_the_section_nobody_is_qualified(monkeypatch: pytest.MonkeyPatch) -> None:
    way = Accounts("sum", half_life=None, enter=50.0, exit=35.0)
    rules_are(monkeypatch, way)
    log = Log(random.Random(1), 1)
    log.tick(BEGAN)
    stated(log, b"anna", 1, 60.0, BEGAN)
    change_rules(log, 2, people.MODEL)
    sweep(log)
    change_rules(log, 3, msgspec.structs.replace(people.MODEL, accounts=way))
    sweep(log)
    log.tick(BEGAN + 2 * SETTLING)
    log.settle()
    assert [(one[0], one[4]) for one in told(log)] == [
        ("account.qualified", "activity"),
        ("account.disqualified", "rules"),
        ("account.qualified", "rules"),
    ]


@pytest.mark.parametrize(
    ("announce", "expected"),
    [
        (ANNOUNCE_ALL, [("disqualified", 2), ("qualified", 3), ("disqualified", 4)]),
        (ANNOUNCE_UPWARD, [("disqualified", 2)]),
        (ANNOUNCE_NONE, [("disqualified", 2)]),
    ],
)
def test_what_new_rules_alone_bring_about_is_told_by_the_policy(
    monkeypatch: pytest.MonkeyPatch, announce: int, expected: list[tuple[str, int]]
) -> None:
    """It falls by rules and rises again by somebody's doing: nobody who believes it qualified is told."""
    low, high = (Accounts("sum", half_life=None, enter=enter, exit=enter - 5) for enter in (50.0, 80.0))
    rules_are(monkeypatch, low)
    log = Log(random.Random(1), 1)
    log.tick(BEGAN)
    stated(log, b"anna", 1, 60.0, BEGAN)
    change_rules(log, 2, msgspec.structs.replace(people.MODEL, accounts=high), announce)
    sweep(log)
    at = BEGAN + 2 * SETTLING
    log.tick(at)
    log.settle()
    assert known(log)[KEY].status == OPEN
    stated(log, b"ben", 1, 30.0, at)
    assert known(log)[KEY].status == QUALIFIED
    stated(log, b"ben", 2, None, at)
    assert [(one[0].removeprefix("account."), int(one[1].rpartition(":")[2])) for one in told(log)] == [
        ("qualified", 1),
        *expected,
    ]


def test_an_account_that_rises_silently_is_told_upward_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    low, high = (Accounts("sum", half_life=None, enter=enter, exit=enter - 5) for enter in (50.0, 80.0))
    for announce, expected in ((ANNOUNCE_NONE, []), (ANNOUNCE_UPWARD, [("account.qualified", "rules")])):
        rules_are(monkeypatch, high)
        log = Log(random.Random(1), 1)
        log.tick(BEGAN)
        stated(log, b"anna", 1, 60.0, BEGAN)
        # The quietest of several changes counts, until all is settled.
        change_rules(log, 2, msgspec.structs.replace(people.MODEL, accounts=low), announce)
        change_rules(log, 3, msgspec.structs.replace(people.MODEL, accounts=low, name="Other"))
        sweep(log)
        log.tick(BEGAN + 2 * SETTLING)
        log.settle()
        assert known(log)[KEY].status == QUALIFIED
        assert [(one[0], one[4]) for one in told(log)] == expected
        stated(log, b"anna", 2, None, BEGAN + 2 * SETTLING)
        falls = [("account.disqualified", "activity")] if expected else []
        assert [(one[0], one[4]) for one in told(log)] == [*expected, *falls]


def test_the_policy_of_rules_that_know_no_accounts_is_none_of_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    way = Accounts("sum", half_life=None, enter=50.0, exit=35.0)
    rules_are(monkeypatch, None)
    log = Log(random.Random(1), 1)
    log.tick(BEGAN)
    stated(log, b"anna", 1, 60.0, BEGAN)
    change_rules(log, 2, msgspec.structs.replace(people.MODEL, name="Other"), ANNOUNCE_NONE)
    sweep(log)
    change_rules(log, 3, msgspec.structs.replace(people.MODEL, accounts=way))
    sweep(log)
    log.tick(BEGAN + 2 * SETTLING)
    log.settle()
    assert [(one[0], one[4]) for one in told(log)] == [("account.qualified", "rules")]


def test_who_has_left_is_not_brought_back_by_what_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rules_are(monkeypatch, Accounts("sum", half_life=None, enter=50.0, exit=35.0))
    log = Log(random.Random(1), 1)
    stated(log, b"anna", 1, 60.0, BEGAN)
    stated(log, b"anna", 2, None, BEGAN)
    for number in range(1_000):
        stated(log, b"lead-%d" % number, 1, None, BEGAN)
    stated(log, b"anna", 1, 60.0, BEGAN)
    assert len(told(log)) == 2


def test_a_fact_with_an_account_s_key_is_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    rules_are(monkeypatch, WAYS[0])
    log = Log(random.Random(1), 1)
    stated(log, b"anna", 1, 60.0, BEGAN)
    partition = log.lives[0].partition
    monkeypatch.setattr(partition, "_load", lambda key: pytest.fail(f"{key} is no lead's"))
    for key in (KEY, b"\0cut"):
        fact = Fact("page.viewed", BEGAN, BEGAN, DOOR, len(log.logs[0]), b"12345678", "1", "/", {})
        log.append(0, key, encode_record(fact))
    log.settle()
    assert len(partition.dead) == 2


def test_who_is_erased_counts_no_more(accounts: Accounts) -> None:
    rng = random.Random(5)
    log = tell(rng, draw(rng, 3, 60), crashes=False)
    for key, lead in list(leads(log)):
        if lead.since:
            erase = Erase(BEGAN + LASTS + DAY, blocked=False, request="r", member=b"", door=0, offset=-1)
            log.append(partition_of(key, log.count), key, encode_record(erase))
    log.settle()
    assert all(points is None for account in known(log).values() for _, points, _ in account.members.values())


@pytest.mark.parametrize(
    ("key", "record"),
    [
        (b"acme", Member(b"anna", 1, 1.0, BEGAN)),
        (ACCOUNT, Member(b"anna", 1, 1.0, BEGAN)),
        (ACCOUNT + b"\xff", Member(b"anna", 1, 1.0, BEGAN)),
        (KEY, Member(b"\0", 1, 1.0, BEGAN)),
        (KEY, Member(b"anna", 1, float("nan"), BEGAN)),
        (None, Member(b"anna", 1, 1.0, BEGAN)),
    ],
)
def test_what_is_no_statement_is_a_dead_letter(key: bytes | None, record: Member) -> None:
    log = Log(random.Random(1), 1)
    log.append(0, key, encode_record(record))
    log.settle()
    assert [letter.offset for letter in log.lives[0].partition.dead] == [2]
    assert not log.lives[0].partition.accounts


@pytest.mark.parametrize("seed", range(20))
def test_with_new_rules_everybody_states_what_it_counts(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "company_of", lambda said, offset: COMPANIES[said.person % 5])
    rng = random.Random(seed)
    log = tell(rng, draw(rng, 5, 60))
    assert not known(log)
    for version, way in ((2, WAYS[0]), (3, WAYS[1])):
        change_rules(log, version, msgspec.structs.replace(people.MODEL, accounts=way))
        sweep(log)
        log.tick(BEGAN + LASTS + DAY + version * 2 * SETTLING)
        log.settle()
        for key, lead in leads(log):
            account = account_of(lead) if lead.since else ""
            if account:
                assert lead.reported is not None
                held = known(log)[ACCOUNT + account.encode()]
                assert held.members[key] == (lead.reported[0], *lead.reported[2:])
        for held in known(log).values():
            value = score(way, held, held.clock)
            assert held.milestone == version
            assert held.status == QUALIFIED or not above(way, value)
