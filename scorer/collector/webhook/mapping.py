"""The mapping file of a signed webhook: what its messages mean, as a plain value. docs/webhooks.md
describes it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from scorer.collector.webhook.selectors import Selector

ALGORITHMS: Final = ("sha256", "sha1", "sha512")
ENCODINGS: Final = ("hex", "base64")
WINDOW_MS: Final = 5 * 60_000


class Standard(NamedTuple):
    """As the specification Standard Webhooks says."""

    window: int = WINDOW_MS
    """ms."""


class Mac(NamedTuple):
    """HMAC in one header."""

    header: str
    algorithm: str
    encoding: str
    prefix: str
    """What stands before it in the header."""
    timestamp: str
    """The header that holds the time; "": none."""
    signed: str
    """What is signed: ``{timestamp}`` and ``{body}`` stand for themselves."""
    window: int


class Equals(NamedTuple):
    """What a selector finds is one of these."""

    selector: Selector
    values: tuple[Any, ...]


class Rule(NamedTuple):
    """One kind of message."""

    when: tuple[Equals, ...]
    """All of them hold."""
    type: str
    topic: str
    id: Selector | None
    """None: the content is the id."""
    time: Selector | None
    """None: when it was received."""
    subject: Selector | None
    identifiers: tuple[tuple[str, Selector], ...]
    """Fields of ``data`` that find the lead."""
    data: tuple[tuple[str, Any], ...]
    """Names, with selectors or values."""


class Mapping(NamedTuple):
    name: str
    signature: Standard | Mac
    each: Selector | None
    """The list in a message whose members are events; None: the message is one."""
    rules: tuple[Rule, ...]
    """The first that fits counts."""
