"""Who is who: the demonstration's people by the ids that their leads have."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

from scorer.wire.cloudevents import Event

if TYPE_CHECKING:
    from scorer.demo.people import Person
    from scorer.wire.identity import Identity

VISITOR: Final = "you, on the page"
"""Everybody else: only the page is open to others."""


class Roster:
    """``people``: by user id, and growing. ``identity``: how leads are found."""

    def __init__(self, people: Mapping[str, Person], identity: Identity) -> None:
        self._people = people
        self._identity = identity
        self._indexed = 0
        self._names: dict[str, str] = {}

    def name_of(self, lead: str) -> str:
        """The name of the person that a lead is."""
        if self._indexed < len(self._people):
            for person in islice(self._people.values(), self._indexed, None):
                self._names[self.lead_of("user_id", person.user_id)] = person.name
                self._names[self.lead_of("email", person.email)] = person.name
            self._indexed = len(self._people)
        return self._names.get(lead, VISITOR)

    def lead_of(self, kind: str, value: str) -> str:
        """The lead that an identifier names; ``kind``: user_id, email or anonymous_id.

        Raises ``Rejected`` for what is no such identifier.
        """
        return self._identity.lead_id(Event("1.0", "-", "-", "-", {kind: value})).decode()
