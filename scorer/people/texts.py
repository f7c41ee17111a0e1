"""Finding a person's identifiers in bytes, in every spelling that software gives them on their way.

A finding names the kind of text and its number, never the text itself.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from scorer.people.asked import Asked

SHORTEST: Final = 3
"""Bytes; what is shorter stands everywhere by chance."""
_PHONE: Final = re.compile(r"[+0-9 ()/.\-]{7,}").fullmatch
_DIGITS: Final = re.compile(r"[0-9]+").fullmatch
_FEWEST_DIGITS: Final = 7
BOUND: Final = b"\0\0"
"""Between two parts that are searched together; stands in no text."""
_BETWEEN: Final = rb"(?:[ ()/.+\-]|\\/|%2[0-9a-f]){0,3}"
"""What people write between the digits of a phone number, and as it stands in a URL."""
_BETWEEN_LONGEST: Final = 9


def pattern(text: str) -> tuple[bytes, int]:
    """A regular expression for a text in any spelling, and the most bytes it matches.

    What is searched has to be in lower case, as far as ASCII has one. Each character may stand as it is, in
    lower or upper case, composed or decomposed (Unicode NFC and NFD), in UTF-8, percent-encoded as in a URL,
    or escaped as in JSON; and the next one in another way. Of a phone number the digits count.
    """
    plain = normalize("NFC", text.strip())
    digits = re.sub(r"\D", "", plain)
    if _PHONE(plain) and len(digits) >= _FEWEST_DIGITS:
        longest = len(digits) * (1 + _BETWEEN_LONGEST)
        return _alone(_BETWEEN.join(bytes([one]) for one in digits.encode())), longest
    written = [_character(one) for one in plain]
    found = b"".join(expression for expression, _ in written)
    return _alone(found) if _DIGITS(plain) else found, sum(longest for _, longest in written)


class Texts:
    """Searches for several texts at once."""

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        """``texts``: (what it is called in a finding, the text)."""
        self.names: list[str] = []
        """Of those that are looked for."""
        self.too_short: list[str] = []
        """Of those that are not."""
        self.longest = 0
        """Bytes that one of them may take."""
        self._searches: list[tuple[str, Callable[[bytes], object]]] = []
        for name, text in texts:
            if len(text.strip().encode("utf-8", "surrogatepass")) < SHORTEST:
                self.too_short.append(name)
                continue
            self.names.append(name)
            expression, longest = pattern(text)
            self._searches.append((name, re.compile(expression).search))
            self.longest = max(self.longest, longest)

    def found(self, *parts: bytes | None) -> set[str]:
        """The names of those that occur in one of these."""
        lowered = BOUND.join([part for part in parts if part]).lower()
        return {name for name, search in self._searches if search(lowered)}


def texts_of(asked: Asked) -> Iterator[tuple[str, str]]:
    """What a request names, with names for the findings. A lead id is no text: it identifies nobody."""
    counts: dict[str, int] = {}
    named: Collection[tuple[str, str]] = (*asked.identifiers, *(("text", one) for one in asked.texts))
    for kind, value in named:
        counts[kind] = counts.get(kind, 0) + 1
        yield f"{kind} {counts[kind]}", value


def _character(character: str) -> tuple[bytes, int]:
    """As ``pattern``, of one character: in lower and upper case, which may be two, and taken apart."""
    if character.isascii() and character.isalnum():
        return character.lower().encode(), 1
    texts = {character, character.lower(), character.upper()}
    texts |= {normalize("NFD", one) for one in texts}
    found: dict[bytes, int] = {}
    for text in sorted(texts):
        forms = [_forms(one) for one in text]
        expression = b"".join(b"(?:" + b"|".join(map(re.escape, every)) + b")" for every in forms)
        found[expression] = sum(len(every[0]) for every in forms)
    return b"(?:" + b"|".join(found) + b")", max(found.values())


def _forms(character: str) -> list[bytes]:
    """How one character may be encoded, the longest first; in lower case as far as it is ASCII."""
    raw = character.encode("utf-8", "surrogatepass")
    units = character.encode("utf-16-be", "surrogatepass")
    found = {
        raw.lower(),
        b"".join(b"%%%02x" % byte for byte in raw),
        json.dumps(character)[1:-1].encode().lower(),
        b"".join(b"\\u%02x%02x" % (units[at], units[at + 1]) for at in range(0, len(units), 2)),
    }
    if character == " ":
        found.add(b"+")
    if character == "/":
        found.add(b"\\/")
    return sorted(found, key=lambda form: (-len(form), form))


def _alone(digits: bytes) -> bytes:
    """Digits are meant as a whole: the middle of a longer number is not them, but for a blank in a URL.

    What stands before is asked behind the first digit, for which ``re`` looks fast.
    """
    first = digits[:1]
    before = rb"(?:(?<![0-9]" + first + rb")|(?<=%20" + first + rb"))"
    return first + before + digits[1:] + rb"(?![0-9])"
