"""Bugs of our own, planted in the engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scorer.domain import partition
from scorer.domain.record import Fact, decode_record


def failing(is_bad: Callable[[str], bool]) -> Callable[..., None]:
    """The engine's ``step`` with a bug: it fails on facts with such ids."""
    real = partition.step

    def step(rules: object, lead: object, key: bytes, fact: Fact, *rest: object) -> None:
        if is_bad(fact.id):
            lead.seq += 1000  # type: ignore[attr-defined] - half done when it fails
            raise ZeroDivisionError(fact.id)
        real(rules, lead, key, fact, *rest)  # type: ignore[arg-type]

    return step


class Planted:
    """A bug: the engine fails on facts with these ids, as they stand in ``bad``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bad: set[str]) -> None:
        self.bad = bad
        monkeypatch.setattr(partition, "step", failing(lambda id_: id_ in self.bad))


def bad_facts(log: list[tuple[bytes | None, bytes]], ids: range) -> dict[str, int]:
    """Ids of evaluated facts at these places among them -> offset of their first record."""
    found: dict[str, int] = {}
    for offset, (key, value) in enumerate(log):
        try:
            fact = decode_record(value)
        except Exception:  # noqa: BLE001, S112 - garbage
            continue
        if isinstance(fact, Fact) and key and fact.door in (1, 2):
            found.setdefault(fact.id, offset)
    return dict(list(found.items())[ids.start : ids.stop : ids.step])
