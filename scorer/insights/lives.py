"""Which life of a lead a record belongs to, and what an erasure leaves of one.

Topics are read one after the other, so an erasure may be read before what it ended or after what came later.
It ends the same life either way: what has a lower sequence number, or was received earlier.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite3 import Connection

_BY_SEQUENCE = (
    "SELECT life FROM lives WHERE digest = ? AND (ends IS NULL OR ends >= ?)"
    " ORDER BY ends IS NULL, ends LIMIT 1"
)
_BY_TIME = (
    "SELECT life FROM lives WHERE digest = ? AND (erased_at IS NULL OR erased_at > ?)"
    " ORDER BY erased_at IS NULL, erased_at LIMIT 1"
)
_JOINED = "SELECT 1 FROM outcomes WHERE into_life IN (?, ?) OR (life IN (?, ?) AND into_life IS NOT NULL)"
_CONTENT = ("firsts WHERE life = ?1", "outcomes WHERE life = ?1", "outcomes WHERE into_life = ?1")


def digest_of(lead: str, key: bytes) -> bytes:
    """By which a lead is known without its id, to whoever has the file and asks for that lead."""
    return blake2b(lead.encode(), digest_size=16, key=key).digest()


class Lives:
    """Works within the caller's transaction."""

    def __init__(self, connection: Connection, key: bytes) -> None:
        """``key``: of the digests; the file's own."""
        self._connection = connection
        self._key = key

    def digest(self, lead: str) -> bytes:
        return digest_of(lead, self._key)

    def of_sequence(self, lead: str, sequence: int) -> int:
        """The life to which an outcome belongs."""
        return self._found(_BY_SEQUENCE, lead, sequence)

    def of_time(self, lead: str, after: int) -> int:
        """The life that an instant (ms) belongs to, an erasure's own to the next one."""
        return self._found(_BY_TIME, lead, after)

    def known(self, digest: bytes, after: int) -> int | None:
        """As ``of_time``; None: there is none yet."""
        found = self._connection.execute(_BY_TIME, (digest, after)).fetchone()
        return None if found is None else found[0]

    def end(self, lead: str, sequence: int, at: int) -> int:
        """A lead was forgotten: the life that ended with it, of which the id is no longer known."""
        connection, digest = self._connection, self.digest(lead)
        found = connection.execute(
            "SELECT life FROM lives WHERE digest = ? AND ends = ?", (digest, sequence)
        ).fetchone()
        if found is not None:
            return int(found[0])
        going_on = self.of_sequence(lead, sequence)
        ended = self._insert(digest, None, sequence, at)
        connection.execute(
            "UPDATE outcomes SET life = ? WHERE life = ? AND sequence < ?", (ended, going_on, sequence)
        )
        connection.execute("UPDATE firsts SET life = ? WHERE life = ? AND after < ?", (ended, going_on, at))
        connection.execute(
            "UPDATE outcomes SET into_life = ? WHERE into_life = ? AND at <= ?", (ended, going_on, at)
        )
        self._part(going_on, ended)
        self._remove_empty(going_on)
        return ended

    def join(self, life: int, into: int) -> None:
        """A life became part of another: that one's person stands for all that it stood for."""
        connection = self._connection
        person = connection.execute("SELECT person FROM lives WHERE life = ?", (into,)).fetchone()[0]
        if person != life:  # nobody becomes part of himself, whatever was written to a topic
            connection.execute("UPDATE lives SET person = ? WHERE person = ?", (person, life))

    def _part(self, going_on: int, ended: int) -> None:
        """Find out anew who stands for whom among those who stood together, one life having become two."""
        connection = self._connection
        of = connection.execute(
            "SELECT life FROM lives WHERE person = (SELECT person FROM lives WHERE life = ?)", (going_on,)
        )
        together = {life for (life,) in of} | {ended}
        if len(together) > 2 or connection.execute(_JOINED, (going_on, ended) * 2).fetchone():  # noqa: PLR2004
            for life in together:
                connection.execute("UPDATE lives SET person = ? WHERE life = ?", (self._person(life), life))

    def _person(self, life: int) -> int:
        """At the end of the merges."""
        seen = {life}
        while True:
            found = self._connection.execute(
                "SELECT into_life FROM outcomes WHERE life = ? AND into_life IS NOT NULL", (life,)
            ).fetchone()
            if found is None or found[0] in seen:
                return life
            life = found[0]
            seen.add(life)

    def _found(self, query: str, lead: str, place: int) -> int:
        digest = self.digest(lead)
        found = self._connection.execute(query, (digest, place)).fetchone()
        return self._insert(digest, lead, None, None) if found is None else int(found[0])

    def _insert(self, digest: bytes, lead: str | None, ends: int | None, erased_at: int | None) -> int:
        life, *_ = self._connection.execute("SELECT coalesce(max(life), 0) + 1 FROM lives").fetchone()
        self._connection.execute(
            "INSERT INTO lives (life, digest, lead, ends, erased_at, person) VALUES (?1, ?2, ?3, ?4, ?5, ?1)",
            (life, digest, lead, ends, erased_at),
        )
        return int(life)

    def _remove_empty(self, life: int) -> None:
        """A life that goes on without anything in it would only keep the id."""
        ended, *_ = self._connection.execute("SELECT ends FROM lives WHERE life = ?", (life,)).fetchone()
        if ended is None and not any(
            self._connection.execute(f"SELECT 1 FROM {content} LIMIT 1", (life,)).fetchone()  # noqa: S608
            for content in _CONTENT
        ):
            self._connection.execute("DELETE FROM lives WHERE life = ?", (life,))
