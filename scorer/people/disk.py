"""What the local data directory holds: bytes of every file, and the leads that RocksDB keeps compressed."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING, Final, NamedTuple

from rocksdict import AccessType, Options, Rdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scorer.people.texts import Texts

_CHUNK: Final = 1 << 20
_AROUND: Final = 4
"""Bytes beside a text that say whether it is meant."""
_DATABASE: Final = "CURRENT"
"""The file that makes a folder a RocksDB."""
_LOCK: Final = "LOCK"
STATE: Final = b"k"
"""Begins the keys of leads, and of their data keys: ``scorer.worker.store``, ``scorer.worker.key_table``."""


class InUse(Exception):  # noqa: N818 - a state, not a mistake
    """A worker has the database open."""


class Entry(NamedTuple):
    lead: bytes | None
    """None: a record of another kind."""
    key: bytes
    value: bytes


def files(folder: Path) -> list[Path]:
    """All of them, in order."""
    return sorted(one for one in folder.rglob("*") if one.is_file())


def databases(folder: Path) -> list[Path]:
    return sorted(one.parent for one in folder.rglob(_DATABASE))


def found_in(path: Path, texts: Texts, moved: Callable[[int], None]) -> set[str]:
    """Which texts stand in a file as it is; ``moved`` gets bytes. A file that has gone meanwhile has none."""
    found: set[str] = set()
    before = b""
    overlap = texts.longest + _AROUND
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                before += chunk
                found |= texts.found(before)
                before = before[-overlap:]
                moved(len(chunk))
    except FileNotFoundError:
        pass
    return found


def entries(path: Path) -> Iterator[Entry]:
    """What a database holds; raises ``InUse`` while a worker has it open."""
    _check_unused(path)
    # Read only: nothing of a store whose worker is to start again may change.
    database = Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only())
    try:
        for key, value in database.items():
            yield Entry(key[1:] if key[:1] == STATE else None, key, value)
    finally:
        database.close()


def _check_unused(path: Path) -> None:
    """RocksDB holds this lock for as long as a database is open for writing."""
    try:
        with (path / _LOCK).open("rb+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InUse(str(path)) from error
