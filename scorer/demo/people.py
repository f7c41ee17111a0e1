"""The people of the demonstration: who they are, one after the other, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scorer.demo.names import CITIES, COMPANIES, FIRST_NAMES, LAST_NAMES
from scorer.demo.traces import Trace, profile


@dataclass(frozen=True)
class Person:
    """Somebody who leaves traces."""

    user_id: str
    """By which the app, the site and the CRM know them; the scheduler knows their address only."""
    first_name: str
    last_name: str
    company: str
    attributes: dict[str, Any]

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"

    @property
    def email(self) -> str:
        """The address at work."""
        return f"{self.first_name}.{self.last_name}@{_domain(self.company)}.example".lower()

    def introduction(self) -> Trace:
        """The profile as an app sends it; who it is by name and address never gets past intake.

        With id and address in it, what is told of either counts for one person from here on.
        """
        return profile(
            {
                "first_name": self.first_name,
                "last_name": self.last_name,
                "email": self.email,
                "company": self.company,
                **self.attributes,
            }
        )


class Town:
    """Makes people, each with an id and a name of their own.

    ``random`` decides who comes next; the same seed and the same calls make the same people.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"town {seed}")
        self._prefix = f"d{seed}"
        self._names = self._shuffled_names()
        self.people: dict[str, Person] = {}

    def _shuffled_names(self) -> Iterator[tuple[str, str]]:
        pairs = [(first, last) for first in FIRST_NAMES for last in LAST_NAMES]
        while True:
            self._random.shuffle(pairs)
            yield from pairs

    def somebody(self, kind: str, **attributes: Any) -> Person:
        """The next person; ``attributes`` (None leaves one out) override what ``kind`` gives.

        Kinds: ``buyer`` (a good fit: a company of 25 or more), ``small`` (a fit of a point or two),
        ``student``, ``tiny`` (a company of fewer than 5, in a department that doesn't buy).
        """
        first, last = next(self._names)
        pick = self._random.choice
        country = pick(tuple(CITIES))
        chosen = {
            "country": country,
            "city": pick(CITIES[country]),
            "age": self._random.randint(24, 58),
            **self._work(kind),
            **attributes,
        }
        person = Person(
            user_id=f"{self._prefix}-{len(self.people) + 1:04d}",
            first_name=first,
            last_name=last,
            company="University of Velloway" if kind == "student" else pick(COMPANIES),
            attributes={name: value for name, value in chosen.items() if value is not None},
        )
        self.people[person.user_id] = person
        return person

    def _work(self, kind: str) -> dict[str, Any]:
        pick, number = self._random.choice, self._random.randint
        if kind == "student":
            return {"role": "student", "age": number(19, 24), "employees": None}
        if kind == "tiny":
            return {"job": "Administrator", "department": "Facilities", "employees": number(1, 4)}
        if kind == "small":
            return {"job": pick(("Analyst", "Editor", "Designer")), "employees": number(6, 24)}
        return {
            "job": pick(("Head of Growth", "Marketing Manager", "Revenue Lead", "Sales Manager")),
            "department": pick(("Marketing", "Sales")),
            "employees": number(26, 900),
        }


def _domain(company: str) -> str:
    return "".join(letter for letter in company.lower() if letter.isalnum())
