"""What the local data directory holds: bytes of every file, and the leads that RocksDB keeps compressed."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rocksdict import AccessType, Options, Rdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorer.people.texts import Texts

_CHUNK: Final = 1 << 20
_AROUND: Final = 4
"""Bytes beside a text that say whether it is meant."""
_DATABASE: Final = "CURRENT"
"""The file that makes a folder a RocksDB."""
_LOCK: Final = "LOCK"
STATE: Final = b"k"
"""Begins the keys of leads, and of their data keys: ``scorer.worker.store``, ``scorer.storage.key_table``."""


class InUse(Exception):  # noqa: N818 - a state, not a mistake
    """A worker has the database open."""


class Unread(Exception):  # noqa: N818 - a state, not a mistake
    """What could not be looked at; says why."""


class Entry(NamedTuple):
    lead: bytes | None
    """None: a record of another kind."""
    key: bytes
    value: bytes


def files(folder: Path) -> list[Path]:
    """All of them, in order; and folders that cannot be listed, which ``found_in`` then says."""
    found: list[Path] = []
    unlisted: list[OSError] = []
    for inside, _, names in os.walk(folder, onerror=unlisted.append):
        found += [path for name in names if _is_file(path := Path(inside, name))]
    return sorted([*found, *(Path(error.filename) for error in unlisted)])


def _is_file(path: Path) -> bool:
    """Not a pipe, which nobody may ever write to; where nobody can tell, it is one."""
    try:
        return path.is_file()
    except OSError:
        return True


def databases(folder: Path) -> list[Path]:
    return sorted(one.parent for one in folder.rglob(_DATABASE))


def found_in(path: Path, texts: Texts, moved: Callable[[int], None]) -> set[str]:
    """Which texts stand in a file as it is; ``moved`` gets bytes. A file that has gone meanwhile has none.

    Raises ``Unread`` where it cannot be read to its end, unless something has been found by then.
    """
    found: set[str] = set()
    piece = b""
    begin = 0
    kept = _AROUND + texts.longest
    try:
        with path.open("rb") as file:
            chunk = file.read(_CHUNK)
            while chunk:
                following = file.read(_CHUNK)
                piece += chunk
                found |= texts.found_in_piece(piece, begin, last=not following)
                # What begins in the first bytes kept has been judged, with those before it in sight.
                begin = _AROUND if len(piece) > kept else 0
                piece = piece[-kept:]
                moved(len(chunk))
                chunk = following
    except FileNotFoundError:
        pass
    except OSError as error:
        if not found:
            raise Unread(error.strerror or type(error).__name__) from error
    return found


def entries(path: Path) -> Iterator[Entry]:
    """What a database holds; raises ``InUse`` while a worker has it open, or ``Unread``."""
    _check_unused(path)
    # Read only: nothing of a store whose worker is to start again may change.
    try:
        database = Rdict(str(path), Options(raw_mode=True), access_type=AccessType.read_only())
    except Exception as error:  # whatever RocksDB fails with
        raise Unread("RocksDB cannot open it") from error
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
    except BlockingIOError as error:
        raise InUse(str(path)) from error
    except OSError as error:
        raise Unread(error.strerror or type(error).__name__) from error
