"""Where in a message a value stands, in the part of JSONPath (RFC 9535) that names one value.

$.form.answers[0].text       members and places in lists, from 0; from the end -1, -2 ...
$['a name with blanks']      any name, in quotes
$.answers[?@.type == 'email'].email      of a list the first object whose member has that value
header X-Event-Id            a header of the request, in place of the message
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

ABSENT: Final = object()
"""What a selector finds where there is nothing."""
HEADER: Final = "header "

_STEP: Final = re.compile(
    r"""\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)
    |\[(?:'(?P<single>[^'\\]*)'|"(?P<double>[^"\\]*)")\]
    |\[(?P<place>-?[0-9]{1,6})\]
    |\[\?\ ?@\.(?P<member>[A-Za-z_][A-Za-z0-9_-]*)\ ?==\ ?(?:'(?P<is>[^'\\]*)'|"(?P<also>[^"\\]*)")\]
    """,
    re.VERBOSE,
)
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}").fullmatch
_MOST_STEPS: Final = 32


class Member(NamedTuple):
    name: str


class Place(NamedTuple):
    number: int


class First(NamedTuple):
    """The first object of a list whose member ``name`` is the text ``value``."""

    name: str
    value: str


Step = Member | Place | First


class Selector(NamedTuple):
    """Either steps from the message, or the name of a header in lower case."""

    text: str
    """As it was written; messages repeat it."""
    steps: tuple[Step, ...] = ()
    header: str = ""

    def find(self, message: Any, headers: Mapping[str, str]) -> Any:
        """The value, or ``ABSENT``."""
        if self.header:
            return headers.get(self.header, ABSENT)
        found = message
        for step in self.steps:
            found = _follow(found, step)
            if found is ABSENT:
                break
        return found


def looks_like_one(text: str) -> bool:
    """Whether the author meant a selector: what follows may still be wrong."""
    return text == "$" or text.startswith(("$.", "$[")) or text.lower().startswith(HEADER)


def parse(text: str) -> Selector | tuple[int, str]:
    """The selector, or the place (characters from 0) and the message of the first mistake."""
    if text.lower().startswith(HEADER):
        name = text[len(HEADER) :].strip()
        if _HEADER_NAME(name) is None:
            return len(HEADER), "a header has a name of letters, digits and dashes"
        return Selector(text, header=name.lower())
    if not text.startswith("$"):
        return 0, "a selector begins with `$`, the message"
    steps: list[Step] = []
    at = 1
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            return at, _mistake(text[at:])
        steps.append(_step(match))
        if len(steps) > _MOST_STEPS:
            return at, f"a selector has at most {_MOST_STEPS} steps"
        at = match.end()
    return Selector(text, tuple(steps))


def _step(match: re.Match[str]) -> Step:
    if (name := _either(match, "name", "single", "double")) is not None:
        return Member(name)
    if match["place"] is not None:
        return Place(int(match["place"]))
    return First(match["member"], _either(match, "is", "also") or "")


def _either(match: re.Match[str], *groups: str) -> str | None:
    return next((match[group] for group in groups if match[group] is not None), None)


def _mistake(rest: str) -> str:
    if rest.startswith("[*]"):
        return "`[*]` names many values; only `each` may, at its end"
    if rest.startswith(".."):
        return "`..` searches everywhere; name every step"
    if rest.startswith(".") and rest[1:2].isdigit():
        return "a place in a list is written [0]"
    if rest.startswith("["):
        return "in brackets stands [0], ['name'] or [?@.name == 'text']"
    return "a step is .name, [0], ['name'] or [?@.name == 'text']"


def _follow(value: Any, step: Step) -> Any:
    if isinstance(step, Member):
        return value.get(step.name, ABSENT) if isinstance(value, dict) else ABSENT
    if not isinstance(value, list):
        return ABSENT
    if isinstance(step, Place):
        return value[step.number] if -len(value) <= step.number < len(value) else ABSENT
    for one in value:
        if isinstance(one, dict) and one.get(step.name) == step.value:
            return one
    return ABSENT
