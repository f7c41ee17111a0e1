"""The demonstration's story: last weeks' history, and what people do from now on.

All of it follows from a seed. Times of the history are counted back from an instant, times of the live acts
are seconds from the start, so the same seed tells the same story whenever it is told.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count, cycle
from operator import itemgetter
from random import Random
from typing import Any, NamedTuple

from scorer.demo import past, scripts, traces
from scorer.demo.people import Person, Town
from scorer.demo.traces import Trace

Arrival = tuple[float, Person, Iterator[scripts.Step]]
"""When (seconds from the start) somebody comes, who, and what they are going to do."""

FIRST_CROWD = 12
"""So many come in quick succession; after that, one by one."""
RUSH, CALM = 0.3, 0.9
"""Seconds, on average, between two people's coming."""
OLD_FRIENDS = 4
"""Every fourth is somebody with a past."""

NONSENSE_EVERY = 9.0
"""Seconds between two requests that are to be refused."""
NONSENSE = ("cut short", "of nobody", "not signed", "of a stranger", "of no kind")


class Act(NamedTuple):
    """One request ``at`` so many seconds after the start; of nobody, it is the ``nonsense`` that it says."""

    at: float
    person: Person | None
    trace: Trace | None
    nonsense: str = ""


class Story:
    """All that happens. ``people`` (by user id) grows as ``acts`` is read."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._town = Town(seed)
        self._past = past.lives(self._town, Random(f"past {seed}"))
        self._numbers = count(1)
        self.people: dict[str, Person] = self._town.people

    def event_id(self) -> str:
        """The next event's id, different from all others of this story."""
        return f"demo-{self.seed}-{next(self._numbers):06d}"

    def history(self, now: int) -> Iterator[dict[str, Any]]:
        """CloudEvents of the weeks before ``now`` (ms since 1970, UTC), oldest first."""
        moments = [
            (now - ago, number, life.person.user_id, trace)
            for life in self._past
            for number, (ago, trace) in enumerate(life.moments)
        ]
        moments.sort(key=lambda moment: moment[:3])
        for time, _, user_id, trace in moments:
            yield traces.cloud_event(trace, user_id, self.event_id(), time)

    def acts(self) -> Iterator[Act]:
        """What is sent from now on, in order of time, without end."""
        return heapq.merge(self._traffic(), self._noise(), key=itemgetter(0))

    def _noise(self) -> Iterator[Act]:
        for number, what in enumerate(cycle(NONSENSE), start=1):
            yield Act(number * NONSENSE_EVERY, None, None, what)

    def _traffic(self) -> Iterator[Act]:
        busy: list[tuple[float, int, Person, Trace, Iterator[scripts.Step]]] = []
        tie = count()  # two at the same instant: first come, first served

        def proceed(at: float, person: Person, steps: Iterator[scripts.Step]) -> None:
            step = next(steps, None)
            if step is not None:
                pause, trace = step
                heapq.heappush(busy, (at + pause, next(tie), person, trace, steps))

        for arrival in heapq.merge(self._leading_parts(), self._crowd(), key=itemgetter(0)):
            while busy and busy[0][0] < arrival[0]:
                at, _, person, trace, steps = heapq.heappop(busy)
                yield Act(at, person, trace)
                proceed(at, person, steps)
            proceed(*arrival)

    def _leading_parts(self) -> Iterator[Arrival]:
        """Whoever watches for half a minute sees each kind of end."""
        town = self._town
        keen = town.somebody("buyer", job="CMO", country="UK", city="London", age=38)
        yield 0.0, keen, self._script(keen, scripts.keen)
        fickle = town.somebody("small", country="DE", city="Hamburg")
        yield 2.0, fickle, self._script(fickle, scripts.fickle)
        busy = town.somebody("small", country="NL", city="Utrecht")
        yield 4.0, busy, self._script(busy, scripts.rescheduler)
        machine = town.somebody("small")
        yield 6.0, machine, self._script(machine, scripts.scanner)
        poor = town.somebody("buyer", job="CEO", employees=14)
        yield 8.0, poor, self._script(poor, scripts.turned_down)
        young = town.somebody("student")
        yield 11.0, young, self._script(young, scripts.student)

    def _crowd(self) -> Iterator[Arrival]:
        random = Random(f"crowd {self.seed}")
        friends = [life.person for life in self._past if not life.left_alone]
        random.shuffle(friends)
        shares = [share for *_, share in scripts.CROWD]
        at = 0.4
        for number in count(1):
            at += random.expovariate(1 / (RUSH if number <= FIRST_CROWD else CALM))
            if friends and number % OLD_FRIENDS == 0:
                friend = friends.pop()
                yield at, friend, scripts.returning(self._random_of(friend))
            else:
                kind, script, _ = random.choices(scripts.CROWD, shares)[0]
                person = self._town.somebody(kind)
                yield at, person, self._script(person, script)

    def _script(self, person: Person, script: scripts.Script) -> Iterator[scripts.Step]:
        yield 0.0, person.introduction()
        yield from script(self._random_of(person))

    def _random_of(self, person: Person) -> Random:
        """Each person's own, so that one more person changes nobody else's doings."""
        return Random(f"{self.seed} {person.user_id}")
