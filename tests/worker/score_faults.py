"""Bugs of our own, planted in the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scorer.domain import partition
from scorer.domain.record import Fact, decode_record


def plant(is_bad: Callable[[str], bool], set_: Callable[[str, Any], object]) -> None:
    """A bug in the engine: it fails on facts with such ids. ``set_`` sets a name of the partition module."""
    decode, real = partition.decode_posted, partition.step
    last = [""]  # the id of the fact decoded last, which the engine itself never asks for

    def decoded(value: bytes) -> Any:
        record = decode(value)
        last[0] = getattr(record, "id", "")
        return record

    def step(rules: Any, lead: Any, *rest: Any) -> None:
        if is_bad(last[0]):
            lead.seq += 1000  # half done when it fails
            raise ZeroDivisionError(last[0])
        real(rules, lead, *rest)

    set_("decode_posted", decoded)
    set_("step", step)


class Planted:
    """A bug: the engine fails on facts with these ids, as they stand in ``bad``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, bad: set[str]) -> None:
        self.bad = bad
        plant(lambda id_: id_ in self.bad, lambda name, value: monkeypatch.setattr(partition, name, value))


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
