"""Bugs of our own, planted in the engine."""

from __future__ import annotations

import pytest

from scorer.domain import partition
from scorer.domain.record import Fact, decode_record


class Planted:
    """A bug: the engine fails on facts with these ids."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bad: set[str]) -> None:
        self.bad = bad
        real = partition.step

        def step(rules: object, lead: object, key: bytes, fact: Fact, *rest: object) -> None:
            if fact.id in self.bad:
                lead.seq += 1000  # type: ignore[attr-defined] - half done when it fails
                raise ZeroDivisionError(fact.id)
            real(rules, lead, key, fact, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(partition, "step", step)


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
