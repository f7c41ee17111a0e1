"""What a source is: it makes activities of one kind of request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from scorer.wire.cloudevents import Event


class Request(NamedTuple):
    """One request, read whole; the body unpacked."""

    method: str
    path: str
    """Below the source's mount, without a leading slash; percent-decoded."""
    query: Mapping[str, str]
    """The first value of each."""
    headers: Mapping[str, str]
    """Names in lower case; repeated ones joined with ", "."""
    body: bytes
    received: int
    """ms since the epoch."""
    url: str
    """As the sender addressed it, for signatures over it: scheme, host, path and query (the public base
    URL of the settings stands for scheme and host, if given)."""
    address: str
    """The sender's IP address, truncated unless the settings say otherwise; "" if unknown."""


class Key(NamedTuple):
    """What the keys file says of one publisher."""

    name: str
    """In metrics, logs and the events' source; never secret."""
    secrets: tuple[bytes, ...]
    """Any of them counts: that is how they are rotated."""
    options: Mapping[str, str]
    """Of this kind of source."""


# Of these two there is one each for every event of a batch: a struct is made in an eighth of a tuple's time.


class Activity(msgspec.Struct, frozen=True, gc=False):
    """One event for one door."""

    topic: str
    event: Event


class Item(msgspec.Struct, frozen=True, gc=False):
    """One part of a request, so that an answer can say what became of it."""

    activities: Sequence[Activity]
    """None: well understood, and nothing to score (the source's docstring says what)."""
    refused: str | None = None
    """Why it can't be read; says no value of the payload."""


class Answer(NamedTuple):
    """Of a source that does not answer as the others do (a picture, a redirect, a challenge)."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Reading(NamedTuple):
    """What a source has made of a request."""

    items: Sequence[Item]
    answer: Answer | None = None
    """Given once everything is acknowledged; None: the usual JSON answer."""
    wait: bool = True
    """False: answer at once (a pixel); failure is counted, not told."""


class RefusedError(Exception):
    """The request as a whole, with the status to answer: (status, code, message). Says no value of it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status, self.code, self.message = status, code, message


class Source(Protocol):
    """Stateless but for what its docstring names; built once per process from its ``Key``."""

    def read(self, request: Request) -> Reading:
        """Verify, decode and map; raises ``RefusedError`` and nothing else on any input."""
