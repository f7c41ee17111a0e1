"""The file that insights are kept in: every outcome once, with the offsets read, in one transaction."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from scorer.errors import UserError
from scorer.insights.files import WAIT, prepare, refused, setting
from scorer.insights.lives import Lives
from scorer.insights.reading import Forgetting, Heard, InForce, Moving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scorer.insights.reading import Noted, Told

REMEMBERED: Final = 200_000
"""Leads of which this process remembers what has been said: most facts say nothing new."""
_Said = tuple[str | None, ...]
"""Product, segment, source."""
_COLUMNS: Final = (
    "kind, at, stage, previous, reason, cause, deal_stage, total, band, owner, into_life, life, sequence"
)


class Piece(NamedTuple):
    """What one partition of a topic has said between two offsets."""

    topic: str
    partition: int
    start: int | None
    """Where the file must stand; None: wherever it stands."""
    end: int | None
    """Where it stands then; None: no offsets are kept."""
    said: Sequence[Told | Noted]


class Store:
    """A file of insights, open for writing. One process writes at a time; any number read meanwhile."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._lives = Lives(connection, setting(connection, "key"))
        self._forgotten = False
        self._known: dict[str, tuple[int, _Said]] = {}
        """Lead -> what it has been forgotten up to (ms), and what has been said of it since."""
        self._version = -1

    @classmethod
    def open(cls, path: Path, key: bytes) -> Self:
        """``key``: of a file that is made now; 16 random bytes.

        Raises ``UserError`` where the file is something else, or of a later version.
        """
        try:
            connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        except sqlite3.Error as error:
            raise refused(path, error) from error
        try:
            prepare(connection, path, key)
            return cls(connection, path)
        except sqlite3.Error as error:
            connection.close()
            raise refused(path, error) from error
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Afterwards what has been forgotten is neither in the file nor in the journal beside it."""
        self._empty_journal()
        self._connection.close()

    def places(self, topic: str) -> dict[int, int]:
        """Partition -> the next offset."""
        rows = self._connection.execute("SELECT partition, next FROM offsets WHERE topic = ?", (topic,))
        return dict(rows.fetchall())

    def topic_ids(self) -> dict[str, str]:
        """Kafka's ids of the topics that have been read, where it gives any."""
        return dict(self._connection.execute("SELECT topic, id FROM topics").fetchall())

    def know_topics(self, ids: dict[str, str]) -> None:
        with self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO topics VALUES (?, ?)", ids.items())

    def add(self, pieces: Sequence[Piece]) -> None:
        """All of them, or none. Raises ``UserError`` where another process has written meanwhile."""
        with self._transaction():
            self._forget_if_changed()
            for piece in pieces:
                self._move_on(piece)
                for one in piece.said:
                    self._take(one)
        self._empty_journal()

    def _empty_journal(self) -> None:
        """Of ids that have been forgotten; later, where somebody reads just now."""
        if self._forgotten:
            busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._forgotten = bool(busy)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._known.clear()
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise refused(self._path, error) from error

    def _forget_if_changed(self) -> None:
        version, *_ = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._version or len(self._known) > REMEMBERED:
            self._known.clear()  # another process has written, or they are too many
            self._version = version

    def _move_on(self, piece: Piece) -> None:
        if piece.end is None:
            return
        place = piece.topic, piece.partition
        found = self._connection.execute(
            "SELECT next FROM offsets WHERE topic = ? AND partition = ?", place
        ).fetchone()
        if piece.start is not None and found is not None and found[0] != piece.start:
            raise UserError(
                f"{self._path}: another process has read {piece.topic} meanwhile",
                hint="one `scorer insights update` is enough; nothing is lost or counted twice",
                exit_code=1,
            )
        self._connection.execute("INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)", (*place, piece.end))

    def _take(self, one: Told | Noted) -> None:
        if isinstance(one, Heard):
            self._hear(one)
        elif isinstance(one, Forgetting):
            self._known.pop(one.lead, None)
            self._connection.execute(
                "INSERT INTO heard VALUES (?1, ?2, ?3, 0) ON CONFLICT DO UPDATE SET"
                " moved = moved AND after >= ?2, blocked = blocked OR ?3, after = max(after, ?2)",
                (self._lives.digest(one.lead), one.at, one.blocked),
            )
        elif isinstance(one, Moving):
            self._known.pop(one.lead, None)
            self._connection.execute(
                "INSERT INTO heard VALUES (?, 0, 0, 1) ON CONFLICT DO UPDATE SET moved = 1",
                (self._lives.digest(one.lead),),
            )
        elif isinstance(one, InForce):
            if one.version > (setting(self._connection, "rules") or 0):
                self._connection.executemany(
                    "INSERT OR REPLACE INTO settings VALUES (?, ?)",
                    [("rules", one.version), ("time_zone", one.time_zone)],
                )
        else:
            self._tell(one)

    def _hear(self, fact: Heard) -> None:
        said = fact.product, fact.segment, fact.source
        if (remembered := self._known.get(fact.lead)) is not None:
            after, known = remembered
            if fact.received <= after or not _adds(said, known):
                return
        connection, digest = self._connection, self._lives.digest(fact.lead)
        heard = connection.execute(
            "SELECT after, blocked, moved FROM heard WHERE digest = ?", (digest,)
        ).fetchone()
        after, blocked, moved = heard or (0, 0, 0)
        if blocked or moved or fact.received <= after:
            return
        life = self._lives.known(digest, after)
        found = connection.execute(
            "SELECT product, segment, source FROM firsts WHERE life = ? AND after = ?", (life, after)
        ).fetchone()
        if found is None:
            life = self._lives.of_time(fact.lead, after)
            connection.execute("INSERT INTO firsts VALUES (?, ?, ?, ?, ?, ?)", (life, after, fact.at, *said))
            self._known[fact.lead] = after, said
            return
        both = tuple(new if old is None else old for old, new in zip(found, said, strict=True))
        if both != found:
            connection.execute(
                "UPDATE firsts SET product = ?, segment = ?, source = ? WHERE life = ? AND after = ?",
                (*both, life, after),
            )
        self._known[fact.lead] = after, both

    def _tell(self, told: Told) -> None:
        if told.kind == "erased":
            life, into = self._lives.end(told.lead, told.sequence, told.at), None
            self._forgotten = True
        else:
            life = self._lives.of_sequence(told.lead, told.sequence)
            into = None if told.into is None else self._lives.of_time(told.into, told.at - 1)
        row = (*told[2:-1], into, life, told.sequence)
        added = self._connection.execute(
            f"INSERT INTO outcomes ({_COLUMNS}) VALUES ({', '.join('?' * len(row))}) ON CONFLICT DO NOTHING",  # noqa: S608
            row,
        )
        if not added.rowcount:
            self._compare(told, row)
        elif into is not None:
            self._lives.join(life, into)

    def _compare(self, told: Told, row: tuple[object, ...]) -> None:
        """What is told twice is told alike; otherwise the file was made from other records."""
        known = self._connection.execute(
            f"SELECT {_COLUMNS} FROM outcomes WHERE life = ? AND sequence = ?",  # noqa: S608
            row[-2:],
        ).fetchone()
        if known != row:
            raise UserError(
                f"{self._path} has another outcome {told.lead}:{told.sequence} than lead.{told.kind}.v1",
                hint="it was made from another log, or a part of it; make a new file with `insights update`",
                exit_code=1,
            )


def _adds(said: _Said, known: _Said) -> bool:
    """Whether a fact says what nothing has said before."""
    return any(new is not None and old is None for new, old in zip(said, known, strict=True))
