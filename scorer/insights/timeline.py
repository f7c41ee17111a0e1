"""One lead's past, as it has been told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scorer.domain.outcomes import instant
from scorer.insights.files import setting
from scorer.insights.lives import digest_of

if TYPE_CHECKING:
    from sqlite3 import Connection


class Event(msgspec.Struct, omit_defaults=True):
    """Something that happened to a lead; ``created``, or the kind of an outcome."""

    time: str
    lead: str
    """As which it happened: the lead itself, or one that has become part of it."""
    kind: str
    sequence: int = 0
    stage: str | None = None
    previous: str | None = None
    reason: str | None = None
    cause: str | None = None
    deal_stage: str | None = None
    total: float | None = None
    band: str | None = None
    owner: str | None = None
    into: str | None = None


class Timeline(msgspec.Struct):
    lead: str
    """The one that stands for it now."""
    asked: str
    product: str | None
    segment: str | None
    source: str | None
    events: list[Event]
    """By time; of one lead in the order in which they were told."""


_EVENTS = """
SELECT beginnings.at, lives.lead, 'created', 0,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, beginnings.life
FROM beginnings JOIN lives USING (life) WHERE lives.person = ?1
UNION ALL
SELECT outcomes.at, lives.lead, kind, sequence,
    stage, previous, reason, cause, deal_stage, total, band, owner, target.lead, outcomes.life
FROM outcomes JOIN lives USING (life) LEFT JOIN lives AS target
    ON target.life = outcomes.into_life
WHERE lives.person = ?1
ORDER BY 1, 14, 4
"""


def timeline(connection: Connection, lead: str) -> Timeline | None:
    """None: nothing is known of such a lead, or not any more."""
    found = connection.execute("SELECT person FROM lives WHERE lead = ?", (lead,)).fetchone()
    if found is None:
        return None
    rows = connection.execute(_EVENTS, found).fetchall()
    name = connection.execute("SELECT lead FROM lives WHERE life = ?", found).fetchone()[0]
    product, segment, source = connection.execute(
        "SELECT product, segment, source FROM dimensions WHERE person = ?", found
    ).fetchone() or (None, None, None)
    # A member that has been forgotten by itself has no name any more.
    events = [Event(instant(at), member or "", kind, *rest) for at, member, kind, *rest, _ in rows]
    return Timeline(name or "", lead, product, segment, source, events)


def forgotten(connection: Connection, lead: str) -> bool:
    """Whether there was such a lead whose person has been forgotten."""
    digest = digest_of(lead, setting(connection, "key"))
    found = connection.execute("SELECT 1 FROM lives WHERE digest = ? AND ends IS NOT NULL", (digest,))
    return found.fetchone() is not None
