"""An event's data as the lead log keeps it: flat, plain, and without what identifies a person."""

from __future__ import annotations

from typing import Any, Final

from scorer.wire.cloudevents import shown
from scorer.wire.dead_letters import Reason, Rejected

MAX_DEPTH: Final = 4
"""Objects inside one another within ``data``; the names of the fields are joined with dots."""
MAX_FIELDS: Final = 256
"""Fields after flattening, those that are dropped not counted."""
MAX_LIST: Final = 100
MAX_NAME: Final = 128
"""Characters of one member's name, before joining."""

# Both ends of what 64-bit integers and JSON Schema can say alike; the upper end is excluded.
MIN_NUMBER: Final = -(2**63)
MAX_NUMBER: Final = 2**63

PERSONAL = frozenset(
    {"email", "user_id", "anonymous_id", "name", "first_name", "last_name", "phone", "ip"},
)
"""Fields that never reach the log readable, at any depth and in spellings that ``fold`` makes equal."""


def fold(name: str) -> str:
    """A field's name without what spellings differ in."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


_FOLDED = frozenset(map(fold, PERSONAL))

_CACHED_NAMES: Final = 10_000


def is_personal(name: str) -> bool:
    """Whether a field identifies a person by its name; of a dotted name each part counts."""
    return any(fold(part) in _FOLDED for part in name.split("."))


class Flattener:
    """``data`` to flat properties. Remembers names that it has seen; everything else is per call."""

    def __init__(self) -> None:
        self._personal: dict[str, bool] = {}

    def flat(self, data: dict[str, Any], nulls: bool) -> dict[str, Any]:  # noqa: FBT001 - a call by name costs
        """Flat properties, perhaps ``data`` itself; nulls are kept (a profile's removals) or dropped.

        Raises ``Rejected``.

        When two paths spell the same flat name, the later one counts.
        """
        # Nearly all data is flat and of names known from before: as good as it came.
        known = self._personal
        gone = []
        for name, value in data.items():
            personal = known.get(name)
            kind = type(value)
            if personal:
                if kind is not str:
                    break
                gone.append(name)
            elif personal is None:
                break
            elif kind is int or kind is float:
                if not MIN_NUMBER <= value < MAX_NUMBER:
                    break
            elif kind is not str and kind is not bool:
                break
        else:
            if len(data) - len(gone) <= MAX_FIELDS:
                for name in gone:
                    del data[name]
                return data
        flat: dict[str, Any] = {}
        self._collect(data, flat, "", 0, nulls=nulls)
        return flat

    def _collect(
        self, data: dict[str, Any], flat: dict[str, Any] | None, path: str, depth: int, *, nulls: bool
    ) -> None:
        """Adds ``data`` to ``flat``, or only checks it when that is None."""
        known = self._personal
        for name, value in data.items():
            personal = known.get(name)
            if personal is None:
                personal = self._learn(name, path)
            kind = type(value)
            if kind is dict:
                if depth == MAX_DEPTH:
                    raise _bad(path, name, f"more than {MAX_DEPTH} objects inside one another")
                inner = None if personal else flat
                self._collect(value, inner, f"{path}{name}.", depth + 1, nulls=nulls)
                continue
            if value is None:
                if not nulls:
                    continue
            elif kind is not str:
                _check(value, path, name)
            if not personal and flat is not None:
                flat[path + name] = value
        # Checked often enough that long paths can't multiply into much memory.
        if flat is not None and len(flat) > MAX_FIELDS:
            raise Rejected(Reason.TOO_LARGE, f"data: more than {MAX_FIELDS} fields")

    def _learn(self, name: str, path: str) -> bool:
        if not 1 <= len(name) <= MAX_NAME:
            raise _bad(path, name, f"a field's name has 1 to {MAX_NAME} characters")
        if len(self._personal) >= _CACHED_NAMES:
            self._personal.clear()
        personal = self._personal[name] = is_personal(name)
        return personal


def _check(value: Any, path: str, name: str) -> None:
    """Raises ``Rejected`` unless the value, no text and not null, may be a property's."""
    kind = type(value)
    if kind is int or kind is float:
        if not MIN_NUMBER <= value < MAX_NUMBER:
            raise _bad(path, name, "a number must be at least -2^63 and below 2^63")
    elif kind is list:
        if len(value) > MAX_LIST:
            raise _bad(path, name, f"a list has at most {MAX_LIST} elements")
        for element in value:
            if element is None or type(element) is list or type(element) is dict:
                raise _bad(path, name, "a list holds texts, numbers and booleans only")
            if type(element) is not str:
                _check(element, path, name)


def _bad(path: str, name: str, rule: str) -> Rejected:
    return Rejected(Reason.BAD_PROPERTIES, f"data: {shown(path + name)}: {rule}")
