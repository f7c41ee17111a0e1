"""What the demonstration's people did in the weeks before: history for ``scorer import``.

Time-stamped, so that scores have faded by the time they are seen, and so that two people become due while
somebody watches: nothing happens, and that is the point.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from scorer.demo import scripts, traces
from scorer.demo.people import Person, Town
from scorer.demo.traces import Trace

DAY = 86_400_000  # ms
SECOND = 1_000  # ms

SOON = 16 * SECOND
"""How long after the history's end the first of the two becomes due; time enough to see it coming."""


class Life(NamedTuple):
    """A person's past: (ms before now, trace), in no order. ``left_alone`` people do nothing any more."""

    person: Person
    moments: list[tuple[int, Trace]]
    left_alone: bool = False


def lives(town: Town, random: Random) -> list[Life]:
    """Everybody with a past."""
    return [
        *(_strong(town, random, days) for days in (2, 4)),
        *(_faded(town, random, weeks) for weeks in (4, 6, 8, 10)),
        *(_subscriber(town, random) for _ in range(8)),
        *(_visitor(town, random) for _ in range(9)),
        *(_seeker(town, random) for _ in range(2)),
        _forgotten(town),
        _student(town, 60 * DAY - SOON - 5 * SECOND),
        _student(town, 75 * DAY),
    ]


def _strong(town: Town, random: Random, days: int) -> Life:
    """Booked a call some days ago."""
    person = town.somebody("buyer", country="US", city="New York", age=random.randint(30, 44))
    letter, book = random.choice(scripts.LETTERS), random.choice(scripts.BOOKS)
    return Life(
        person,
        [
            ((days + 20) * DAY, person.introduction()),
            ((days + 20) * DAY - 60 * SECOND, traces.opened(letter, "nurture")),
            ((days + 6) * DAY, traces.downloaded(book)),
            ((days + 1) * DAY, traces.viewed("/pricing")),
            (days * DAY, traces.booked()),
        ],
    )


def _faded(town: Town, random: Random, weeks: int) -> Life:
    """Was keen once: a trial, a project. Half of it is gone with every month."""
    person = town.somebody("small", country=random.choice(("UK", "DE", "IN")), city=None)
    then = weeks * 7 * DAY
    return Life(
        person,
        [
            (then + 2 * DAY, person.introduction()),
            (then + DAY, traces.opened("case-study", "nurture")),
            (then, traces.viewed("/pricing")),
            (then - 600 * SECOND, traces.in_app("trial_started", plan="solo")),
            (then - 900 * SECOND, traces.in_app("project_created", project="p1")),
            (then - DAY, traces.in_app("task_created", task="t1")),
            (then - 2 * DAY, traces.in_app("task_created", task="t2")),
            (random.randint(3, 12) * DAY, traces.opened("field-notes")),
        ],
    )


def _subscriber(town: Town, random: Random) -> Life:
    """Opens some of the weekly letters."""
    person = town.somebody(random.choice(("small", "small", "buyer")))
    moments = [(66 * DAY, person.introduction())]
    for week in range(1, 10):
        ago = week * 7 * DAY - random.randint(0, 40_000) * SECOND
        if random.random() < 0.45:  # noqa: PLR2004 - a share of letters
            letter = f"weekly-{10 - week}"
            moments.append((ago, traces.opened(letter)))
            if random.random() < 0.3:  # noqa: PLR2004 - a share of readers
                article = f"/blog/{random.choice(scripts.ARTICLES)}"
                moments.append((ago - 20 * SECOND, traces.clicked(letter, "newsletter", article)))
                moments.append((ago - 22 * SECOND, traces.viewed(article)))
    return Life(person, moments)


def _visitor(town: Town, random: Random) -> Life:
    """Came by a network and read something."""
    person = town.somebody(random.choice(("small", "small", "small", "buyer", "tiny")))
    ago = random.randint(3, 50) * DAY + random.randint(0, 80_000) * SECOND
    pages = [
        (ago - 30 * SECOND * number, traces.viewed(f"/blog/{random.choice(scripts.ARTICLES)}"))
        for number in range(1, random.randint(2, 5))
    ]
    network = random.choice(("linkedin", "facebook"))
    return Life(person, [(ago + DAY, person.introduction()), (ago, traces.social(network)), *pages])


def _seeker(town: Town, random: Random) -> Life:
    """Looked for a job."""
    person = town.somebody("small")
    ago = random.randint(2, 20) * DAY
    return Life(
        person,
        [
            (ago + SECOND, person.introduction()),
            (ago, traces.viewed("/careers")),
            (ago - 90 * SECOND, traces.viewed("/careers/openings")),
            (ago - 200 * SECOND, traces.viewed("/careers/apply")),
        ],
    )


def _forgotten(town: Town) -> Life:
    """A good fit whom nobody wrote to.

    The last letter opened and the last look at the prices are about to be 30 days old. With both gone by the
    score falls below the exit threshold, without anybody doing anything.
    """
    person = town.somebody("buyer", country="FR", city="Lyon", age=52, decision_maker=True, employees=180)
    return Life(
        person,
        [
            (31 * DAY, person.introduction()),
            (30 * DAY - SOON, traces.opened("spring-letter")),
            (30 * DAY - SOON - 3 * SECOND, traces.viewed("/pricing")),
        ],
        left_alone=True,
    )


def _student(town: Town, ago: int) -> Life:
    """Came by a post ``ago`` ms ago, and has neither opened a letter nor visited a page since."""
    person = town.somebody("student")
    return Life(
        person,
        [(ago, person.introduction()), (ago - 5 * SECOND, traces.social("facebook"))],
        left_alone=True,
    )
