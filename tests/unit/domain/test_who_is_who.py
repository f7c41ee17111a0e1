"""Which leads become one: first come, within limits, whatever the order."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from scorer.domain.lead import Lead
from scorer.domain.links import kind_of, yields_to
from scorer.domain.reading import parts
from scorer.domain.record import Answer, Ask, Bind, Linking, encode_record
from tests.property.people import BEGAN, DAY, LASTS, Log, Said, lead_id, truth

A, B, C = (lead_id("a", number) for number in range(3))
MAIL, MAIL_2 = lead_id("e", 1), lead_id("e", 2)
USER, USER_2 = lead_id("u", 1), lead_id("u", 2)
CRM = b"crm-7"


def linked(*named: bytes, time: int = BEGAN) -> Said:
    return Said(0, time, named[0], named[1:], "profile.linked", {})


def viewed(lead: bytes, time: int = BEGAN) -> Said:
    return Said(0, time, lead, (), "page.viewed", {"path": "/pricing"})


def after(*said: Said, partitions: int = 3) -> Log:
    """Each read to its end before the next comes."""
    log = Log(random.Random(1), partitions)
    for offset, one in enumerate(said, 1):
        log.take_in(one, offset)
        log.settle()
    return log


def total(log: Log, name: str) -> int:
    return sum(getattr(life.partition.counters, name) for life in log.lives)


def standing(log: Log, key: bytes) -> Lead:
    lead = log.lead(key)[1]
    assert lead is not None
    return lead


def test_the_better_known_stays() -> None:
    order = [A, B, MAIL, MAIL_2, USER, USER_2, CRM]
    for place, one in enumerate(order):
        assert [yields_to(one, other) for other in order] == [n > place for n in range(len(order))]
    assert [kind_of(one) for one in order] == [0, 0, 1, 1, 2, 2, 3]
    assert kind_of(b"u_short") == kind_of(b"x" * 28) == 3  # a publisher's own


def test_one_person_in_every_order_of_arrival() -> None:
    day = [BEGAN + n * DAY for n in range(8)]
    story = (
        Said(0, day[0], MAIL, (), "email.opened", {}),
        Said(0, day[1], A, (), "page.viewed", {"path": "/pricing"}),
        Said(0, day[2], USER, (), "app.started", {}),
        Said(0, day[3], USER, (A,), "profile.linked", {}),
        Said(0, day[4], MAIL, (), "booking.created", {"id": 1}),
        Said(0, day[5], USER, (MAIL,), "profile.updated", {"role": "boss"}),
    )
    right = truth(story)
    end = BEGAN + LASTS + DAY
    wanted = standing(right, b"person-0")
    for order in permutations(story):
        log = after(*order)
        log.tick(end)
        log.settle()
        assert {log.lead(one)[0] for one in (A, MAIL, USER)} == {USER}
        rules = right.lives[0].partition.rules
        assert parts(rules, standing(log, USER), end) == pytest.approx(parts(rules, wanted, end), abs=1e-9)


def test_an_address_that_is_sent_for_everybody_glues_nobody_together() -> None:
    users = [lead_id("u", number) for number in range(200)]
    log = after(*(linked(user, MAIL) for user in users), *(viewed(user) for user in users))
    assert {log.lead(user)[0] for user in users} == set(users)
    assert log.lead(MAIL)[0] == users[0], "the first wins"
    assert total(log, "refused") == 199
    assert total(log, "merged") == 1


def test_more_visitors_than_one_person_can_be_are_refused() -> None:
    visitors = [lead_id("a", number) for number in range(130)]
    log = after(*(linked(USER, visitor) for visitor in visitors))
    links = standing(log, USER).links
    assert links is not None
    assert set(links.members) == set(visitors[:100])
    assert total(log, "refused") == 30
    again = after(*(linked(USER, visitor) for visitor in visitors), *(linked(USER, one) for one in visitors))
    assert total(again, "refused") == 60
    refused = log.lead(visitors[110])[1]
    assert refused is not None
    assert refused.links is not None
    assert list(refused.links.refused) == [USER]


@pytest.mark.parametrize("partitions", [1, 3])
def test_chains_and_circles_end_in_one_lead(partitions: int) -> None:
    log = after(
        *(viewed(one) for one in (A, B, MAIL, MAIL_2, USER)),
        linked(A, B),
        linked(MAIL, A),
        linked(MAIL_2, B),
        linked(USER, MAIL_2),
        linked(A, MAIL),
        linked(B, USER),
        viewed(A),
        partitions=partitions,
    )
    everybody = (A, B, MAIL, MAIL_2, USER)
    assert {log.lead(one)[0] for one in everybody} == {USER}
    links = standing(log, USER).links
    assert links is not None
    assert sorted(links.members) == sorted(set(everybody) - {USER})
    times = next(iter(standing(log, USER).newest.values()))
    assert len(times) == 3, "of six views the watch keeps three"


def test_circles_that_close_before_anybody_has_an_answer() -> None:
    for seed in range(200):
        log = Log(random.Random(seed))
        story = [
            linked(A, B),
            linked(B, C),
            linked(C, A),
            linked(C, MAIL),
            linked(MAIL, USER),
            linked(USER, A),
        ]
        for offset, one in enumerate(story, 1):
            log.take_in(one, offset)
        log.settle()
        assert {log.lead(one)[0] for one in (A, B, C, MAIL, USER)} == {USER}


def test_two_who_are_somebody_already_stay_two() -> None:
    log = after(
        linked(USER, MAIL), linked(USER_2, MAIL_2), linked(MAIL, MAIL_2), linked(A, MAIL), linked(A, MAIL_2)
    )
    assert log.lead(MAIL)[0] == log.lead(A)[0] == USER
    assert log.lead(MAIL_2)[0] == USER_2
    assert total(log, "refused") == 2


def test_a_crm_s_own_id_stays() -> None:
    log = after(viewed(USER), linked(CRM, USER, MAIL), viewed(MAIL))
    assert {log.lead(one)[0] for one in (USER, MAIL, CRM)} == {CRM}
    assert log.lead(b"crm-8")[1] is None


@pytest.mark.parametrize(
    ("key", "record"),
    [
        (A, Bind(b"\xff", 0, -1)),
        (A, Bind(b"\0cut", 0, -1)),
        (A, Ask(USER, [USER, b"\xff"], 0, -1)),
        (A, Answer(b"", accepted=True, door=0, offset=-1)),
        (b"\xff", Bind(USER, 0, -1)),
        (None, Bind(USER, 0, -1)),
    ],
)
def test_what_links_no_leads_is_a_dead_letter(key: bytes | None, record: Linking) -> None:
    log = Log(random.Random(1), 1)
    log.append(0, key, encode_record(record))
    log.settle()
    partition = log.lives[0].partition
    assert [letter.offset for letter in partition.dead] == [2]
    assert not partition.leads
