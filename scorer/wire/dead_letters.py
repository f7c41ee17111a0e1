"""The envelope of a record that could not be used: its original bytes, and why and where in headers."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

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

    ``detail`` names the field and the rule, and never holds a value.
    """

    # A door may hold nothing else, and an __init__ in Python is a third of what raising costs.
    if TYPE_CHECKING:
        args: tuple[Reason, str]

        def __init__(self, reason: Reason, detail: str) -> None: ...

    @property
    def reason(self) -> Reason:
        return self.args[0]

    @property
    def detail(self) -> str:
        return self.args[1]

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class DeadLetter(NamedTuple):
    """What is sent to ``dead.letters.v1``: key and value are the original record's, None included."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Place(NamedTuple):
    """Where a record stands or stood; ``topic`` without the deployment's prefix."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Origin(NamedTuple):
    """What the headers of a dead letter say."""

    reason: Reason
    detail: str
    topic: str
    partition: int
    offset: int
    at: int | None
    """Append time of the original record, ms since 1970-01-01 UTC."""

    @property
    def place(self) -> Place:
        return Place(self.topic, self.partition, self.offset)


class Redriven(NamedTuple):
    """A note among the dead letters: the record of one has been sent to its topic again."""

    times: int
    """How often it has been by now."""
    place: Place
    """Where the record stood that the letter is about, and ``at``, its append time there."""
    at: int | None
    sent: Place
    """Where it stands now, and ``sent_at``, its append time; None in the lead log, as in its letters."""
    sent_at: int | None


_REASONS: Final = {reason: ("reason", reason.encode()) for reason in Reason}


class Envelopes:
    """The dead letters of one partition: what headers share with those before them is made once."""

    def __init__(self, topic: str, partition: int) -> None:
        """``topic``: without the deployment's prefix."""
        self._topic = ("topic", topic.encode())
        self._partition = ("partition", b"%d" % partition)
        self._at = ("at", b"")
        self._at_ms: int | None = None

    def headers(self, reason: Reason, detail: str, offset: int, at: int | None) -> list[tuple[str, bytes]]:
        """Of one record; ``at``: its append time in ms."""
        if len(detail) <= MAX_DETAIL and detail.isascii():
            told = detail.encode()
        else:
            told = detail[:MAX_DETAIL].encode("utf-8", "backslashreplace")
        headers = [
            _REASONS[reason],
            ("detail", told),
            self._topic,
            self._partition,
            ("offset", b"%d" % offset),
        ]
        if at is not None:
            if at != self._at_ms:  # one and the same for all records of a batch
                self._at_ms = at
                self._at = ("at", b"%d" % at)
            headers.append(self._at)
        return headers


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
    return DeadLetter(key, value, Envelopes(topic, partition).headers(reason, detail, offset, at))


def origin(headers: Iterable[tuple[str, bytes | None]]) -> Origin:
    """The inverse of ``dead_letter``; raises ``ValueError`` when the headers are not a dead letter's."""
    given = dict(headers)
    try:
        return Origin(
            Reason(_text(given["reason"])), _text(given["detail"]), *_place(given, ""), _at(given.get("at"))
        )
    except KeyError as error:
        raise ValueError(f"not the headers of a dead letter: {error}") from error


def redriven_note(note: Redriven) -> DeadLetter:
    """What is appended behind a dead letter, in its partition, when its record has been sent again."""
    headers = [
        ("redriven", b"%d" % note.times),
        ("topic", note.place.topic.encode()),
        ("partition", b"%d" % note.place.partition),
        ("offset", b"%d" % note.place.offset),
        ("sent-topic", note.sent.topic.encode()),
        ("sent-partition", b"%d" % note.sent.partition),
        ("sent-offset", b"%d" % note.sent.offset),
    ]
    times = (("at", note.at), ("sent-at", note.sent_at))
    headers += [(name, b"%d" % at) for name, at in times if at is not None]
    return DeadLetter(None, None, headers)


def redriven(headers: Iterable[tuple[str, bytes | None]]) -> Redriven:
    """The inverse of ``redriven_note``; raises ``ValueError`` when the headers are not such a note's."""
    given = dict(headers)
    try:
        if "reason" in given:
            raise ValueError("a dead letter, and no note about one")
        return Redriven(
            int(_text(given["redriven"])),
            _place(given, ""),
            _at(given.get("at")),
            _place(given, "sent-"),
            _at(given.get("sent-at")),
        )
    except KeyError as error:
        raise ValueError(f"not the headers of a note: {error}") from error


_PLACE = re.compile(r"([A-Za-z0-9._-]+)\[([0-9]{1,10})\]@([0-9]{1,19})").fullmatch


def parse_place(text: str) -> Place:
    """The inverse of ``str`` of a ``Place``; raises ``ValueError``."""
    found = _PLACE(text)
    if found is None:
        raise ValueError(f"not topic[partition]@offset: {text}")
    topic, partition, offset = found.groups()
    return Place(topic, int(partition), int(offset))


def _place(given: dict[str, bytes | None], before: str) -> Place:
    topic, partition, offset = (_text(given[before + name]) for name in ("topic", "partition", "offset"))
    return Place(topic, int(partition), int(offset))


def _at(value: bytes | None) -> int | None:
    return None if value is None else int(value)


def _text(value: bytes | None) -> str:
    if value is None:  # as Kafka's headers may be
        raise ValueError("a header without a value")
    return value.decode()
