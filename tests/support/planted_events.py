"""Door messages of leads about whom it is known what makes them convert.

Each lead appears at some time, does things in the two weeks after it, and converts at a rate that depends on
what it has done so far. So at any instant the chance to convert within a horizon is known too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from heapq import merge
from random import Random
from typing import NamedTuple

import msgspec

BEGAN = 1_800_000_000_000  # Friday 2027-01-15 08:00 UTC
DAY = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RULES = """\
model: Planted
time zone: Europe/Berlin
qualify: {enter: above 12, exit: below 6}
scores: {engagement: {decay: none}}
rules:
  engagement:
    - {rule: Demo, on: booking.created, points: +10}
    - {rule: Pricing, on: page.viewed, where: {path: /pricing}, points: +5}
    - {rule: Unsubscribed, on: email.unsubscribed, points: -8}
    - {rule: Blog, on: page.viewed, where: {path: /blog}, points: +1}
    - {rule: Post, on: social.clicked, points: +1}
    - {rule: Opened, on: email.opened, points: +1}
    - {rule: Webinar, on: page.form_submitted, points: +4}
    - {rule: Never, on: email.bounced, points: -3}
"""
VISIT, VISITED = 0.25, 1.0
"""Points of a visit, and of all of a lead together."""
BUSY_RULES = (
    RULES
    + f"""\
    - {{rule: Visited, on: page.viewed, where: {{path: /}}, points: +{VISIT}, cap: {VISITED}}}
"""
)
"""For leads that also visit the site."""
POINTS = {"Demo": 10, "Pricing": 5, "Unsubscribed": -8, "Blog": 1, "Post": 1, "Opened": 1, "Webinar": 4}
PREDICTIVE = ("Demo", "Pricing")
WARNING = "Unsubscribed"
IDLE = ("Blog", "Post", "Opened")
"""Of no effect in the world of ``by_effect``."""
COMPANION = "Webinar"
"""Of the same people as the demo, mostly, and of no effect of its own."""
_EVENTS: dict[str, tuple[str, dict[str, str]]] = {
    "Demo": ("booking.created", {"kind": "demo"}),
    "Pricing": ("page.viewed", {"path": "/pricing"}),
    "Unsubscribed": ("email.unsubscribed", {}),
    "Blog": ("page.viewed", {"path": "/blog"}),
    "Post": ("social.clicked", {"network": "other"}),
    "Opened": ("email.opened", {"kind": "newsletter"}),
    "Webinar": ("page.form_submitted", {"form": "webinar"}),
    "Visited": ("page.viewed", {"path": "/"}),
    "Converted": ("feedback.converted", {}),
}
Rate = Callable[[Mapping[str, int]], float]
"""What a lead has done, how often -> conversions per day."""


class Told(NamedTuple):
    at: int
    """ms"""
    lead: str
    what: str


def by_effect(done: Mapping[str, int]) -> float:
    """Points of predictive rules, and those of the warning, are worth what they say; all others nothing."""
    told = sum(POINTS[rule] for rule in (*PREDICTIVE, WARNING) if done.get(rule))
    return float(0.004 * 1.18**told)


def by_threshold(threshold: float) -> Rate:
    """The rate jumps where the total rises above ``threshold``."""

    def rate(done: Mapping[str, int]) -> float:
        total = sum(POINTS[rule] * times for rule, times in done.items() if rule != "Visited")
        total += min(VISITED, VISIT * done.get("Visited", 0))
        return 0.03 if total > threshold else 0.002

    return rate


def stories(
    leads: int, rate: Rate, seed: int = 1, days: int = 180, active: float = 14, visits: int = 0
) -> Iterator[Told]:
    """By time; at most ``days`` days long, in ``active`` of which a lead does all that it does.

    ``visits``: to the site, of each lead: of no effect by themselves, and for ``BUSY_RULES``.
    """
    rng = Random(seed)
    every = [_story(f"lead-{number}", rng, rate, days, active, visits) for number in range(leads)]
    return merge(*every)


def _story(lead: str, rng: Random, rate: Rate, days: int, active: float, visits: int) -> list[Told]:
    began = BEGAN + int(rng.random() * (days - active) * DAY)
    demo = rng.random() < 0.25
    chosen = ["Opened"] * rng.randrange(4) + ["Blog"] * rng.randrange(3) + ["Post"] * rng.randrange(2)
    chosen += ["Demo"] * demo + ["Pricing"] * (rng.random() < 0.35)
    chosen += ["Unsubscribed"] * (rng.random() < 0.2)
    chosen += ["Webinar"] * (rng.random() < (0.75 if demo else 0.05))
    chosen = (chosen or ["Opened"]) + ["Visited"] * visits
    rng.shuffle(chosen)
    times = sorted(began + int(rng.random() * active * DAY) for _ in chosen)
    told: list[Told] = []
    done: dict[str, int] = {}
    end = BEGAN + days * DAY
    for place, what in enumerate(chosen):
        told.append(Told(times[place], lead, what))
        done[what] = done.get(what, 0) + 1
        until = times[place + 1] if place + 1 < len(times) else end
        converts = times[place] + int(rng.expovariate(rate(done)) * DAY)
        if converts < until:  # the rate holds until the next activity
            told.append(Told(converts, lead, "Converted"))
            break
    return told


def message(number: int, told: Told) -> bytes:
    """As a publisher sends it."""
    kind, data = _EVENTS[told.what]
    time = (EPOCH + timedelta(milliseconds=told.at)).isoformat(timespec="milliseconds")
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": str(number),
            "source": "/planted",
            "type": kind,
            "subject": told.lead,
            "time": time.replace("+00:00", "Z"),
            "data": data,
        }
    )


def lines(leads: int, rate: Rate, seed: int = 1, days: int = 180, active: float = 14) -> list[bytes]:
    """The messages, in order."""
    return [message(number, told) for number, told in enumerate(stories(leads, rate, seed, days, active))]
