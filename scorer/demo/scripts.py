"""What each sort of person does: scripts of (pause in seconds, trace), for live traffic.

A script may pause for as long as it likes; the story merges many. Scripts end; people go home.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from scorer.demo import traces
from scorer.demo.traces import Trace

Step = tuple[float, Trace]
Script = Callable[[Random], Iterator[Step]]

ARTICLES = (
    "lead-scoring-basics",
    "decay-explained",
    "when-to-call",
    "ten-forms",
    "a-quiet-funnel",
    "fit-and-fire",
)
LETTERS = ("spring-letter", "field-notes", "release-news", "case-study", "webinar-invite")
BOOKS = ("scoring-handbook", "the-patient-funnel", "first-ten-calls")


OFTEN, SOMETIMES = 0.6, 0.35
"""Shares of people."""


def browse(random: Random, pages: int) -> Iterator[Step]:
    """Somebody reads: articles for the most part, sometimes about the product."""
    for _ in range(pages):
        path = random.choice(
            (f"/blog/{random.choice(ARTICLES)}",) * 4 + ("/", "/features", "/customers", "/docs")
        )
        yield random.uniform(1.0, 5.0), traces.viewed(path)


def champion(random: Random) -> Iterator[Step]:
    """Knows what they want: prices, a trial, a call."""
    yield 0.3, traces.viewed("/pricing")
    yield 0.3, traces.in_app("trial_started", plan="team")
    yield 1.5, traces.in_app("flow_started", flow="first-rules")
    yield 1.5, traces.booked()
    if random.random() < OFTEN:
        yield random.uniform(2, 4), traces.profile({"need": True, "authority": True})
    yield random.uniform(2, 4), traces.in_app("project_created", project="p1")
    for task in range(random.randint(2, 4)):
        yield random.uniform(2, 5), traces.in_app("task_created", task=f"t{task}")


def evaluator(random: Random) -> Iterator[Step]:
    """Reads first; some try, some ask, some leave it at that."""
    yield random.uniform(0, 2), traces.opened(random.choice(LETTERS), "nurture")
    yield from browse(random, random.randint(1, 3))
    if random.random() < OFTEN:
        yield random.uniform(1, 3), traces.downloaded(random.choice(BOOKS))
    yield random.uniform(2, 4), traces.viewed("/pricing")
    if random.random() < SOMETIMES:
        yield random.uniform(2, 5), traces.in_app("trial_started", plan="solo")
        yield random.uniform(3, 6), traces.in_app("task_created", task="t1")
        yield random.uniform(2, 4), traces.in_app("task_created", task="t2")
    elif random.random() < SOMETIMES:
        yield random.uniform(4, 8), traces.replied("a-question")
        yield random.uniform(1, 2), traces.profile({"need": True, "timeframe": True})


def reader(random: Random) -> Iterator[Step]:
    """Opens letters and reads; may never buy."""
    for letter in random.sample(LETTERS, random.randint(1, 3)):
        yield random.uniform(2, 6), traces.opened(letter)
        if random.random() < SOMETIMES:
            yield (
                random.uniform(0.5, 2),
                traces.clicked(letter, "nurture", f"/blog/{random.choice(ARTICLES)}"),
            )
    yield from browse(random, random.randint(1, 3))
    if random.random() < SOMETIMES:
        yield random.uniform(1, 3), traces.submitted(random.choice(("survey", "newsletter")))


def passer_by(random: Random) -> Iterator[Step]:
    """Comes by a post in a network."""
    yield 0.5, traces.social(random.choice(("linkedin", "facebook")))
    yield from browse(random, random.randint(1, 3))


def fickle(random: Random) -> Iterator[Step]:
    """Books a demo and thinks better of it: qualified, and below the exit threshold soon after."""
    letter = random.choice(LETTERS)
    yield 0.3, traces.opened(letter, "sales")
    yield 1.2, traces.booked("demo")
    yield random.uniform(7, 9), traces.canceled("demo")
    yield from browse(random, 1)


def rescheduler(random: Random) -> Iterator[Step]:
    """Moves a call: the scheduler sends a cancellation and a new booking, and nothing is to change."""
    yield 0.3, traces.opened(random.choice(LETTERS), "sales")
    yield 1.0, traces.booked()
    yield random.uniform(6, 9), traces.canceled(rescheduled=True)
    yield 0.1, traces.booked(rescheduled=True)
    yield from browse(random, 1)


def scanner(_random: Random) -> Iterator[Step]:
    """A company's mail scanner, not a person: opens a letter and follows every link of it at once."""
    yield 0.2, traces.opened("release-news")
    for link in ("/features", "/pricing", "/blog/decay-explained", "/unsubscribe-help"):
        yield 0.02, traces.clicked("release-news", "newsletter", link)


def student(random: Random) -> Iterator[Step]:
    """Only browses."""
    yield from browse(random, random.randint(3, 7))


def job_seeker(random: Random) -> Iterator[Step]:
    """Looks for a job, not for a product."""
    yield from browse(random, 1)
    for page in ("/careers", "/careers/openings", "/careers/apply"):
        yield random.uniform(1, 3), traces.viewed(page)


def tired(random: Random) -> Iterator[Step]:
    """Has had enough letters."""
    yield random.uniform(1, 3), traces.opened("field-notes")
    yield random.uniform(2, 4), traces.unsubscribed("field-notes")


def returning(random: Random) -> Iterator[Step]:
    """Somebody with a past comes back; what they did weeks ago has faded, not gone."""
    yield 0.5, traces.opened("case-study", "nurture")
    yield random.uniform(1, 3), traces.viewed("/pricing")
    if random.random() < OFTEN:
        yield random.uniform(2, 5), traces.booked()
    else:
        yield from browse(random, random.randint(1, 3))


def keen(random: Random) -> Iterator[Step]:
    """The first of all: qualified within a second of coming, and taken on by sales."""
    yield 0.2, traces.viewed("/pricing")
    yield 0.3, traces.in_app("trial_started", plan="team")
    yield 2.0, traces.in_app("flow_started", flow="first-rules")
    yield 2.0, traces.booked()
    yield 6.0, traces.feedback("accepted", "call on Thursday")
    yield 4.0, traces.profile({"need": True, "authority": True, "budget": True, "timeframe": True})
    yield 3.0, traces.in_app("project_created", project="p1")
    for task in range(8):
        yield random.uniform(4, 8), traces.in_app("task_created", task=f"t{task}")


def turned_down(random: Random) -> Iterator[Step]:
    """Books a call, and sales finds out that there is nothing to sell."""
    yield 0.5, traces.viewed("/pricing")
    yield 1.0, traces.booked()
    yield 2.0, traces.downloaded(random.choice(BOOKS))
    yield random.uniform(6, 8), traces.feedback("rejected", "no budget this year")


CROWD: tuple[tuple[str, Script, int], ...] = (
    ("buyer", evaluator, 12),
    ("small", evaluator, 12),
    ("small", reader, 24),
    ("buyer", reader, 5),
    ("small", passer_by, 16),
    ("student", student, 8),
    ("small", job_seeker, 4),
    ("buyer", champion, 3),
    ("small", fickle, 4),
    ("small", rescheduler, 2),
    ("small", tired, 5),
    ("tiny", reader, 6),
    ("small", scanner, 2),
)
"""Kind of profile (see ``people.Town``), script, and share of the crowd."""
