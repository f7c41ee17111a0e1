"""What a line of the log looks like: text for people, JSON for machines. One event is one line of JSON.

Nothing that a record says of a person gets in here by way of an exception: one that comes out of the code
which handles records is told without its message, which may repeat a value. See ``private``.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 8_000
"""Characters of a message or an exception; the middle of a longer one is left out."""
RECORDS: Final = ("scorer.domain", "scorer.wire", "scorer.collector", "scorer.insights")
"""Where values of records are handled."""
PLAIN: Final = ("aiokafka", "cimpl", "confluent_kafka", "scorer")
"""Whose own kinds of errors name topics, offsets and addresses of brokers, and no value."""

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_UNSEEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def instant(seconds: float) -> str:
    """UTC, ISO 8601 with milliseconds: 2026-11-23T17:16:10.123Z. ``seconds``: since 1970."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def private(error: BaseException) -> bool:
    """Whether an error's message may repeat what a record says."""
    if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in PLAIN:
        return False
    return any(
        str(frame.f_globals.get("__name__", "")).startswith(RECORDS)
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def said(error: BaseException) -> str:
    """An error in a few words, with its message unless that is private."""
    return type(error).__name__ if private(error) else repr(error)


def bare(error: BaseException) -> BaseException:
    """The error's kind and traceback without anything that it says, for ``exc_info``."""
    kind = type(type(error).__name__, (Exception,), {"__module__": type(error).__module__})
    nothing: BaseException = kind()
    return nothing.with_traceback(error.__traceback__)


def exception_text(error: BaseException) -> str:
    """Tracebacks of an error and of those that led to it, the first one first."""
    return "\nwhich led to\n".join(reversed([_traceback(one) for one in _chain(error)]))


def _traceback(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    kind = type(error).__name__
    message = "" if private(error) else str(error)
    return f"Traceback (most recent call last):\n{frames}{kind}: {message}" if message else f"{frames}{kind}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _message(record: logging.LogRecord) -> str:
    try:
        return _short(record.getMessage())
    except Exception:  # noqa: BLE001 - arguments that do not fit: the line is wanted all the same
        return _short(str(record.msg))


def _exception(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    return "" if error is None else _short(exception_text(error))


def _short(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]} ... {len(text) - LONGEST:,} characters left out ... {text[-half:]}"


class TextLines(logging.Formatter):
    """``TIME LEVEL LOGGER: message``. Further lines of the same event are indented."""

    def format(self, record: logging.LogRecord) -> str:
        text = f"{instant(record.created)} {record.levelname} {record.name}: {_message(record)}"
        if exception := _exception(record):
            text = f"{text}\n{exception}"
        return _UNSEEN.sub(_escaped, text.rstrip()).replace("\n", "\n    ")


class JsonLines(logging.Formatter):
    """One object: ``time``, ``level``, ``component``, ``process``, ``logger``, ``message``, what a line
    gives as ``extra``, and ``exception`` where there is one. Everything but ASCII is escaped.
    """

    def __init__(self, component: str) -> None:
        super().__init__()
        self._ours = {"component": component, "process": os.getpid()}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": instant(record.created),
            "level": record.levelname.lower(),
            **self._ours,
            "logger": record.name,
            "message": _message(record),
        }
        for name, value in record.__dict__.items():
            if name not in _STANDARD and name not in line:
                line[name] = value
        if exception := _exception(record):
            line["exception"] = exception
        return json.dumps(_clean(line), default=str, separators=(",", ":"))


def _clean(value: Any) -> Any:
    """What strict readers of JSON take: no lone surrogates, no NaN, keys that are text."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {_clean(str(name)): _clean(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(one) for one in value]
    return value if value is None or isinstance(value, (bool, int)) else _clean(str(value))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
