"""The options of a key, read once when its source is built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from scorer.collector.source import Key
from scorer.errors import UserError
from scorer.rulefile.names import did_you_mean

_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION: Final = re.compile(r"([0-9]{1,6}) ?([smhd])").fullmatch


class Options:
    """What ``key`` says to its kind of source; ``known``: the names that this kind has.

    Every reader raises ``UserError``, which names the key and the option and repeats no secret.
    """

    def __init__(self, key: Key, known: Iterable[str]) -> None:
        known = sorted(known)
        for name in key.options:
            if name not in known:
                hint = did_you_mean(name, known) or "it has these: " + ", ".join(known)
                raise UserError(f"key {key.name}: there is no option {name}", hint if known else None)
        self._key = key

    def secrets(self, what: str) -> tuple[bytes, ...]:
        """``what`` a secret is is said where there is none."""
        if not self._key.secrets or not all(self._key.secrets):
            raise UserError(f"key {self._key.name}: has no secret", f"it is {what}")
        return self._key.secrets

    def text(self, name: str, default: str = "") -> str:
        return self._key.options.get(name, default)

    def required(self, name: str, what: str) -> str:
        text = self.text(name)
        if not text:
            raise UserError(f"key {self._key.name}: the option {name} is missing", f"it is {what}")
        return text

    def chosen(self, name: str, known: Iterable[str], default: str) -> str:
        """One of a few words."""
        word = self.text(name, default)
        known = list(known)
        if word not in known:
            raise self._bad(name, "one of " + ", ".join(known))
        return word

    def truth(self, name: str, *, default: bool) -> bool:
        return self.chosen(name, ("yes", "no"), "yes" if default else "no") == "yes"

    def duration(self, name: str, default: int) -> int:
        """As ms."""
        text = self.text(name)
        if not text:
            return default
        match = _DURATION(text)
        if match is None or not int(match[1]):
            raise self._bad(name, "a number and s, m, h or d, such as 5m")
        return int(match[1]) * _UNITS[match[2]]

    def count(self, name: str, default: int, least: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= least):  # noqa: PLR2004
            raise self._bad(name, f"a whole number of at least {least}")
        return int(text)

    def words(self, name: str, default: str) -> tuple[str, ...]:
        """Words that commas part."""
        return tuple(word for one in self.text(name, default).split(",") if (word := one.strip()))

    def pairs(self, name: str, default: str) -> Mapping[str, str]:
        """``theirs=ours`` parted by commas; a word alone means itself on both sides."""
        found: dict[str, str] = {}
        for word in self.words(name, default):
            theirs, equals, ours = (part.strip() for part in word.partition("="))
            if not theirs or (equals and not ours):
                raise self._bad(name, "names joined with commas, each alone or as theirs=ours")
            found[theirs] = ours or theirs
        return found

    def _bad(self, name: str, rule: str) -> UserError:
        return UserError(f"key {self._key.name}: the option {name} is no good", f"write {rule}")
