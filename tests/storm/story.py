"""What the storm's publisher sends: a record's Kafka key says what must become of it."""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from scorer.wire.dead_letters import Reason
from tests.bench.workload import APP, BOOKING, EMAIL, PAGE, PROFILE, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AGAIN, BAD = b"again/", b"bad/"
"""Prefixes of the keys of records that were sent before, and of bad ones (followed by the reason)."""
IN_ORDER = "page.viewed"
"""Its first occurrence earns other points than the later ones. Sent again, such a record goes where it went
before (same key): through another partition it might overtake the one that was first."""
REPEATED, LATE, BROKEN, LINKING = 0.01, 0.05, 0.005, 0.03
"""Shares of the records."""
SECRET = "storm"
LATE_MS = 60_000
SKEW = 1.5
"""Leads are drawn by a power of a uniform number: of 50,000 the busiest makes 0.07% of the events."""
REMEMBERED = 5_000
"""Of so many of the newest records one may be sent again."""

KINDS: tuple[tuple[int, str, str, dict[str, Any]], ...] = (
    (30, EMAIL, "email.opened", {"kind": "nurture"}),
    (10, EMAIL, "email.clicked", {"kind": "sales", "link": "https://example.com/pricing"}),
    (1, EMAIL, "email.unsubscribed", {}),
    (35, PAGE, "page.viewed", {"path": "/pricing", "seconds": 12}),
    (3, PAGE, "page.downloaded", {"kind": "ebook", "path": "/ebooks/1"}),
    (2, PAGE, "page.downloaded", {"kind": "report", "path": "/ebooks/2"}),
    (12, APP, "app.task_created", {"project": "p-1"}),
    (2, BOOKING, "booking.created", {"kind": "call", "provider": "calendly"}),
)
DOORS = (EMAIL, PAGE, APP, BOOKING, PROFILE)
LINKED = "profile.linked"

COMPANIES = 300

Identifier = tuple[str, str]
"""A field of ``data``, or ``subject``, and its value."""


class Sent(NamedTuple):
    door: str
    key: bytes
    value: bytes | None


def identifiers(number: int, most: int) -> list[Identifier]:
    """Of one person: one to so many."""
    rng = random.Random(number)
    count = rng.randrange(1, most + 1)
    if count == 1:
        return [("subject", f"storm-{number:05d}")]
    own = [("anonymous_id", f"visit-{number}-{visit}") for visit in range(3)]
    company = number % COMPANIES
    own += [("email", f"{number}@company-{company}.example"), ("email", f"{number}@gmail.com")]
    own.append(("user_id", f"user-{number}"))
    return rng.sample(own, count)


def story(seed: int, people: int, now: Callable[[], int], most: int = 1) -> Iterator[Sent]:
    """Without end. The first records are about one person each. ``now``: ms, asked for each record.

    ``most``: identifiers of a person; which of them are one's is told now and then, two at a time.
    """
    rng = random.Random(seed)
    weights = [weight for weight, *_ in KINDS]
    order = list(range(people))
    rng.shuffle(order)
    recent: deque[tuple[str, Sent]] = deque(maxlen=REMEMBERED)
    number = 0
    while True:
        chance = rng.random() if number >= people else 1.0
        if chance < REPEATED and recent:
            kind, before = rng.choice(recent)
            yield before if kind == IN_ORDER else before._replace(key=AGAIN + before.key)
        elif chance < REPEATED + BROKEN:
            yield _bad(rng, number, now())
        else:
            person = order[number if number < people else int(rng.random() ** SKEW * people)]
            _, door, kind, data = rng.choices(KINDS, weights)[0]
            own = identifiers(person, most)
            named = [rng.choice(own)]
            if len(own) > 1 and rng.random() < LINKING * most:
                door, kind, data = PROFILE, LINKED, {}
                others = [one for one in own if one[0] != named[0][0]]  # a field holds one of them
                named += rng.sample(others, min(len(others), 1))
            late = rng.randrange(LATE_MS) if rng.random() < LATE else rng.randrange(500)
            event = _event(f"{seed}-{number}", named, kind, now() - late, data)
            sent = Sent(door, f"storm-{person:05d}".encode(), msgspec.json.encode(event))
            recent.append((kind, sent))
            yield sent
        number += 1


def _event(id_: str, named: list[Identifier], kind: str, time: int, data: dict[str, Any]) -> dict[str, Any]:
    given = dict(named)
    subject = {"subject": given.pop("subject")} if "subject" in given else {}
    return {
        "specversion": "1.0",
        "id": id_,
        "source": "/storm",
        "type": kind,
        "time": rfc3339(time),
        "data": data | given,
    } | subject


def _bad(rng: random.Random, number: int, now: int) -> Sent:
    event = _event(f"bad-{number}", identifiers(rng.randrange(100), 1), "email.opened", now, {})
    match rng.randrange(6):
        case 0:
            return _letter(Reason.NOT_JSON, b"{%d" % number)
        case 1:
            return _letter(Reason.NOT_CLOUDEVENT, msgspec.json.encode(event | {"specversion": "0.3"}))
        case 2:
            return _letter(Reason.UNKNOWN_TYPE, msgspec.json.encode(event | {"type": "page.viewed"}))
        case 3:
            return _letter(Reason.FUTURE, msgspec.json.encode(event | {"time": rfc3339(now + 3_600_000)}))
        case 4:
            return _letter(Reason.TOO_OLD, msgspec.json.encode(event | {"time": "2001-01-01T00:00:00Z"}))
        case _:
            return _letter(Reason.NULL_VALUE, None)


def _letter(reason: Reason, value: bytes | None) -> Sent:
    return Sent(EMAIL, BAD + reason.value.encode(), value)
