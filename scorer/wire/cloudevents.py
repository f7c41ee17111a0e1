"""Structured CloudEvents 1.0 in JSON: one message of a door topic, decoded and checked.

What is accepted is, attribute by attribute, what ``schemas/messages/event.schema.json`` says; the
contract tests hold the two together. A JSON member that is repeated counts with its last value, as
in every JSON library that a schema would be checked with.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

import msgspec

from scorer.wire.dead_letters import Reason, Rejected

_LONGEST = 200
"""Characters of msgspec's message."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[._-][A-Za-z0-9_]+)*").fullmatch
_SHOWN = 60
"""Characters of a name that a detail repeats."""


MAX_ID: Final = 256
MAX_SOURCE: Final = 512
MAX_SUBJECT: Final = 256
"""Characters."""


class Event(msgspec.Struct, gc=False):
    """The attributes that intake reads; all others are allowed and ignored. null stands for absent."""

    specversion: Literal["1.0"]
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SOURCE)]
    type: str
    data: dict[str, Any]
    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SUBJECT)] | None = None
    time: str | None = None


class Head(msgspec.Struct, gc=False):
    """What a message says first, whatever it is."""

    type: Any = None
    time: Any = None


_decode_head = msgspec.json.Decoder(Head).decode


def head_of(value: bytes) -> Head:
    """Without its members where it is no message; raises nothing."""
    try:
        return _decode_head(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Head()


_MEMBER: Final = " at `$."
"""What msgspec's message holds where a member does not fit, and not one that is missing."""

_REPEATS: Final = "Invalid enum value"
"""How msgspec's one message begins that goes on with the value: a wrong specversion."""

_decode_event = msgspec.json.Decoder(Event).decode
_decode_any = msgspec.json.Decoder().decode
_encode_any = msgspec.json.Encoder().encode

_BLAME = {
    "`$.data`": Reason.BAD_PROPERTIES,
    "`$.time`": Reason.BAD_TIME,
    "`$.subject`": Reason.NO_LEAD,
    "`$.type`": Reason.UNKNOWN_TYPE,
}


def decode(value: bytes) -> Event:
    """The event in a door record's value; raises ``Rejected`` and nothing else."""
    # msgspec does not look at the bytes of text that it skips.
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError as error:
            raise Rejected(Reason.NOT_JSON, f"not UTF-8 at byte {error.start}") from None
    try:
        return _decode_event(value)
    except msgspec.ValidationError as error:
        return _decode_last_members(value, str(error))
    except msgspec.DecodeError as error:
        raise Rejected(Reason.NOT_JSON, str(error)) from None
    except RecursionError:
        raise Rejected(Reason.BAD_PROPERTIES, "nested too deeply") from None


def _decode_last_members(value: bytes, misfit: str) -> Event:
    """As ``decode``, for a message that does not fit the type, which may be for a repeated member's sake.

    ``misfit``: what msgspec says of it, having read as far as the first member that does not fit.
    """
    try:
        members = _decode_any(value)
        if _MEMBER in misfit:
            plain = _encode_any(members)
            if plain != value:
                return _decode_event(plain)
    except msgspec.ValidationError as error:
        misfit = str(error)
    except msgspec.DecodeError as error:
        raise Rejected(Reason.NOT_JSON, str(error)) from None
    except RecursionError:
        raise Rejected(Reason.BAD_PROPERTIES, "nested too deeply") from None
    path = misfit.rpartition(" at ")[2]
    if misfit.startswith(_REPEATS):
        misfit = f"Invalid value - at {path}"
    raise Rejected(_BLAME.get(path, Reason.NOT_CLOUDEVENT), misfit[:_LONGEST]) from None


def shown(text: str) -> str:
    """The name of a field or a type as a detail may repeat it: quoted, or left out where it is hardly one.

    Details are read by more people than records are, and an address may stand where a name should.
    """
    if _NAME(text) is None:
        return f"(a text of {len(text)} characters)"
    return f"'{text}'" if len(text) <= _SHOWN else f"'{text[:_SHOWN]}...'"
