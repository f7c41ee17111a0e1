"""From publishers to outcomes: one lead however it is published, and what time alone does to one."""

from __future__ import annotations

import random
import time
from math import log2, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from scorer.broker import Broker
from scorer.cli.options import default_rules
from scorer.settings import Settings
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import DISQUALIFIED, QUALIFIED, SCORE
from scorer.wire.times import milliseconds
from tests.bench.road import WorkerProcess
from tests.bench.workload import (
    APP,
    BOOKING,
    DAY_MS,
    EMAIL,
    FEEDBACK,
    HOUR_MS,
    PAGE,
    PROFILE,
    SOCIAL,
    rfc3339,
)
from tests.integration.road_running import Diary, Said, check_equal, clock, prepare_road, said, until
from tests.integration.score_running import leads_in, read
from tests.support.intake import Publisher, end_of, event, facts, read_log

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)


@pytest.fixture
def broker(settings: Settings) -> Broker:
    return Broker(settings)


# -- one lead -----------------------------------------------------------------------------------------


class Activity(NamedTuple):
    """What rules/default.yaml gives for it."""

    door: str
    type: str
    data: dict[str, Any]
    points: float
    half_life: int


ACTIVITIES = (
    Activity(EMAIL, "email.opened", {}, 3, 30 * DAY_MS),
    Activity(EMAIL, "email.replied", {"kind": "sales"}, 5, 30 * DAY_MS),
    Activity(APP, "app.project_created", {}, 5, 30 * DAY_MS),
    Activity(BOOKING, "booking.created", {}, 20, 60 * DAY_MS),
    Activity(SOCIAL, "social.clicked", {"network": "linkedin"}, 2, 30 * DAY_MS),
)
ATTRIBUTES = ({"country": "US"}, {"job": "CEO"}, {"employees": 100})
FIT = 1 + 5 + 10


async def test_what_three_clients_publish_of_a_lead_becomes_one_score(
    settings: Settings, broker: Broker, tmp_path: Path
) -> None:
    prepare_road(settings, default_rules(), log_partitions=4)
    lead = "lead-1"
    rng = random.Random(5)
    now = int(time.time() * 1000)
    done = [(activity, now - HOUR_MS * n) for n, activity in enumerate(ACTIVITIES * 12)]
    sent = [
        (one.door, event(one.door, lead, type=one.type, data=one.data, time=rfc3339(at))) for one, at in done
    ]
    sent += [(PROFILE, event(PROFILE, lead, data=known)) for known in ATTRIBUTES]
    rng.shuffle(sent)
    # Each client has a third of them, and repeats one of the others', as a publisher's second try would.
    thirds = [[*sent[n::3], sent[n + 1]] for n in range(3)]
    used: list[set[int]] = [set(), set(), set()]  # door partitions by client
    librdkafka = Publisher(settings)
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:
        async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as aiokafka:
            for door, value in thirds[0]:  # murmur2 of the key, as Java has it
                there = await aiokafka.send_and_wait(broker.name(door), value, key=lead.encode())
                used[0].add(there.partition)
        for door, value in thirds[1]:  # CRC32 of the key
            librdkafka.send(door, value, lead, taken=lambda message: used[1].add(message.partition()))
        for door, value in thirds[2]:
            anywhere = rng.randrange(4)
            librdkafka.send(door, value, rng.randbytes(8), anywhere)
            used[2].add(anywhere)
        librdkafka.flush()
        published = sum(map(len, thirds))

        def scored() -> bool:
            offsets = [written.offset for written, _ in facts(read_log(settings))]
            seen = [view["data"]["log_offset"] for _, view in views(broker)]
            return len(offsets) == published and max(seen, default=-1) == max(offsets)

        await until(scored, "everything is in the score", worker)
        worker.stop()

    assert len(used[0]) == len(used[1]) == 1, "the same key, the same partition"
    assert used[0] != used[1], "the clients' partitioners do not differ"
    assert len(used[2]) > 1
    home = partition_of(lead.encode(), 4)
    assert {(one.lead, one.partition) for one, _ in facts(read_log(settings))} == {(lead.encode(), home)}

    assert leads_in(broker).keys() == {lead.encode()}
    assert {key for key, _ in views(broker)} == {lead.encode()}
    _, view = views(broker)[-1]
    data = view["data"]
    at = milliseconds(view["time"])
    assert at >= now
    engagement = sum(one.points * 2 ** (-(at - then) / one.half_life) for one, then in done)
    assert data["parts"] == {"fit": FIT, "engagement": pytest.approx(engagement, abs=1e-6)}
    assert data["total"] == pytest.approx(FIT + engagement, abs=1e-6)
    assert (data["stage"], data["sequence"]) == ("Qualified", 2)
    outcomes = said(broker)
    assert outcomes.keys() == {lead}
    assert [(one.sequence, one.type, one.cause) for one in outcomes[lead]] == [
        (1, "lead.qualified", "activity"),
        (2, "lead.stage", "activity"),
    ]


def views(broker: Broker) -> list[tuple[bytes | None, dict[str, Any]]]:
    """Key and value of every score view, in order by partition."""
    return [
        (record.key, msgspec.json.decode(record.value or b""))
        for records in read(broker, SCORE).values()
        for record in records
    ]


# -- time alone ---------------------------------------------------------------------------------------

FADING = """
model: Fading
grace: 1 second
qualify: {enter: above 20, exit: below 15}
scores:
  fit: {decay: none}
  engagement: {decay: half every 1 second}
rules:
  fit:
    - {rule: Company, when: {employees: at least 25}, points: +3}
  engagement:
    - {rule: Opened, on: email.opened, points: +4}
    - {rule: Booked, on: booking.created, points: +40, decay: half every 2 seconds}
    - {rule: Form sent, on: page.form_submitted, points: +25, decay: none}
    - {rule: Applied for a job, on: page.form_submitted, where: {form: job}, points: -30}
disqualify:
  - rule: Gone
    when:
      - {at least: 1, of: feedback.nurtured, within: 1 day}
      - {no: feedback.nurtured, for: 3 seconds}
"""


async def test_what_time_alone_does_is_said_with_the_instant_that_a_formula_gives(
    settings: Settings, broker: Broker, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(FADING)
    prepare_road(settings, rules)
    diary = Diary(settings)
    with WorkerProcess(settings, tmp_path / "worker", checkpoint=0.2) as worker:
        await until(lambda: clock(worker) > 0, "the worker knows the time", worker)
        diary.did("lasting", PAGE, "page.form_submitted", form="contact")
        diary.did("booked", BOOKING, "booking.created")
        diary.did("applied", PAGE, "page.form_submitted", form="job")
        diary.did("nurtured", FEEDBACK, "feedback.nurtured")
        diary.did("mixed", PROFILE, "profile.updated", employees=50)
        await diary.flush()
        diary.did("mixed", EMAIL, "email.opened")
        await diary.flush()
        # Between doors there is no order but this: the booking is published when the others are in the log.
        await until(lambda: len(list(facts(read_log(settings)))) == 6, "all of them are taken in", worker)
        diary.did("mixed", BOOKING, "booking.created")
        await diary.flush()

        def complete() -> bool:
            return end_of(settings, QUALIFIED) + end_of(settings, DISQUALIFIED) >= 7

        await until(complete, "time alone has done what it was to do", worker)
        worker.stop()

    at = {lead: times[-1] for lead, times in diary.times.items()}
    # 3 + 4 * 2^(-(t - opened) / 1 s) + 40 * 2^(-(t - booked) / 2 s) = 15, a quadratic equation in what is
    # left of the booking, 2^(-(t - booked) / 2 s).
    _, opened, booked = diary.times["mixed"]
    square = 4 * 2 ** (-(booked - opened) / 1000)
    left = 2 * (15 - 3) / (40 + sqrt(40**2 + 4 * square * (15 - 3)))
    wanted = {
        "lasting": [qualified(at["lasting"], 25)],
        "booked": [qualified(at["booked"], 40), faded(at["booked"] + 2000 * log2(40 / 15))],
        "mixed": [qualified(at["mixed"], 3 + square + 40), faded(at["mixed"] - 2000 * log2(left))],
        # What counts against a lead fades too: 25 - 30 * 2^(-t / 1 s) = 20.
        "applied": [qualified(at["applied"] + 1000 * log2(30 / 5), 20, "time")],
        "nurtured": [Said(1, "lead.disqualified", "time", "Gone", at["nurtured"] + 3000, 0.0)],
    }
    check_equal(said(broker), wanted)


def qualified(at: float, total: float, cause: str = "activity") -> Said:
    return Said(1, "lead.qualified", cause, "score", near(at), about(total))


def faded(at: float) -> Said:
    return Said(2, "lead.disqualified", "time", "score", near(at), about(15))


def near(at: float) -> Any:
    """To 1 ms."""
    return pytest.approx(at, rel=0, abs=1)


def about(points: float) -> Any:
    """To what a total loses or gains here in 2 ms."""
    return pytest.approx(points, rel=0, abs=0.02)
