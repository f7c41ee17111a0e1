"""Which leads become one: first come, within limits, whatever the order."""

from __future__ import annotations

import random
from itertools import permutations

import msgspec
import pytest

from scorer.domain.lead import QUALIFIED, Lead
from scorer.domain.links import Links, Send, hear, kind_of, yields_to
from scorer.domain.model import (
    Absent,
    Award,
    Compare,
    Disqualification,
    Fixed,
    Matcher,
    Model,
    Score,
    Threshold,
    encode_model,
)
from scorer.domain.reading import parts
from scorer.domain.record import Answer, Ask, Bind, Linking, encode_record
from tests.property import people
from tests.property.people import BEGAN, DAY, DOOR, LASTS, Log, Said, lead_id, truth

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
        (A, Bind(b"\xff", 5, 0, -1)),
        (A, Bind(b"\0cut", 5, 0, -1)),
        (A, Ask(USER, [USER, b"\xff"], A, 0, -1)),
        (A, Answer(b"", accepted=True, asked=A, door=0, offset=-1)),
        (b"\xff", Bind(USER, 5, 0, -1)),
        (None, Bind(USER, 5, 0, -1)),
    ],
)
def test_what_links_no_leads_is_a_dead_letter(key: bytes | None, record: Linking) -> None:
    log = Log(random.Random(1), 1)
    log.append(0, key, encode_record(record))
    log.settle()
    partition = log.lives[0].partition
    assert [letter.offset for letter in partition.dead] == [2]
    assert not partition.leads


@pytest.mark.parametrize(
    ("value", "forwarded"),
    [
        (b"\x9b\x00\xa1", 0),
        (b"\x92\x00\x01", 0),
        (msgspec.msgpack.encode([0, "page.viewed", 5, 5, "door", 7]), 0),
        (msgspec.msgpack.encode([0, "page.viewed", 5, 5, DOOR, 77]), 1),
        (msgspec.msgpack.encode([0, "page.viewed", 5, 5, DOOR, 77, 8, "", "/", {}]), 1),
    ],
)
def test_what_is_no_fact_about_a_lead_that_has_moved_is_one_dead_letter(value: bytes, forwarded: int) -> None:
    """Whatever is forwarded is looked at where it arrives; wherever that is, the partition goes on."""
    log = after(linked(A, USER), viewed(A), partitions=1)
    assert total(log, "forwarded") == 1
    for _ in range(2):  # a publisher's second copy is dropped where the first has gone
        log.append(0, A, value)
    log.settle()
    partition = log.lives[0].partition
    assert [letter.reason for letter in partition.dead] == ["undecodable"] * (2 - forwarded)
    assert total(log, "forwarded") == 1 + forwarded
    log.take_in(viewed(A), 100)
    log.settle()
    assert total(log, "forwarded") == 2 + forwarded


def test_a_limit_that_was_lowered_shuts_out_no_other_kind() -> None:
    links = Links(members=[lead_id("a", number) for number in range(60)])
    out: list[Send] = []
    assert hear(USER, links, Bind(MAIL, 5, 0, 0), (50, 5, 1, 1), 1, out) == 0
    assert out == [(MAIL, Bind(USER, 5, 0, 0))]
    assert hear(USER, links, Bind(lead_id("a", 99), 5, 0, 0), (50, 5, 1, 1), 1, out) == 1


# -- where the two stood ------------------------------------------------------------------------------

STANDING = Model(
    name="standing",
    scores=(Score("fit"),),
    threshold=Threshold(5.0, 1.0),
    awards=(Award("used", "fit", Matcher(("app.started",)), Fixed(10.0)),),
    disqualifications=(
        Disqualification("silent", Absent(Matcher(("app.started",)), 6 * DAY), "silent"),
        Disqualification("student", Compare("role", "equals", ("student",)), "student"),
    ),
)


def told(log: Log, key: bytes) -> list[tuple[str, str]]:
    """(what, cause) of a lead's outcomes."""
    said = [one for life in log.lives for one in life.partition.outcomes if one.key == key]
    events = [msgspec.json.decode(one.value) for one in said]
    assert [event["data"]["sequence"] for event in events] == list(range(1, len(events) + 1))
    return [(event["type"], event["data"]["cause"]) for event in events]


def lived(monkeypatch: pytest.MonkeyPatch, *said: Said | int) -> Log:
    """Records, and times to which the clock goes on."""
    monkeypatch.setattr(people, "ENCODED", encode_model(STANDING))
    log = Log(random.Random(1))
    for offset, one in enumerate(said, 1):
        if isinstance(one, int):
            log.tick(one)
        else:
            log.take_in(one, offset)
        log.settle()
    return log


def test_who_is_qualified_is_not_announced_again_for_a_silent_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = lived(
        monkeypatch,
        Said(0, BEGAN, MAIL, (), "email.opened", {}),
        BEGAN + 7 * DAY,
        Said(0, BEGAN + 7 * DAY, USER, (), "app.started", {}),
        linked(USER, MAIL, time=BEGAN + 7 * DAY),
        BEGAN + 8 * DAY,
    )
    assert told(log, MAIL) == [("lead.disqualified", "time"), ("lead.merged", "merge")]
    assert told(log, USER) == [("lead.qualified", "activity")]


def test_what_rules_the_two_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    log = lived(
        monkeypatch,
        BEGAN,
        Said(0, BEGAN, USER, (), "app.started", {}),
        Said(0, BEGAN, MAIL, (), "profile.updated", {"role": "student"}),
        linked(USER, MAIL),
    )
    assert told(log, USER) == [("lead.qualified", "activity"), ("lead.disqualified", "merge")]


def test_two_halves_of_a_qualified_lead_qualify_when_they_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    log = lived(
        monkeypatch,
        BEGAN,
        Said(0, BEGAN, A, (), "app.started", {}),
        linked(USER, A),
        Said(0, BEGAN, A, (), "app.started", {}),
    )
    assert told(log, A) == [("lead.qualified", "activity"), ("lead.merged", "merge")]
    assert told(log, USER) == [], "it has been announced, under the other name"
    assert standing(log, USER).status == QUALIFIED
