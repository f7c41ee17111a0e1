"""Random lead logs: late, duplicated, shuffled and future facts between irregular clock records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec

from scorer.domain.model import Model
from scorer.domain.record import (
    ANNOUNCE_ALL,
    ANNOUNCE_NONE,
    ANNOUNCE_UPWARD,
    NO_DOOR,
    PROFILE_UPDATED,
    Door,
    Doors,
    Fact,
    ImportBegin,
    ImportEnd,
)
from tests.property.dice import Dice
from tests.property.models import DAY, HOUR, SENT, Scale, redefine, reprice
from tests.reference.log import About, Entry, InForce, ReadThrough

STARTS = (
    1_700_000_000_000,  # 2023-11-14 22:13:20
    1_711_839_600_000,  # 2024-03-30 23:00: Berlin's clocks change the next night
    1_730_505_600_000,  # 2024-11-02: New York's clocks change the next night
    1_735_682_400_000,  # 2024-12-31 22:00
)
FUTURE = 5 * 60_000
"""How far ahead of its arrival a fact may be dated, ms."""
IMPORT = 2**32 + 7
DOORS = Doors(1, [Door(1, 0, "activity.email.v1", 0), Door(2, 0, "activity.page.v1", 0)])

PROPERTIES: dict[str, tuple[Any, ...]] = {
    "kind": ("nurture", "Sales", "other"),
    "path": ("/pricing", "/Careers", "/blog"),
    "n": (0, 1, 2, 3, 2.5, -1),
    "flag": (True, False),
    "item": ("a", "A", "b", "c", "d"),
    "was": ("a", "b", "e"),
    "stage": ("Contacted", "nurture", "Customer", "Inactive", "Open", "Qualified", "Unqualified", "nonsense"),
    "tags": (["a", "b"], ["c"]),
}
ATTRIBUTES: dict[str, tuple[Any, ...]] = {
    "country": ("US", "uk", "DE", None),
    "role": ("Student", "CEO", "dentist", None),
    "employees": (1, 5.5, 25, 400, "many", None),
}


@dataclass
class Telling:
    """A story while it is drawn."""

    dice: Dice
    scale: Scale
    leads: int
    now: int
    log: list[Entry]
    offsets: dict[int, int] = field(default_factory=dict)
    facts: list[About] = field(default_factory=list)
    importing: set[str] = field(default_factory=set)
    """Leads that an open import has touched."""
    made: int = 0

    def wait(self, *tenths: int) -> None:
        """Let time pass: a drawn number of tenths of the unit."""
        self.now += self.scale.unit * self.dice.one(*tenths) // 10

    def fact(self, door: int | None = None) -> None:
        dice = self.dice
        lead = f"lead-{dice.number(1, self.leads)}"
        if door is None and lead in self.importing:
            return
        kind = dice.one(*SENT, *SENT, PROFILE_UPDATED)
        fields = ATTRIBUTES if kind == PROFILE_UPDATED else PROPERTIES
        chosen = dice.some(0, 4, tuple(fields))
        properties = {name: dice.one(*fields[name]) for name in chosen}
        if kind.startswith("email.") and dice.chance(70):
            properties |= {"email_id": dice.one("m1", "M1", 7), "link": dice.one("a", "b", "c")}
        if kind == PROFILE_UPDATED and dice.chance(30):
            properties["renewal"] = self.date()
        self.made += 1
        digest = blake2b(b"%d" % self.made, digest_size=8).digest()
        time = self.now - self.lateness()
        self.add(lead, Fact(kind, time, self.now, NO_DOOR, -1, digest, str(self.made), "", properties), door)

    def date(self) -> Any:
        """An attribute: a day or an instant near now, or none."""
        at = datetime.fromtimestamp(
            self.now // 1_000 + self.dice.number(-20, 60) * self.scale.unit // 10_000, UTC
        )
        return self.dice.one(at.isoformat(), at.date().isoformat(), "soon", 17, None)

    def lateness(self) -> int:
        """ms; negative: dated in the future."""
        unit = self.scale.unit
        match self.dice.one("", "", "", "little", "late", "future"):
            case "little":
                return self.dice.number(0, unit)
            case "late":
                return self.dice.one(*self.scale.times(5, 30, 120, 400))
            case "future":
                return -self.dice.number(0, min(FUTURE, 2 * unit))
            case _:
                return 0

    def add(self, lead: str, fact: Fact, door: int | None = None) -> None:
        if door is None:
            door = self.dice.one(1, 2, 1, 2, NO_DOOR)
        offset = -1
        if door != NO_DOOR:
            offset = self.offsets[door] = self.offsets.get(door, -1) + self.dice.one(1, 1, 2)
        about = About(lead, msgspec.structs.replace(fact, door=door, offset=offset))
        self.log.append(about)
        if door == IMPORT:
            self.importing.add(lead)
        else:
            self.facts.append(about)

    def again(self) -> None:
        """A record seen before: redelivered from its door, or retried by its publisher."""
        if not self.facts:
            return
        about = self.dice.one(*self.facts)
        if about.fact.door != NO_DOOR and self.dice.chance(50):
            self.log.append(about)
        elif about.lead not in self.importing:
            self.add(about.lead, about.fact)

    def clock(self) -> None:
        lags = {door: self.dice.one(0, 1, 700, self.scale.unit) for door in (1, 2)}
        if self.dice.chance(25):
            del lags[self.dice.one(1, 2)]
        self.log.append(ReadThrough({door: self.now - lag for door, lag in lags.items()}))

    def burst(self) -> None:
        """Several facts arrive in an order that is not that of their times; each door's own order stays."""
        start = len(self.log)
        for _ in range(self.dice.number(2, 4)):
            self.wait(0, 1, 3)
            self.fact()
        told = [entry for entry in self.log[start:] if isinstance(entry, About)]
        doors = self.dice.shuffled([about.fact.door for about in told])
        queues = {door: [about for about in told if about.fact.door == door] for door in doors}
        self.log[start:] = [queues[door].pop(0) for door in doors]

    def bracket(self) -> None:
        """An import of old facts, with live traffic of other leads in between."""
        self.log.append(ImportBegin(IMPORT))
        for _ in range(self.dice.number(1, 5)):
            now = self.now
            self.now -= self.scale.unit * self.dice.one(0, 5, 30, 100, 300) // 10
            self.fact(IMPORT)
            self.now = now
            match self.dice.one("", "fact", "clock"):
                case "fact":
                    self.fact()
                case "clock":
                    self.wait(1, 10, 30)
                    self.clock()
        self.log.append(ImportEnd(IMPORT))
        self.importing.clear()


POLICIES = (ANNOUNCE_ALL, ANNOUNCE_UPWARD, ANNOUNCE_ALL, ANNOUNCE_NONE)
STEPS = ("fact",) * 6 + ("clock",) * 4 + ("again", "jump", "burst")


def draw_story(
    dice: Dice,
    scale: Scale,
    model: Model,
    *,
    imports: bool = False,
    prices: bool = False,
    rules: bool = False,
    least: int = 0,
) -> list[Entry]:
    """``least``: facts.

    ``imports``: brackets of history; ``prices``: rule sets that change points, ``rules``: anything.
    """
    telling = Telling(dice, scale, dice.number(1, 3), dice.one(*STARTS), [DOORS, InForce(1, model)])
    steps = STEPS + ("bracket",) * imports + ("prices",) * prices + ("rules",) * rules
    version = 1
    for _ in range(dice.number(3, 30)):
        match dice.one(*steps):
            case "fact":
                telling.wait(0, 0, 0, 1, 3, 10)
                telling.fact()
            case "clock":
                telling.wait(0, 1, 1, 3, 10)
                telling.clock()
            case "again":
                telling.again()
            case "jump":
                telling.wait(20, 50, 200, 1000)
                telling.clock()
            case "burst":
                telling.burst()
            case "bracket":
                telling.bracket()
            case "prices" | "rules" as change:
                step = dice.one(1, 1, 2, 0)
                other = reprice(dice, model) if change == "prices" else redefine(dice, scale, model)
                version += step
                # Without a throw of the dice: what has been found by a seed is to be found again.
                telling.log.append(InForce(version, other, POLICIES[len(telling.log) % len(POLICIES)]))
                model = other if step else model
    while telling.made < least:
        telling.wait(0, 0, 1, 3, 10)
        telling.fact()
        if dice.chance(30):
            telling.clock()
    if not dice.chance(25):
        telling.wait(40, 400, 2000)
        telling.now += DAY if scale.unit < HOUR else 0
        telling.log.append(ReadThrough({1: telling.now, 2: telling.now}))
    return telling.log


def sensible(log: list[Entry]) -> bool:
    """Imported facts in brackets only, and no live ones of their leads there: as ``draw_story`` tells."""
    inside = False
    touched: set[str] = set()
    for entry in log:
        match entry:
            case ImportBegin():
                inside = True
            case ImportEnd():
                inside = False
                touched.clear()
            case About(lead, fact) if fact.door == IMPORT:
                if not inside:
                    return False
                touched.add(lead)
            case About(lead, _) if lead in touched:
                return False
    return not inside
