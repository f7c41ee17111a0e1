"""Finding a person's identifiers in bytes, in every spelling that software gives them on their way.

A finding names the kind of text and its number, never the text itself.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final
from unicodedata import category, normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from scorer.people.asked import Asked

SHORTEST: Final = 3
"""Bytes; what is shorter stands everywhere by chance."""
_PHONE: Final = re.compile(r"[+0-9 ()/.\-\t\u00a0\u2010-\u2013\u2009\u202f]{7,}").fullmatch
_DIGITS: Final = re.compile(r"[0-9]+").fullmatch
_FEWEST_DIGITS: Final = 7
BOUND: Final = b"\0\0"
"""Between two parts that are searched together; stands in no text."""
_MOST_BACKSLASHES: Final = 16
"""Before what is escaped: JSON in JSON doubles them each time."""
_ESCAPE: Final = rb"\\{1,%d}" % _MOST_BACKSLASHES
_BETWEEN: Final = (
    rb"(?:[ \t()/.+\-]|%2[0-9a-f]|%09|\xc2\xa0|%c2%a0|\xe2\x80[\x89\x90-\x93\xaf]|%e2%80%(?:89|9[0-3]|af)"
    rb"|" + _ESCAPE + rb"(?:[/t]|u0009|u00a0|u20(?:09|1[0-3]|2f))){0,3}"
)
"""What people write between the digits of a phone number, no-break blanks and dashes among it; as it stands
in a URL and in JSON too."""
_BETWEEN_LONGEST: Final = 3 * (_MOST_BACKSLASHES + 5)


def pattern(text: str) -> tuple[bytes, int]:
    """A regular expression for a text in any spelling, and the most bytes it matches.

    What is searched has to be in lower case, as far as ASCII has one. Each character may stand as it is, in
    lower or upper case, composed or decomposed (Unicode NFC and NFD), in UTF-8, percent-encoded as in a URL,
    or escaped as in JSON; and the next one in another way. Of a phone number the digits count.
    """
    given = text.strip()
    if _PHONE(given) and len(digits := re.sub(r"[^0-9]", "", given)) >= _FEWEST_DIGITS:
        longest = len(digits) * (1 + _BETWEEN_LONGEST)
        return _alone(_BETWEEN.join(bytes([one]) for one in digits.encode())), longest
    found, longest = _characters(normalize("NFC", given))
    # Normalising changes some characters for good, and puts several accents of one letter into an order.
    for form in (given, normalize("NFD", given)):
        if not re.fullmatch(found, form.encode("utf-8", "surrogatepass").lower()):
            more, length = _characters(form)
            found, longest = b"(?:" + found + b"|" + more + b")", max(longest, length)
    return _alone(found) if _DIGITS(given) else found, longest


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
        self._searches: list[tuple[str, Callable[[bytes, int], re.Match[bytes] | None], bool]] = []
        """Name, search from a place on, and whether it is a phone number."""
        for name, text in texts:
            if len(text.strip().encode("utf-8", "surrogatepass")) < SHORTEST:
                self.too_short.append(name)
                continue
            self.names.append(name)
            expression, longest = pattern(text)
            self._searches.append((name, re.compile(expression).search, _PHONE(text.strip()) is not None))
            self.longest = max(self.longest, longest)

    def found(self, *parts: bytes | None) -> set[str]:
        """The names of those that occur in one of these."""
        lowered = BOUND.join([part for part in parts if part]).lower()
        return {name for name, search, _ in self._searches if search(lowered, 0)}

    def found_in_piece(self, piece: bytes, begin: int, *, last: bool) -> set[str]:
        """The names of those that occur in a piece of something longer, from a place on.

        What reaches to the end counts in the ``last`` piece only: a number may go on in the next one.
        """
        lowered = piece.lower()
        hits = ((name, search(lowered, begin)) for name, search, _ in self._searches)
        return {name for name, hit in hits if hit and (last or hit.end() < len(lowered))}

    def whole(self, *parts: bytes | None) -> set[str]:
        """As ``found``, but only those that are no part of a longer name, address or number."""
        lowered = BOUND.join([part for part in parts if part]).lower()
        return {name for name, search, phone in self._searches if _whole(lowered, search, phone=phone)}


def texts_of(asked: Asked) -> Iterator[tuple[str, str]]:
    """What a request names, with names for the findings. A lead id is no text: it identifies nobody."""
    counts: dict[str, int] = {}
    named: Collection[tuple[str, str]] = (*asked.identifiers, *(("text", one) for one in asked.texts))
    for kind, value in named:
        counts[kind] = counts.get(kind, 0) + 1
        yield f"{kind} {counts[kind]}", value


def _whole(data: bytes, search: Callable[[bytes, int], re.Match[bytes] | None], *, phone: bool) -> bool:
    begin = 0
    while hit := search(data, begin):
        before = _before(data, hit.start())
        # The plus of a phone number is no digit of it.
        if not (_joins(before, "._%-" if phone else "._%+-") or _joins(_after(data, hit.end()), ".-")):
            return True
        begin = hit.start() + 1
    return False


def _joins(neighbour: str, signs: str) -> bool:
    """Whether a character beside a text makes it part of a longer one: letters, digits, accents, these."""
    if not neighbour:
        return False
    # Scripts without case (Lo) often have no blanks between words either.
    return neighbour in signs or category(neighbour) in {"Lu", "Ll", "Lt", "Nd", "Mn", "Mc"}


_UNIT: Final = rb"(?P<unit>" + _ESCAPE + rb"u[0-9a-f]{4})"
_PERCENT: Final = rb"(?P<percent>(?:%[0-9a-f]{2}){1,4})"
_RAW: Final = rb"(?P<raw>[\xc2-\xf4][\x80-\xbf]{1,3}|[\x00-\x7f])"
_ODD: Final = rb"(?<!\\)(?:\\\\)*\\"
"""Backslashes that escape what follows."""
_BLANK: Final = rb"(?P<blank>" + _ODD + rb"[bfnrt])"
_CHARACTER_BEFORE: Final = re.compile(rb"(?:%b)\Z" % b"|".join([_UNIT, _PERCENT, _BLANK, _RAW])).search
_CHARACTER_AFTER: Final = re.compile(b"|".join([_UNIT, _PERCENT, _RAW])).match
_ESCAPING: Final = re.compile(_ODD + rb"\Z").search
_LONGEST_BEFORE: Final = 2 * _MOST_BACKSLASHES


def _before(data: bytes, at: int) -> str:
    """The character before a place, whichever way it is written; empty: bytes that are none."""
    ahead = data[max(0, at - _LONGEST_BEFORE) : at]
    if data[at : at + 1] in b"bfnrt" and _ESCAPING(ahead):
        return "n"  # of a line's end, not of the text: "\nora" is no Nora
    hit = _CHARACTER_BEFORE(ahead)
    return _meant(hit)[-1:] if hit else ""


def _after(data: bytes, at: int) -> str:
    """The character behind a place, likewise."""
    hit = _CHARACTER_AFTER(data, at)
    return _meant(hit)[:1] if hit else ""


def _meant(hit: re.Match[bytes]) -> str:
    text = hit[0]
    if hit.lastgroup == "unit":
        return chr(int(text[-4:], 16))
    if hit.lastgroup == "blank":
        return "\n"
    if hit.lastgroup == "percent":
        text = bytes.fromhex(text.replace(b"%", b"").decode())
    return text.decode("utf-8", "ignore")


def _characters(text: str) -> tuple[bytes, int]:
    """As ``pattern``, of each character in turn."""
    written = [_character(one) for one in text]
    return b"".join(expression for expression, _ in written), sum(longest for _, longest in written)


def _character(character: str) -> tuple[bytes, int]:
    """As ``pattern``, of one character: in lower and upper case, which may be two, and taken apart."""
    if character.isascii() and character.isalnum():
        return character.lower().encode(), 1
    texts = {character, character.lower(), character.upper()}
    texts |= {normalize("NFD", one) for one in texts}
    found: dict[bytes, int] = {}
    for text in sorted(texts):
        forms = [[_spelt(form) for form in _forms(one)] for one in text]
        expression = b"".join(b"(?:" + b"|".join(one for one, _ in every) + b")" for every in forms)
        found[expression] = sum(max(longest for _, longest in every) for every in forms)
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


def _spelt(form: bytes) -> tuple[bytes, int]:
    """One form as an expression, and the most bytes it matches; escaped, with more backslashes too."""
    first, *escaped = form.split(b"\\")
    if first or not all(escaped):  # a backslash itself
        return re.escape(form), len(form)
    expression = b"".join(_ESCAPE + re.escape(one) for one in escaped)
    return expression, sum(_MOST_BACKSLASHES + len(one) for one in escaped)


def _alone(digits: bytes) -> bytes:
    """Digits are meant as a whole: the middle of a longer number is not them, but for a blank in a URL.

    What stands before is asked behind the first digit, for which ``re`` looks fast.
    """
    first = digits[:1]
    before = rb"(?:(?<![0-9]" + first + rb")|(?<=%20" + first + rb"))"
    return first + before + digits[1:] + rb"(?![0-9])"
