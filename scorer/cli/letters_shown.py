"""Dead letters as text for people and for programs. Nothing in them reaches a terminal unescaped."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from scorer.log_lines import Recorded, line_of
from scorer.wire.dead_letters import Place, Reason
from scorer.wire.registry import DEAD_LETTERS, LOG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scorer.wire.redrive import Again, Letter, Noted, Redrives, Tally

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_DETAIL = 10
"""Characters of a detail that even a narrow terminal shows."""
_ROW = 16
"""Bytes in a line of a hex dump."""
_DUMPED = 4_096
"""Bytes of a value that are dumped; `list --json` has them all."""

_PUBLISHER = "The publisher has to send it correctly, as a new event; what is in here stays as it is."
EXPLAINED: dict[Reason, tuple[str, str]] = {
    Reason.NULL_VALUE: (
        "The record has no value. Nothing is deleted by one here: a door is a stream of events.",
        "Nothing is lost. Tell the publisher, if this goes on.",
    ),
    Reason.TOO_LARGE: (
        "As a record of the lead log it would be larger than Kafka takes there.",
        "The publisher has to send less `data` with the event.",
    ),
    Reason.NOT_JSON: ("The value is not JSON in UTF-8.", _PUBLISHER),
    Reason.NOT_CLOUDEVENT: (
        "The value is JSON, but no CloudEvent 1.0: an attribute is missing or is not as it should be.",
        _PUBLISHER,
    ),
    Reason.UNKNOWN_TYPE: (
        "The event's type does not belong to the door that it was sent to.",
        "Wrong door or wrong name: the publisher has to send it again. A newer version's: re-drive it then.",
    ),
    Reason.NO_LEAD: (
        "The event has no subject, user_id, email or anonymous_id from which to find the lead.",
        _PUBLISHER,
    ),
    Reason.BAD_TIME: (
        "The event's time is no RFC 3339 date-time with an offset.",
        _PUBLISHER,
    ),
    Reason.FUTURE: (
        "The event is dated more than 5 minutes after it was received: some clock is wrong.",
        "Have the publisher's clock put right. Re-drive it when its own time is less than 5 minutes ahead.",
    ),
    Reason.TOO_OLD: (
        "The event is dated more than 400 days before it was received.",
        "It stays refused: events of that age are no longer counted.",
    ),
    Reason.BAD_PROPERTIES: (
        "Something in the event's `data` is not as it should be.",
        _PUBLISHER,
    ),
    Reason.UNDECODABLE: (
        "It stands in the lead log and is no record: not scorer has written it, or a newer version has.",
        "Find out who writes there. Records of a newer version can be re-driven after the upgrade.",
    ),
    Reason.ENGINE_ERROR: (
        "The record is good; our own code failed on it, and again after a restart.",
        "The worker's log has the traceback at this place. Upgrade or have it mended, then re-drive.",
    ),
}


def printable(text: str) -> str:
    """A publisher's text without what would move a cursor or turn the reading direction."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode()
        for char in text
    )


def instant(at: int) -> str:
    """RFC 3339 in UTC, to the second; ``at``: ms since 1970."""
    return (_EPOCH + timedelta(milliseconds=at)).strftime("%Y-%m-%dT%H:%M:%SZ")


def count(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


# -- list ---------------------------------------------------------------------------------------------


def table(letters: Sequence[Letter], redrives: Redrives, width: int | None) -> Iterator[str]:
    """Lines; ``width``: characters to which they are cut, None for no bound."""
    rows = [("when (UTC)", "reason", "record", "detail")]
    rows += [
        (
            instant(letter.died)[5:19].replace("T", " "),
            letter.origin.reason.value,
            printable(str(letter.origin.place)),
            _marked(letter, redrives),
        )
        for letter in letters
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    left = None if width is None else max(width - sum(widths) - 6, _LEAST_DETAIL)
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row, widths, strict=False)]
        yield "  ".join([*cells, _cut(row[3], left)]).rstrip()


def _marked(letter: Letter, redrives: Redrives) -> str:
    marks = ""
    if redrives.since(letter.origin) is not None:
        marks = "[re-driven] "
    if before := redrives.before(letter.origin):
        marks += f"[died again x{before}] "
    return marks + printable(next(iter(letter.origin.detail.splitlines()), ""))


def _cut(text: str, width: int | None) -> str:
    return text if width is None or len(text) <= width else text[: width - 1] + "…"


def summary(reasons: Counter[Reason], shown: int, strangers: int) -> Iterator[str]:
    """The closing lines of a list."""
    total = reasons.total()
    by_reason = ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
    yield f"{count(total, 'dead letter')}: {by_reason}" if total else "no dead letters"
    if shown < total:
        yield f"these are the newest {shown:,}; --limit shows more"
    if strangers:
        yield f"{count(strangers, 'record')} in {DEAD_LETTERS} that scorer has not written"


def json_line(letter: Letter, redrives: Redrives) -> str:
    """One JSON object; keys and values are text where they are UTF-8, base64 otherwise."""
    of = letter.origin
    since = redrives.since(of)
    told: dict[str, Any] = {
        "when": instant(letter.died),
        "reason": of.reason.value,
        "detail": of.detail,
        "record": str(of.place),
        "topic": of.topic,
        "partition": of.partition,
        "offset": of.offset,
        "at": of.at,
        "redriven_before": redrives.before(of),
        "redriven_since": None if since is None else instant(since),
        "letter": str(Place(DEAD_LETTERS, letter.partition, letter.offset)),
    }
    told |= _text_or_base64("key", letter.key) | _text_or_base64("value", letter.value)
    if (cut := letter.headers.get("cut")) is not None:
        told["cut"] = cut.decode("ascii", "replace")
    return msgspec.json.encode(told).decode()


def _text_or_base64(name: str, data: bytes | None) -> dict[str, Any]:
    try:
        return {name: None if data is None else data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": data}


# -- show ---------------------------------------------------------------------------------------------


def detailed(letter: Letter, letters: int, notes: Iterable[Noted], verdict: Again | str) -> Iterator[str]:
    """All about one letter.

    ``letters``: how many there are of its record. ``verdict``: where it would be sent again, or why not.
    """
    of = letter.origin
    yield printable(str(of.place))
    yield f"  died {instant(letter.died)}, kept as {Place(DEAD_LETTERS, letter.partition, letter.offset)}"
    if letters > 1:
        yield f"  the newest of {letters} letters of this record"
    for noted in notes:
        note = noted.note
        if note.place == of.place and note.at == of.at:
            yield f"  re-driven {instant(noted.when)} as {printable(str(note.sent))}"
        else:
            yield f"  re-driven {instant(noted.when)} from {printable(str(note.place))}, and died again"
    why, advice = EXPLAINED[of.reason]
    yield from ("", f"why: {why}", f"     {printable(of.detail)}", f"what to do: {advice}")
    if isinstance(verdict, str):
        yield f"re-driving: not possible; {printable(verdict)}"
    else:
        yield f"re-driving: possible, to {verdict.topic}[{verdict.partition}]"
    yield from ("", "headers")
    for name, value in letter.headers.items():
        text = "(no value)" if value is None else printable(value.decode("utf-8", "backslashreplace"))
        yield f"  {printable(name)}: {text}"
    yield from _content("key", letter.key)
    yield from _content("value", letter.value)
    if of.topic == LOG:
        yield from ("", "the record")
        record = Recorded(of.offset, letter.key, letter.value)
        yield from _indented(msgspec.json.format(line_of(of.partition, record)).decode())


def _content(name: str, data: bytes | None) -> Iterator[str]:
    if data is None:
        yield from ("", f"no {name}")
        return
    yield from ("", f"{name}, {count(len(data), 'byte')}")
    if name == "key" and (text := _as_text(data)) is not None:
        yield f"  {text}"
    elif (text := _as_json(data)) is not None:
        yield from _indented(text)
    else:
        yield from _dump(data)


def _as_text(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if text and text.isprintable() else None


def _as_json(data: bytes) -> str | None:
    try:
        data.decode()
        msgspec.json.decode(data)
        return msgspec.json.format(data).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _indented(text: str) -> Iterator[str]:
    return (f"  {printable(line)}" for line in text.split("\n"))


def _dump(data: bytes) -> Iterator[str]:
    for start in range(0, min(len(data), _DUMPED), _ROW):
        row = data[start : start + _ROW]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)  # noqa: PLR2004 - ASCII's
        yield f"  {start:08x}  {row.hex(' '):<{_ROW * 3 - 1}}  {text}"
    if len(data) > _DUMPED:
        yield f"  ... and {count(len(data) - _DUMPED, 'byte')}; `list --json` has them all"


# -- redrive ------------------------------------------------------------------------------------------


def refusals(tally: Tally) -> Iterator[str]:
    """Why letters were not sent: the first of them, and how many more."""
    for refusal in tally.refusals:
        of = refusal.origin
        yield f"not re-driven: {printable(str(of.place))}: {of.reason}: {printable(refusal.why)}"
    if (more := tally.refused.total() - len(tally.refusals)) > 0:
        yield f"not re-driven: {more:,} more"


def outcome(tally: Tally, *, sent: bool) -> Iterator[str]:
    """How many by topic and reason; ``sent``: or would be."""
    lines = [
        (printable(topic), reason.value, f"{number:,}")
        for (topic, reason), number in sorted(tally.sent.items())
    ]
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(3)]
    for topic, reason, number in lines:
        yield f"  {topic.ljust(widths[0])}  {reason.ljust(widths[1])}  {number.rjust(widths[2])}"
    verb = "sent again" if sent else "would be sent again"
    parts = [f"{count(tally.sent.total(), 'record')} {verb}"]
    if refused := tally.refused.total():
        parts.append(f"{refused:,} refused")
    if tally.before:
        parts.append(f"{tally.before:,} re-driven before (--again sends them once more)")
    if tally.copies:
        parts.append(f"{count(tally.copies, 'further letter')} of the same records")
    yield ", ".join(parts)
