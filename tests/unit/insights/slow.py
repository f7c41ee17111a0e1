"""The figures once more, slowly: lists and loops over everything that was told."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from math import ceil
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from scorer.insights.reading import Forgetting, Heard, Moving, Told
from scorer.wire.registry import LOG
from tests.unit.insights.story import Topics, by_lead

Life = tuple[str, int]
"""A lead, and how many times it had been forgotten before."""


class Stay(NamedTuple):
    life: Life
    stage: str
    since: int
    upto: int | None
    following: str | None
    sequence: int


class Slow:
    def __init__(self, topics: Topics, zone: str) -> None:
        self.zone = ZoneInfo(zone)
        self.told: dict[Life, list[Told]] = defaultdict(list)
        self.erased: dict[str, list[int]] = defaultdict(list)
        outcomes = by_lead(topics)
        for lead, said in outcomes.items():
            for told in said:
                self.told[lead, len(self.erased[lead])].append(told)
                if told.kind == "erased":
                    self.erased[lead].append(told.at)
        self.first: dict[Life, int] = {}
        self.said: dict[Life, dict[str, str]] = defaultdict(dict)
        for (topic, _), records in topics.items():
            if topic == LOG:
                self._read_log(records)
        self.into: dict[Life, Life] = {}
        for life, said in self.told.items():
            for told in said:
                if told.kind == "merged":
                    assert told.into is not None
                    before = sum(at < told.at for at in self.erased[told.into])
                    self.into[life] = (told.into, before)
        self.stays = [stay for life in self.lives() for stay in self._stays(life)]

    def _read_log(self, records: list[Any]) -> None:
        erasures: Counter[str] = Counter()
        erased: dict[str, int] = defaultdict(int)
        shut: set[str] = set()
        blocked: set[str] = set()
        for record in records:
            if isinstance(record, Forgetting):
                erasures[record.lead] += 1
                erased[record.lead] = record.at
                shut.discard(record.lead)
                if record.blocked:
                    blocked.add(record.lead)
            elif isinstance(record, Moving):
                shut.add(record.lead)
            elif isinstance(record, Heard):
                lead = record.lead
                if lead in shut or lead in blocked or record.received <= erased[lead]:
                    continue
                life = lead, erasures[lead]
                self.first.setdefault(life, record.at)
                for name in ("product", "segment", "source"):
                    value = getattr(record, name)
                    if value is not None:
                        self.said[life].setdefault(name, value)

    def lives(self) -> set[Life]:
        return {*self.told, *self.first, *self.into.values()}

    def person(self, life: Life) -> Life:
        while life in self.into:
            life = self.into[life]
        return life

    def group(self, person: Life, name: str | None) -> str | None:
        if name is None:
            return None
        members = sorted(
            (at, self.said[life][name])
            for life, at in self.first.items()
            if self.person(life) == person and name in self.said[life]
        )
        return members[0][1] if members else "(unknown)"

    # -- stays ------------------------------------------------------------------------------------

    def _stays(self, life: Life) -> list[Stay]:
        entries: list[tuple[int, str, int]] = []
        arrivals = [
            told.at
            for other, said in self.told.items()
            for told in said
            if told.kind == "merged" and self.into[other] == life
        ]
        if life in self.first:
            entries.append((self.first[life], "Open", 0))
        elif arrivals:
            entries.append((min(arrivals), "Open", 0))
        end = None
        for told in self.told[life]:
            if told.kind in ("merged", "erased"):
                end = told.at if end is None else min(end, told.at)
            elif not entries or entries[-1][1] != told.stage:
                assert told.stage is not None
                entries.append((told.at, told.stage, told.sequence))
        stays = []
        for place, (since, stage, sequence) in enumerate(entries):
            if place + 1 < len(entries):
                upto: int | None = max(entries[place + 1][0], since)
                following: str | None = entries[place + 1][1]
            else:
                upto, following = (None if end is None else max(end, since)), None
            stays.append(Stay(life, stage, since, upto, following, sequence))
        return stays

    # -- figures ----------------------------------------------------------------------------------

    def happened(self) -> list[tuple[str, int, Life]]:
        """(kind, at, person)."""
        found = []
        people = {self.person(life) for life in self.first}
        for person in people:
            at = min(at for life, at in self.first.items() if self.person(life) == person)
            found.append(("created", at, person))
        for life, said in self.told.items():
            person = self.person(life)
            dropped = False
            for told in said:
                if told.kind == "qualified":
                    found.append(("qualified", told.at, person))
                    if dropped:
                        found.append(("requalified", told.at, person))
                elif told.kind == "disqualified":
                    dropped = True
                    found.append(("disqualified", told.at, person))
                    if told.reason == "score" and told.stage != "Unqualified":
                        found.append(("lapsed", told.at, person))
        sold = [stay for stay in self.stays if stay.stage == "Customer" and stay.sequence]
        return found + [("converted", stay.since, self.person(stay.life)) for stay in sold]

    def day(self, at: int) -> date:
        return datetime.fromtimestamp(at / 1000, UTC).astimezone(self.zone).date()

    def period(self, by: str, at: int) -> str:
        day = self.day(at)
        if by == "day":
            return str(day)
        if by == "week":
            year, week, _ = day.isocalendar()
            return f"{year}-W{week:02d}"
        if by == "month":
            return f"{day.year}-{day.month:02d}"
        return f"{day.year}-Q{(day.month - 1) // 3 + 1}" if by == "quarter" else "all"

    def volume(self, by: str, group: str | None, first: date, last: date) -> dict[Any, tuple[int, int]]:
        """(period, group, kind) -> (events, leads)."""
        people = defaultdict(list)
        for kind, at, person in self.happened():
            if first <= self.day(at) <= last:
                people[self.period(by, at), self.group(person, group), kind].append(person)
        return {key: (len(all_), len(set(all_))) for key, all_ in people.items()}

    def cohorts(self, by: str, group: str | None) -> dict[Any, tuple[int, int, float | None]]:
        """(period, group) -> (leads, customers, median days)."""
        entered: dict[Life, int] = {}
        for kind, at, person in self.happened():
            if kind == "qualified":
                entered[person] = min(at, entered.get(person, at))
        took = defaultdict(list)
        for person, at in entered.items():
            sold = [
                stay.since
                for stay in self.stays
                if stay.stage == "Customer"
                and stay.sequence
                and stay.since >= at
                and self.person(stay.life) == person
            ]
            took[self.period(by, at), self.group(person, group)].append(min(sold) - at if sold else None)
        return {
            key: (len(all_), len(sold := [one for one in all_ if one is not None]), days(rank(sold, 50)))
            for key, all_ in took.items()
        }

    def standing(self, group: str | None) -> Counter[tuple[str, str | None]]:
        return Counter(
            (stay.stage, self.group(stay.life, group))
            for stay in self.stays
            if stay.upto is None and self.person(stay.life) == stay.life
        )

    def conversions(self) -> dict[tuple[str, str | None], tuple[int, float]]:
        found = {}
        for stage in {stay.stage for stay in self.stays}:
            of = [stay for stay in self.stays if stay.stage == stage]
            for following in {stay.following for stay in of if stay.upto is not None}:
                count = sum(stay.following == following and stay.upto is not None for stay in of)
                found[stage, following] = (count, round(count / len(of), 6))
        return found

    def times(self, group: str | None, now: int) -> dict[Any, list[tuple[int, float | None, float | None]]]:
        """(stage, group) -> (stays, median, 90th percentile) of those completed, going on, and both."""
        sets: dict[Any, tuple[list[int], list[int], list[int]]] = defaultdict(lambda: ([], [], []))
        for stay in self.stays:
            of = sets[stay.stage, self.group(self.person(stay.life), group)]
            took = max((now if stay.upto is None else stay.upto) - stay.since, 0)
            of[stay.upto is None].append(took)
            of[2].append(took)
        return {
            key: [(len(one), days(rank(one, 50)), days(rank(one, 90))) for one in of]
            for key, of in sets.items()
        }


def rank(values: list[int], percent: int) -> int | None:
    """The nearest rank's."""
    return sorted(values)[ceil(len(values) * percent / 100) - 1] if values else None


def days(ms: int | None) -> float | None:
    return None if ms is None else round(ms / 86_400_000, 3)
