"""Whom a request is about: identifiers as people know them, and the lead ids that they lead to.

What identifies a person never appears in an error message: errors name the kind, or the line of a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scorer.errors import UserError
from scorer.wire.cloudevents import Event
from scorer.wire.dead_letters import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scorer.wire.identity import Identity

KINDS: Final = {"email": "email", "user-id": "user_id", "anonymous-id": "anonymous_id"}
"""Options and words of a file -> fields of an event."""
LEAD: Final = "lead"
TEXT: Final = "text"


class Asked(NamedTuple):
    """What a request names."""

    identifiers: tuple[tuple[str, str], ...] = ()
    """(``email``, ``user-id`` or ``anonymous-id``; the value)."""
    leads: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    """What else is looked for in a proof: a name, a phone number."""

    def __add__(self, other: object) -> Asked:
        if not isinstance(other, Asked):
            return NotImplemented
        return Asked(
            tuple(dict.fromkeys(self.identifiers + other.identifiers)),
            tuple(dict.fromkeys(self.leads + other.leads)),
            tuple(dict.fromkeys(self.texts + other.texts)),
        )

    @property
    def anybody(self) -> bool:
        return bool(self.identifiers or self.leads)

    def ids(self, identity: Identity) -> set[bytes]:
        """The lead ids under the deployment's secret; raises ``UserError``."""
        return set(self.in_order(identity))

    def in_order(self, identity: Identity) -> list[bytes]:
        """The lead ids as they are named; raises ``UserError``."""
        found: dict[bytes, None] = {}
        for lead in self.leads:
            try:
                key = lead.encode()
            except UnicodeEncodeError:
                key = b""
            if not key or len(lead) > 256 or min(key) < 32:  # noqa: PLR2004
                raise UserError(
                    "--lead: no lead id", hint="1 to 256 characters of UTF-8, no control characters"
                )
            found[key] = None
        for kind, value in self.identifiers:
            event = Event("1.0", "-", "-", "-", {KINDS[kind]: value})
            try:
                found[identity.lead_id(event)] = None
            except Rejected as rejected:
                raise UserError(
                    f"an identifier of the kind {kind} names nobody: {rejected.detail}",
                    hint="docs/identity.md says what counts as an identifier",
                ) from None
        return list(found)


def from_lines(lines: Iterable[str], name: str) -> Asked:
    """Lines such as ``email anna@example.com``; empty ones and those that begin with ``#`` do not count.

    The words are the options' names: email, user-id, anonymous-id, lead, text. Raises ``UserError``.
    """
    identifiers: list[tuple[str, str]] = []
    leads: list[str] = []
    texts: list[str] = []
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        kind, _, value = stripped.partition(" ")
        value = value.strip()
        if not value or kind not in {*KINDS, LEAD, TEXT}:
            raise UserError(
                f"{name}, line {number}: no identifier",
                hint="one a line, such as: email anna@example.com; the words are "
                + ", ".join([*KINDS, LEAD, TEXT]),
            )
        if kind == LEAD:
            leads.append(value)
        elif kind == TEXT:
            texts.append(value)
        else:
            identifiers.append((kind, value))
    return Asked(tuple(identifiers), tuple(leads), tuple(texts))
