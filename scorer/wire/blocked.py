"""Identifiers that name nobody: what a bad integration sends where it knows none, and what many share.

Taken for somebody's, one of these would glue thousands of people together.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


USUAL = words(
    """
    null undefined none nil nan n/a na (null) (none) null@null.com none@none.com na@na.com
    unknown anonymous anon nobody never default guest user test true false -1
    test@test.com test@example.com user@example.com email@example.com example@example.com noreply@example.com
    """
) | {"[object object]"}
"""In lower case."""
ROLES = words(
    """
    abuse accounting accounts admin administrator billing contact enquiries feedback hello help hostmaster hr
    info inquiries jobs mail mailer-daemon marketing media news newsletter no-reply noreply office orders
    postmaster press privacy root sales security service support team webmaster
    """
)
"""Local parts of addresses that are read by several people, or by nobody."""
_NOTHING = re.compile(r"[\s0.\-_{}]*").fullmatch


class Blocked:
    """``Blocked()(kind, identifier)``: whether it names nobody."""

    def __init__(self, more: Iterable[str] = (), *, roles: bool = False) -> None:
        """``more``: identifiers, or ``@example.org`` for all addresses there. ``roles``: info@ ... too."""
        given = {one.strip().lower() for one in more}
        self._domains = frozenset(one for one in given if one.startswith("@"))
        self._values = USUAL | (given - self._domains)
        self._roles = roles

    def __call__(self, kind: str, identifier: str) -> bool:
        plain = identifier.strip().lower()
        if plain in self._values or _NOTHING(plain):
            return True
        if kind != "email":
            return False
        name, _, domain = plain.rpartition("@")
        return f"@{domain}" in self._domains or (self._roles and name in ROLES)


def read_list(path: Path, setting: str) -> list[str]:
    """One identifier or domain a line; empty lines and those that begin with ``#`` do not count.

    Raises ``UserError``.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", hint=f"it is SCORER_{setting}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}") from error
    return [line for line in lines if line.strip() and not line.startswith("#")]
