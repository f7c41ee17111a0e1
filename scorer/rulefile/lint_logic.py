"""What follows from conditions alone: that one can never hold, or that one holds whenever another does.

Every answer is sound: "never" and "implies" are said only of what is so for every lead and every activity.
The reverse is not promised; whoever asks for too much gets "may be".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from scorer.domain.model import (
    Absent,
    All,
    Any,
    Compare,
    Condition,
    Dated,
    InSegment,
    Matcher,
    Not,
    NotSince,
    Recent,
)
from scorer.rulefile.lint_values import FieldLeaf, satisfiable

Watched = Recent | Absent | NotSince
Wanted = tuple[Condition, bool]
"""A condition, and whether it has to hold or must not."""

PER_QUESTION = 20_000
PER_FILE = 200_000
"""Values looked at. Conditions of people need a few dozen; a file made to be hard is not thought through."""

_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class Conflict(NamedTuple):
    """Why a condition can never hold: what is said of this field or segment; None: it takes more than one."""

    field: str | None = None
    segment: str | None = None
    activity: str | None = None


class _Literals:
    """Conditions that are not made of others, all of which have to hold (or must not) at once."""

    def __init__(self) -> None:
        self.fields: dict[str, list[tuple[FieldLeaf, bool]]] = {}
        self.segments: dict[str, set[bool]] = {}
        self.watched: list[tuple[Watched, bool]] = []

    def copy(self) -> _Literals:
        made = _Literals()
        made.fields = {field: list(found) for field, found in self.fields.items()}
        made.segments = {name: set(found) for name, found in self.segments.items()}
        made.watched = list(self.watched)
        return made

    def add(self, leaf: FieldLeaf | InSegment | Watched, wanted: bool) -> None:  # noqa: FBT001
        if isinstance(leaf, Compare | Dated):
            self.fields.setdefault(leaf.field, []).append((leaf, wanted))
        elif isinstance(leaf, InSegment):
            self.segments.setdefault(leaf.name, set()).add(wanted)
        else:
            self.watched.append((leaf, wanted))


class Reasoner:
    """Answers about the conditions of one file, within a bound of effort for all of them together."""

    def __init__(self) -> None:
        self._file = PER_FILE
        self._question = PER_QUESTION

    def conflict(self, condition: Condition) -> Conflict | None:
        """Why the condition can never hold; None where it may."""
        self._question = PER_QUESTION
        literals = _Literals()
        choices = _spread([(condition, True)], literals)
        if core := self._clash(literals):
            return core
        return None if self._possible(literals, choices) else Conflict()

    def never(self, condition: Condition | None) -> bool:
        return condition is not None and self.conflict(condition) is not None

    def implies(self, condition: Condition | None, other: Condition | None) -> bool:
        """Whenever ``condition`` holds, ``other`` does; None always holds."""
        if other is None:
            return True
        self._question = PER_QUESTION
        return self._refuted(([] if condition is None else [(condition, True)]) + [(other, False)])

    def _refuted(self, wanted: list[Wanted]) -> bool:
        literals = _Literals()
        choices = _spread(wanted, literals)
        return self._clash(literals) is not None or not self._possible(literals, choices)

    def _possible(self, literals: _Literals, choices: list[list[Wanted]]) -> bool:
        """``literals``, which do not contradict each other, may hold with one of each of ``choices``."""
        if not choices or self._exhausted():
            return True
        choices = sorted(choices, key=len)
        for one in choices[0]:
            more = literals.copy()
            further = _spread([one], more)
            if self._clash(more) is None and self._possible(more, choices[1:] + further):
                return True
        return False

    def _exhausted(self) -> bool:
        return self._question <= 0 or self._file <= 0

    def _spend(self, effort: int) -> None:
        self._question -= effort
        self._file -= effort

    # -- contradictions -------------------------------------------------------------------------

    def _clash(self, literals: _Literals) -> Conflict | None:
        for field, found in literals.fields.items():
            self._spend(sum(len(leaf.value) if isinstance(leaf, Compare) else 1 for leaf, _ in found) + 1)
            if self._exhausted():
                return None
            if not satisfiable(found):
                return Conflict(field=field)
        for name, wanted in literals.segments.items():
            if len(wanted) > 1:
                return Conflict(segment=name)
        return self._clash_of_watched(literals.watched)

    def _clash_of_watched(self, found: Sequence[tuple[Watched, bool]]) -> Conflict | None:
        wanted = [leaf for leaf, holds in found if holds]
        unwanted = [leaf for leaf, holds in found if not holds]
        self._spend(len(wanted) * len(found))
        if self._exhausted():
            return None
        for leaf in wanted:
            needed = leaf.since if isinstance(leaf, NotSince) else leaf.matcher
            if not isinstance(leaf, Absent) and self._matches_nothing(needed):
                return Conflict(activity=needed.types[0])
            if any(_follows(leaf, other) for other in unwanted):
                return Conflict(activity=leaf.matcher.types[0])
            if isinstance(leaf, Recent):
                absent = (other for other in wanted if isinstance(other, Absent))
                # The newest such activity would be younger than the window, and as old as it or older.
                if any(leaf.window <= other.window and self._part(leaf, other) for other in absent):
                    return Conflict(activity=leaf.matcher.types[0])
        return None

    def _matches_nothing(self, matcher: Matcher) -> bool:
        return matcher.where is not None and self._refuted([(matcher.where, True)])

    def _part(self, recent: Recent, absent: Absent) -> bool:
        """Every activity of the one is an activity of the other."""
        if not set(recent.matcher.types) <= set(absent.matcher.types):
            return False
        narrow, wide = recent.matcher.where, absent.matcher.where
        if wide is None or _encode(narrow) == _encode(wide):
            return True
        return narrow is not None and self._refuted([(narrow, True), (wide, False)])


def _spread(wanted: list[Wanted], literals: _Literals) -> list[list[Wanted]]:
    """Take conditions apart: what has to hold goes to ``literals``, the rest are choices to make."""
    todo = list(wanted)
    choices: list[list[Wanted]] = []
    while todo:
        node, holds = todo.pop()
        if not isinstance(node, All | Any | Not):
            literals.add(node, holds)
            continue
        inner = holds != isinstance(node, Not)
        items: Iterable[Wanted] = ((item, inner) for item in node.items)
        if holds != isinstance(node, Any):
            todo.extend(items)
        else:
            choices.append(list(items))
    return choices


def _follows(leaf: Watched, other: Watched) -> bool:
    """``other`` holds whenever ``leaf`` does.

    Of the same activities only: each kind is watched from the day on which a rule first asked for it.
    """
    if type(leaf) is not type(other) or _encode(leaf.matcher) != _encode(other.matcher):
        return False
    if isinstance(leaf, Recent) and isinstance(other, Recent):
        return leaf.count >= other.count and leaf.window <= other.window
    if isinstance(leaf, Absent) and isinstance(other, Absent):
        return leaf.window >= other.window
    if isinstance(leaf, NotSince) and isinstance(other, NotSince):
        return leaf.wait >= other.wait and _encode(leaf.since) == _encode(other.since)
    return False
