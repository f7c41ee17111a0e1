"""What can be asked of a file of insights: the words of a question, and the answers by name."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from scorer.insights.figures import Asking, Question
from scorer.insights.pipeline import pipeline, stage_times
from scorer.insights.words import DIMENSIONS, UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from sqlite3 import Connection

NAMES: Final[dict[str, frozenset[str]]] = {
    "volume": frozenset({"by", "group", "from", "to", "time_zone"}),
    "cohorts": frozenset({"by", "group", "from", "to", "time_zone"}),
    "pipeline": frozenset({"group", "from", "to", "time_zone"}),
    "stages": frozenset({"group", "from", "to", "time_zone"}),
}
"""What is answered, and the words that the question may have."""
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def answers(connection: Connection, words: Mapping[str, str], now: int) -> dict[str, Any]:
    """All of ``NAMES`` as data, as of one moment; words that don't concern one are left out there.

    ``now``: ms. Raises ``ValueError`` for a value that there is not.
    """
    asking = Asking(connection, words.get("time_zone"))
    found = {}
    for name, known in NAMES.items():
        asked = {word: value for word, value in words.items() if word in known}
        found[name] = answer(asking, name, asked, now)
    return found


def answer(asking: Asking, name: str, words: Mapping[str, str], now: int) -> Any:
    """One of ``NAMES`` as data. ``now``: ms. Raises ``ValueError`` for a word or value that there is not."""
    for word in words:
        if word not in NAMES[name]:
            raise ValueError(f"there is no {word} here, but {', '.join(sorted(NAMES[name]))}")
    question = question_of(words)
    by = one_of("by", words.get("by", "month"), UNITS)
    if name == "volume":
        return asking.volume(by, question)
    if name == "cohorts":
        return asking.cohorts(by, question)
    if name == "pipeline":
        return pipeline(asking, question)
    return stage_times(asking, question, now)


def question_of(words: Mapping[str, str]) -> Question:
    """Of group, from and to."""
    group = words.get("group")
    if group is not None:
        one_of("group", group, DIMENSIONS)
    first = day_of("from", words["from"]) if "from" in words else date.min
    last = day_of("to", words["to"]) if "to" in words else date.max
    if first > last:
        raise ValueError(f"from {first} is after to {last}")
    return Question(group=group, first=first, last=last)


def day_of(word: str, text: str) -> date:
    try:
        if _DAY(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # such as 30 February
    raise ValueError(f"{word}: {text[:40]!r} is no day such as 2026-11-01")


def one_of(word: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise ValueError(f"{word}: {text[:40]!r} is none of {', '.join(known)}")
    return text
