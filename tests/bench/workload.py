"""The frozen workload of every benchmark: the same events for the same seed, today and next year.

50,000 leads make 12,000 events a simulated day, seven a lead and month. Each day's come in a burst, a
hundred a second and log partition, with a clock record each second; then the clock jumps to the next day,
and timers that fell due fire. Leads are drawn by Zipf's law (exponent 0.9); 5% of the events are late,
0.6% are repeated by their publisher.

Change nothing here: figures are only worth something beside older ones.
"""

from __future__ import annotations

import random
from bisect import bisect
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from scorer.domain import clock
from scorer.domain.record import Clock, Door, Doors, Fact, Rules, encode_record
from scorer.wire.partitioner import partition_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
DAILY = 12_000
"""Events per simulated day."""
RATE = 100
"""Events per simulated second and log partition."""
LEADS = 50_000
EXPONENT = 0.9
LATE, REPEATED = 0.05, 0.006
END = 1_790_000_000_000
"""The last event's time where nobody asks for another, ms."""
DOOR_PARTITIONS = 4

EMAIL, PAGE, APP = "activity.email.v1", "activity.page.v1", "activity.app.v1"
BOOKING, SOCIAL = "activity.booking.v1", "activity.social.v1"
PROFILE, FEEDBACK = "lead.profile.v1", "lead.feedback.v1"
DOORS = (EMAIL, PAGE, APP, BOOKING, SOCIAL, PROFILE, FEEDBACK)

PAGES = (
    *("/", "/pricing", "/product", "/docs/start", "/docs/api", "/customers", "/about", "/careers"),
    *(f"/blog/post-{number}" for number in range(40)),
    *(f"/product/feature-{number}" for number in range(20)),
    *(f"/docs/guide-{number}" for number in range(30)),
)
KINDS = ("newsletter", "newsletter", "nurture", "nurture", "onboarding", "sales")
JOBS = ("CEO", "CMO", "engineer", "designer", "sales manager", "student", "unemployed", "analyst", "teacher")
COUNTRIES = ("US", "UK", "DE", "FR", "IN", "BR", "PL", "ES")
CITIES = ("New York", "London", "Berlin", "Paris", "Pune", "Recife", "Krakow", "Madrid")
DEPARTMENTS = ("marketing", "sales", "engineering", "finance", "legal", "HR")


class Event(NamedTuple):
    """One event as a publisher means it."""

    at: int
    """When its publisher sends it, ms; rising. ``time`` is earlier where it is late."""
    time: int
    topic: str
    type: str
    lead: str
    id: str
    source: str
    data: dict[str, Any]


class Entry(NamedTuple):
    """A record of one partition of the lead log, as Kafka has it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def _email(rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(KINDS)
    number = rng.randrange(60)
    return {
        "kind": kind,
        "campaign": f"{kind}-{number % 12}",
        "template": f"template-{number % 7}",
        "email_id": f"{kind}-{number}",
    }


def _click(rng: random.Random) -> dict[str, Any]:
    return _email(rng) | {"link": f"https://example.com{rng.choice(PAGES)}"}


def _page(rng: random.Random) -> dict[str, Any]:
    path = PAGES[min(int(rng.expovariate(0.05)), len(PAGES) - 1)]
    data: dict[str, Any] = {"path": path, "title": f"Example - {path}", "seconds": rng.randrange(1, 300)}
    if rng.random() < 0.25:
        data["utm"] = {
            "source": rng.choice(("mail", "ads", "social")),
            "campaign": f"autumn-{rng.randrange(9)}",
        }
    return data


def _download(rng: random.Random) -> dict[str, Any]:
    return {"path": f"/ebooks/{rng.randrange(12)}", "kind": rng.choice(("ebook", "ebook", "whitepaper"))}


def _form(rng: random.Random) -> dict[str, Any]:
    form = rng.choice(("survey", "newsletter", "contact"))
    return {"path": "/forms/" + form, "form": form}


def _app(rng: random.Random) -> dict[str, Any]:
    return {"project": f"p-{rng.randrange(500)}", "plan": rng.choice(("trial", "trial", "team"))}


def _booking(rng: random.Random) -> dict[str, Any]:
    return {"kind": rng.choice(("call", "call", "demo")), "provider": "calendly"}


def _rescheduled(rng: random.Random) -> dict[str, Any]:
    return _booking(rng) | {"rescheduled": True}


def _social(rng: random.Random) -> dict[str, Any]:
    return {"network": rng.choice(("linkedin", "facebook")), "post": f"post-{rng.randrange(80)}"}


def _profile(rng: random.Random) -> dict[str, Any]:
    city = rng.randrange(len(CITIES))
    attributes: dict[str, Any] = {
        "country": COUNTRIES[city],
        "city": CITIES[city],
        "age": rng.randrange(18, 70),
        "job": rng.choice(JOBS),
        "role": rng.choice(JOBS),
        "department": rng.choice(DEPARTMENTS),
        "employees": rng.choice((1, 3, 8, 25, 120, 2_000)),
        "decision_maker": rng.random() < 0.3,
    }
    named = rng.sample(sorted(attributes), rng.randrange(2, 7))
    return {name: attributes[name] for name in named}


def _reason(rng: random.Random) -> dict[str, Any]:
    return {"reason": rng.choice(("budget", "timing", "fit"))}


def _nothing(_: random.Random) -> dict[str, Any]:
    return {}


MIX: tuple[tuple[float, str, str, Any], ...] = (
    (27.0, EMAIL, "email.opened", _email),
    (8.0, EMAIL, "email.clicked", _click),
    (6.0, EMAIL, "email.delivered", _email),
    (0.5, EMAIL, "email.replied", _email),
    (0.4, EMAIL, "email.bounced", _email),
    (0.3, EMAIL, "email.unsubscribed", _email),
    (30.0, PAGE, "page.viewed", _page),
    (2.0, PAGE, "page.downloaded", _download),
    (1.5, PAGE, "page.form_submitted", _form),
    (0.8, APP, "app.trial_started", _app),
    (1.5, APP, "app.flow_started", _app),
    (6.0, APP, "app.task_created", _app),
    (1.5, APP, "app.project_created", _app),
    (3.0, APP, "app.report.exported", _app),
    (0.6, BOOKING, "booking.created", _booking),
    (0.2, BOOKING, "booking.canceled", _booking),
    (0.1, BOOKING, "booking.rescheduled", _rescheduled),
    (2.0, SOCIAL, "social.clicked", _social),
    (8.0, PROFILE, "profile.updated", _profile),
    (0.2, FEEDBACK, "feedback.accepted", _nothing),
    (0.2, FEEDBACK, "feedback.rejected", _reason),
)


def events(
    count: int, *, leads: int = LEADS, partitions: int = 1, end: int = END, seed: int = 1, daily: int = DAILY
) -> Iterator[Event]:
    """``count`` events; ``partitions`` is the log's, which sets how dense the bursts are."""
    rng = random.Random(seed)
    ids = [f"u_{rng.getrandbits(128):032x}"[:28] for _ in range(leads)]
    zipf = list(accumulate(1 / rank**EXPONENT for rank in range(1, leads + 1)))
    mix = list(accumulate(weight for weight, *_ in MIX))
    recent: list[Event] = []
    days = -(-count // daily)
    start = end - daily * 1_000 // (RATE * partitions) - (days - 1) * DAY_MS
    for number in range(count):
        day, place = divmod(number, daily)
        at = start + day * DAY_MS + place * 1_000 // (RATE * partitions)
        if recent and rng.random() < REPEATED:
            yield rng.choice(recent)._replace(at=at)
            continue
        late = rng.random() < LATE
        _, topic, kind, make = MIX[bisect(mix, rng.random() * mix[-1])]
        event = Event(
            at=at,
            time=at - (int(rng.expovariate(1 / (6 * HOUR_MS))) if late else rng.randrange(2_000)),
            topic=topic,
            type=kind,
            lead=ids[min(bisect(zipf, rng.random() * zipf[-1]), leads - 1)],
            id=_uuid(rng),
            source="/bench/" + topic.split(".")[1],
            data=make(rng),
        )
        if len(recent) < 500:
            recent.append(event)
        else:
            recent[rng.randrange(500)] = event
        yield event


def _uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def message(event: Event) -> bytes:
    """The event as a publisher sends it: structured CloudEvents JSON."""
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": event.id,
            "source": event.source,
            "type": event.type,
            "subject": event.lead,
            "time": rfc3339(event.time),
            "datacontenttype": "application/json",
            "data": event.data,
        }
    )


def rfc3339(ms: int) -> str:
    return (EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def log(
    stream: Iterator[Event],
    *,
    partitions: int = 1,
    doors: Sequence[Door] | None = None,
    model: bytes = b"",
    rules_version: int = 1,
) -> Iterator[Entry]:
    """The lead log that intake would write, offsets from 0.

    ``doors``: those of a real log, which then begins with its own doors and rules records; otherwise
    doors and ``model`` are its first records.
    """
    writer = _LogWriter(partitions)
    if doors is None:
        doors = planned_doors()
        for record in (Doors(1, list(doors)), Rules(rules_version, "0" * 16, model)):
            yield from writer.everywhere(encode_record(record))
    numbers = {(door.topic, door.partition): door.number for door in doors}
    positions = dict.fromkeys(numbers.values(), 0)
    second = 0
    for event in stream:
        if event.at // 1_000 != second:
            if second:
                ticked = event.at // 1_000 * 1_000
                # Doors lag behind each other by a little, as they do.
                times = {number: ticked - number * 7 for number in positions}
                yield from writer.everywhere(encode_record(Clock(clock.pack(times))))
            second = event.at // 1_000
        digest = blake2b(f"{event.source}\0{event.id}".encode(), digest_size=8).digest()
        # Any key serves: a publisher's partitioner is not ours.
        door = numbers[event.topic, digest[0] % DOOR_PARTITIONS]
        positions[door] += 1
        fact = Fact(
            type=event.type,
            time=event.time,
            received=event.at,
            door=door,
            offset=positions[door],
            digest=digest,
            id=event.id,
            source=event.source,
            properties=_flat(event.data),
        )
        yield writer.to_lead(event.lead.encode(), encode_record(fact))


class _LogWriter:
    def __init__(self, partitions: int) -> None:
        self._next = [0] * partitions

    def everywhere(self, value: bytes) -> Iterator[Entry]:
        for partition in range(len(self._next)):
            yield self._entry(partition, None, value)

    def to_lead(self, key: bytes, value: bytes) -> Entry:
        return self._entry(partition_of(key, len(self._next)), key, value)

    def _entry(self, partition: int, key: bytes | None, value: bytes) -> Entry:
        self._next[partition] += 1
        return Entry(partition, self._next[partition] - 1, key, value)


def planned_doors() -> list[Door]:
    """Numbered as ``scorer topics apply`` numbers new doors."""
    places = [(topic, partition) for topic in DOORS for partition in range(DOOR_PARTITIONS)]
    return [Door(number, 0, topic, partition) for number, (topic, partition) in enumerate(places, 1)]


def _flat(data: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": content for inner, content in value.items()}
        else:
            flat[name] = value
    return flat
