"""What publishers send in one seed: when, to which door, and what must become of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from scorer.domain.model import (
    Absent,
    Accounts,
    Award,
    Band,
    Disqualification,
    FirstLater,
    Fixed,
    HalfLife,
    Matcher,
    Model,
    OncePerObject,
    Recent,
    Score,
    Threshold,
)
from scorer.domain.outcomes import instant
from scorer.wire.cloudevents import Event
from scorer.wire.dead_letters import Reason
from scorer.wire.identity import Identity

BEGAN = 1_800_000_000_000
"""The brokers' time (ms) when the simulation begins."""
EMAIL, PAGE, PROFILE = "activity.email.v1", "activity.page.v1", "lead.profile.v1"
DOOR_TOPICS = (EMAIL, PAGE, PROFILE)
RECORDS, LEADS = 300, 10
"""At least."""
SECRET = "secret"
BEST = ("subject", "user_id", "email", "anonymous_id")
"""By which of several identifiers a record's lead is found."""
NOBODY = (("subject", "lead-0"),)

ANYTHING = Matcher(("email.opened", "email.clicked", "page.viewed", "page.downloaded"))

MODEL = Model(
    name="simulated",
    scores=(Score("fit"), Score("engagement", weight=1.5)),
    threshold=Threshold(9.0, 6.0),
    awards=(
        Award("opened", "engagement", Matcher(("email.opened",)), Fixed(1.25), decay=HalfLife(9_000)),
        Award("clicked", "engagement", Matcher(("email.clicked",)), Fixed(2.5), decay=HalfLife(14_000)),
        Award(
            "viewed", "engagement", Matcher(("page.viewed",)), FirstLater(3.0, 0.75), decay=HalfLife(6_000)
        ),
        Award("read", "fit", Matcher(("page.downloaded",)), Fixed(0.5), limit=OncePerObject("kind")),
        Award("left", "fit", Matcher(("email.unsubscribed",)), Fixed(-6.0), decay=HalfLife(8_000)),
    ),
    disqualifications=(Disqualification("silent", Absent(ANYTHING, 11_000), "nothing heard"),),
    bands=(Band("hot", Recent(Matcher(("page.viewed",)), 10_000, 2)),),
    accounts=Accounts("sum", half_life=9_000, enter=16.0, exit=11.0),
)
"""Short half-lives and windows, so that time alone decides something in every gap between two bursts."""

REPRICED = msgspec.structs.replace(
    MODEL, threshold=Threshold(11.0, 5.0), accounts=Accounts("best", 2, half_life=7_000, enter=12.0, exit=9.0)
)

KINDS: dict[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    EMAIL: (
        ("email.opened", {}),
        ("email.opened", {}),
        ("email.clicked", {"kind": "nurture"}),
        ("email.clicked", {}),
        ("email.unsubscribed", {}),
    ),
    PAGE: (
        ("page.viewed", {"path": "/pricing"}),
        ("page.viewed", {}),
        ("page.downloaded", {"kind": "ebook"}),
        ("page.downloaded", {"kind": "report"}),
    ),
    PROFILE: (("profile.linked", {}),),
}
ORDER_MATTERS = "viewed"
"""The award whose first grant is another than its later ones: found out late who is who, it is another."""
IDENTITY = Identity(SECRET)


class Somebody(NamedTuple):
    """Identifiers of one person: fields of ``data``, or ``subject``."""

    identifiers: tuple[tuple[str, str], ...]

    @property
    def leads(self) -> list[str]:
        """The ids of the leads that these are, as long as nobody knows better."""
        return [lead_of(*one) for one in self.identifiers]


class Fact(NamedTuple):
    """An event as its publisher knows it."""

    lead: str
    type: str
    time: int
    properties: dict[str, Any]


class Sent(NamedTuple):
    """A record on its way to a door."""

    at: float
    """s since the simulation began."""
    door: str
    value: bytes | None
    fact: Fact | None
    """What it is to count as; None: nothing, since it was sent before or is bad."""
    reason: Reason | None
    """Why it is to be a dead letter."""


class Story(NamedTuple):
    sent: list[Sent]
    """In the order of time."""
    ends: float
    people: list[Somebody]


def tell(rng: random.Random) -> Story:
    """Bursts of records with gaps in between."""
    people = [_somebody(rng, n) for n in range(rng.randrange(LEADS, LEADS + 4))]
    count = rng.randrange(RECORDS, RECORDS + 30)
    gaps = {rng.randrange(20, count - 20) for _ in range(rng.randrange(2, 5))}
    speed = rng.uniform(0.07, 0.15)
    at = rng.uniform(0.0, 3.0)
    sent: list[Sent] = []
    for number in range(count):
        at += rng.uniform(8.0, 17.0) if number in gaps else rng.expovariate(1) * speed
        sent.append(_record(rng, number, at, people, sent))
    return Story(sent, at, people)


def _somebody(rng: random.Random, number: int) -> Somebody:
    """Most have one name that publishers agree on; some have several, and others find out which."""
    if rng.random() < 0.6:
        return Somebody((("subject", f"lead-{number}"),))
    names = [
        ("anonymous_id", f"v-{number}"),
        ("anonymous_id", f"w-{number}"),
        ("email", f"p{number}@x{number % 3}.org"),
    ]
    names += [("user_id", f"u-{number}"), ("subject", f"lead-{number}")]
    return Somebody(tuple(rng.sample(names, rng.randrange(2, 5))))


def lead_of(field: str, value: str) -> str:
    """The id of the lead that an identifier is."""
    if field == "subject":
        return value
    event = Event("1.0", "e", "/", "t", {field: value})
    return IDENTITY.lead_id(event).decode()


def _record(rng: random.Random, number: int, at: float, people: list[Somebody], sent: list[Sent]) -> Sent:
    door = rng.choice((EMAIL, PAGE, EMAIL, PAGE, EMAIL, PAGE, EMAIL, PAGE, PROFILE))
    # The first records are about one lead each, so that all of them occur.
    first = number < len(people)
    chance = 1.0 if first else rng.random()
    if chance < 0.05:
        return rng.choice(sent)._replace(at=at, fact=None)
    if chance < 0.09:
        return Sent(at, door, *_bad(rng, number, at, door))
    now = BEGAN + int(at * 1000)
    time = now - int(rng.uniform(0.0, 20_000.0) if chance < 0.16 else rng.uniform(0.0, 300.0))
    kind, properties = rng.choice(KINDS[door])
    who = people[number if first else min(int(rng.expovariate(3) * len(people)), len(people) - 1)]
    names = who.identifiers
    named = [rng.choice(names)]
    if door == PROFILE:
        named += [one for one in names if one[0] != named[0][0]][:1]  # a field holds one of them
    event = _event(number, named, kind, time, properties)
    best = min(named, key=lambda one: BEST.index(one[0]))
    return Sent(at, door, event, Fact(lead_of(*best), kind, time, properties), None)


def _event(
    number: int, named: Sequence[tuple[str, str]], kind: str, time: int, properties: dict[str, Any]
) -> bytes:
    given = dict(named)
    subject = {"subject": given.pop("subject")} if "subject" in given else {}
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": f"e{number}",
            "source": "/simulated",
            "type": kind,
            **subject,
            "time": instant(time),
            "data": properties | given,
        }
    )


def _bad(rng: random.Random, number: int, at: float, door: str) -> tuple[bytes | None, None, Reason]:
    now = BEGAN + int(at * 1000)
    kind = KINDS[door][0][0]
    match rng.randrange(6):
        case 0:
            return None, None, Reason.NULL_VALUE
        case 1:
            return b"{" + str(number).encode(), None, Reason.NOT_JSON
        case 2:
            return _event(number, NOBODY, "no.such", now, {}), None, Reason.UNKNOWN_TYPE
        case 3:
            return _event(number, NOBODY, kind, now - 401 * 86_400_000, {}), None, Reason.TOO_OLD
        case _:
            ahead = rng.randrange(700_000, 4_000_000)  # too far even when it is sent again
            return _event(number, NOBODY, kind, now + ahead, {}), None, Reason.FUTURE
