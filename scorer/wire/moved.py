"""What the rules topic says of a lead log that is moved: in the old place where to, in the new from where.

Whoever would append to a log asks first (``door_book``, ``rules_apply``), so neither the old log nor one that
is only half there is written to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from scorer.settings import Settings

MOVED_TO: Final = b"moved_to"
COMES_FROM: Final = b"comes_from"
"""Keys in the rules topic."""


class Place(msgspec.Struct, array_like=True, frozen=True):
    """One installation's lead log."""

    bootstrap: str
    prefix: str
    log: str
    """Kafka's id of it."""

    def __str__(self) -> str:
        prefix = f" under the prefix {self.prefix}" if self.prefix else ", without a prefix"
        return f"{self.bootstrap}{prefix}"


encode_place = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Place).decode


def place_of(settings: Settings, log: str) -> Place:
    """``log``: Kafka's id of the lead log."""
    return Place(settings.bootstrap, settings.topic_prefix, log)


class Marks:
    """To be shown every record of the rules topic, in order."""

    def __init__(self) -> None:
        self.moved_to: Place | None = None
        self.comes_from: Place | None = None

    def take(self, key: bytes | None, value: bytes | None) -> None:
        if key == MOVED_TO:
            self.moved_to = None if value is None else _decode(value)
        elif key == COMES_FROM:
            self.comes_from = None if value is None else _decode(value)

    def refusal(self, *, complete: bool) -> str | None:
        """Why nothing may be appended to the log; None: it may. ``complete``: every partition has rules."""
        if self.moved_to is not None:
            return f"the lead log has been moved to {self.moved_to}: start with the settings of that place"
        if self.comes_from is not None and not complete:
            return (
                f"the lead log is being moved here from {self.comes_from}: wait until `scorer log migrate`"
                " has finished, or run it again if it was interrupted"
            )
        return None
