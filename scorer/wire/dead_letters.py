"""The envelope of a record that could not be used: its original bytes, and why and where in headers."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

TOPIC = "dead.letters.v1"

MAX_DETAIL = 400
"""Characters of ``detail`` that are kept: with the other headers well under the topic's spare bytes."""


class Reason(StrEnum):
    """Why a record is dead: a closed set, so that it can be counted and alerted on."""

    NULL_VALUE = "null_value"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NOT_CLOUDEVENT = "not_cloudevent"
    UNKNOWN_TYPE = "unknown_type"
    NO_LEAD = "no_lead"
    BAD_TIME = "bad_time"
    FUTURE = "future"
    TOO_OLD = "too_old"
    BAD_PROPERTIES = "bad_properties"
    UNDECODABLE = "undecodable"
    """A record of the lead log that is none of the structs in ``scorer.domain.record``."""
    ENGINE_ERROR = "engine_error"
    """Our own code failed on it, again and after a restart from the last cut."""


class Rejected(Exception):  # noqa: N818 - the name says what happened to the record
    """A door record that is its publisher's fault.

    ``detail`` names the field and the rule, and never holds a value of a field that identifies a person.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class DeadLetter(NamedTuple):
    """What is sent to ``dead.letters.v1``: key and value are the original record's, None included."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Origin(NamedTuple):
    """What the headers of a dead letter say."""

    reason: Reason
    detail: str
    topic: str
    partition: int
    offset: int
    at: int | None
    """Append time of the original record, ms since 1970-01-01 UTC."""


def dead_letter(
    reason: Reason,
    detail: str,
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    at: int | None = None,
) -> DeadLetter:
    """The envelope of one record; ``topic`` without the deployment's prefix, ``at`` its append time in ms."""
    headers = [
        ("reason", reason.encode()),
        ("detail", detail[:MAX_DETAIL].encode("utf-8", "backslashreplace")),
        ("topic", topic.encode()),
        ("partition", b"%d" % partition),
        ("offset", b"%d" % offset),
    ]
    if at is not None:
        headers.append(("at", b"%d" % at))
    return DeadLetter(key, value, headers)


def origin(headers: Iterable[tuple[str, bytes]]) -> Origin:
    """The inverse of ``dead_letter``; raises ``ValueError`` when the headers are not a dead letter's."""
    given = dict(headers)
    try:
        at = given.get("at")
        return Origin(
            reason=Reason(given["reason"].decode()),
            detail=given["detail"].decode(),
            topic=given["topic"].decode(),
            partition=int(given["partition"]),
            offset=int(given["offset"]),
            at=None if at is None else int(at),
        )
    except (KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"not the headers of a dead letter: {error}") from error
