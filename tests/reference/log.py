"""What the oracle reads: the lead log with control records unpacked."""

from __future__ import annotations

from dataclasses import dataclass

from scorer.domain.model import Model
from scorer.domain.record import ANNOUNCE_ALL, Doors, Fact, ImportBegin, ImportEnd, Rebuilt


@dataclass(frozen=True)
class About:
    """A fact of one lead."""

    lead: str
    fact: Fact


@dataclass(frozen=True)
class ReadThrough:
    """A clock record: door number -> the time (ms) through which that door has been read."""

    times: dict[int, int]


@dataclass(frozen=True)
class InForce:
    """A rules record with the model it carries."""

    version: int
    model: Model
    announce: int = ANNOUNCE_ALL


@dataclass(frozen=True)
class Past:
    """What a rebuild says of one lead; the oracle knows it anyhow."""

    lead: str
    past: Rebuilt


Entry = About | ReadThrough | InForce | Past | Doors | ImportBegin | ImportEnd
