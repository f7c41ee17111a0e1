"""A file of insights as SQLite has it: made, recognised, opened for reading, made ready to be replaced."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from scorer.errors import UserError
from scorer.insights.schema import APPLICATION, FORMAT, TABLES, VIEWS

WAIT: Final = 20.0
"""Seconds to wait for another process that writes."""


def prepare(connection: sqlite3.Connection, path: Path, key: bytes) -> None:
    """Make tables and views in an empty file; ``key``: its own.

    Raises as ``check``, and what SQLite does.
    """
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            for statement in TABLES.split(";\n"):
                connection.execute(statement)
            for name, query in VIEWS.items():
                connection.execute(f"CREATE VIEW {name} AS {query}")
            connection.execute("INSERT INTO settings VALUES ('key', ?)", (key,))
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        check(connection, path)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")


def check(connection: sqlite3.Connection, path: Path, *, later: bool = False) -> None:
    """Raises ``UserError`` unless it is a file of insights that this code understands.

    ``later``: or one that a later version has written.
    """
    application, *_ = connection.execute("PRAGMA application_id").fetchone()
    version, *_ = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION:
        raise UserError(
            f"{path} is no file of insights, but another database", hint="choose another name for --db"
        )
    if version > FORMAT and not later:
        raise UserError(
            f"{path} has format {version}, written by a later version of scorer; this one knows {FORMAT}",
            hint="use that version, or make a new file with `scorer insights rebuild`",
        )


def read_only(path: Path) -> sqlite3.Connection:
    """Raises ``UserError`` where there is no such file, or it is none of insights."""
    if not path.is_file():
        raise UserError(f"there is no file {path}", hint="`scorer insights update --db FILE` makes it")
    try:
        # Not mode=ro: such a reader can't tidy up after a writer that was killed, nor after itself.
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=rw", uri=True, timeout=WAIT, isolation_level=None
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            check(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise refused(path, error) from error
    return connection


def retire(path: Path) -> None:
    """Make a file ready to be replaced: all of it is in the file itself, and nothing beside it.

    Raises ``UserError`` where it is none of insights, or a process has it open. No file is fine.
    """
    if not path.exists():
        return
    try:
        connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        try:
            check(connection, path, later=True)
            connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise refused(path, error) from error


def setting(connection: sqlite3.Connection, name: str) -> Any:
    found = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
    return None if found is None else found[0]


def refused(path: Path, error: sqlite3.Error) -> UserError:
    """What to say where SQLite refuses."""
    if isinstance(error, sqlite3.DatabaseError) and "not a database" in str(error):
        return UserError(f"{path} is not a database", hint="choose another name for --db")
    return UserError(f"{path}: {error}", exit_code=1)
