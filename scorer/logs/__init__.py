"""The log of a process that runs for good, set up in one place; docs/logs.md says what it means.

    logs.set_up("worker", settings.log_format, settings.log_level)
    log.warning("partition %d: ...", number, extra={"partition": number})

The sentence says everything that a person needs; ``extra`` gives machines the same as fields, in JSON.
Never a record's content, an identifier or a lead's id, at no level.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TextIO

import msgspec

from scorer import __version__
from scorer.logs.limit import Held, Kind, Limiter
from scorer.logs.lines import JsonLines, TextLines, bare, exception_text, said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["bare", "exception_text", "failed", "in_json", "librdkafka", "log_start", "said", "set_up"]

TEXT, JSON = "text", "json"
SECRETS: Final = ("secret", "password")
"""What is in the name of a setting whose value is never shown."""
MORE: Final = "… and %s more in the last minute: %s"

_NUMBERS: Final = re.compile(r"\d+")
_QUIET: Final[Mapping[str, int]] = {
    # Their news is ours to tell: what is assigned, restored, listened on.
    "aiokafka": logging.WARNING,
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "uvicorn": logging.WARNING,
    # These three are what Faust logs under for the classes derived from its own.
    "scorer.worker.chunk_consumer": logging.WARNING,
    "scorer.worker.consumer_thread": logging.WARNING,
    "scorer.worker.transport": logging.WARNING,
    # "socket.send() raised exception": a sender has left.
    "asyncio": logging.ERROR,
    # "Timer livelock is overlapping": Faust's clocks run late, which only says that the machine is busy.
    "mode.timers": logging.ERROR,
}


class Output(logging.Handler):
    """Writes lines, each in one piece; of a kind that comes too often only how many more there were."""

    def __init__(
        self,
        write: Callable[[str], object],
        lines: logging.Formatter,
        limiter: Limiter | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        waits: bool = True,
    ) -> None:
        """``clock``: monotonic seconds. ``waits``: tell what was held back in time by itself, on a thread."""
        super().__init__()
        self.setFormatter(lines)
        self._write = write
        self._limiter = limiter or Limiter()
        self._clock = clock
        self._waits = waits
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        now = self._clock()
        self._tell(self._limiter.due(now))
        if record.levelno >= logging.CRITICAL or self._limiter.shows(_kind(record), now):
            self._put(record)
        elif self._waits and self._timer is None:
            self._wait(now)

    def flush(self) -> None:
        """What was held back in windows that are over is told."""
        with self._held():
            self._tell(self._limiter.due(self._clock()))

    def close(self) -> None:
        """What was held back is told."""
        with self._held():
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._tell(self._limiter.rest())
        super().close()

    @contextmanager
    def _held(self) -> Iterator[None]:
        """The lock under which lines are written."""
        self.acquire()
        try:
            yield
        finally:
            self.release()

    def _wait(self, now: float) -> None:
        due = self._limiter.next_due()
        self._timer = None
        if due is not None:
            timer = threading.Timer(max(due - now, 0.0), self._woken)
            timer.daemon = True
            with suppress(RuntimeError):  # Python is about to end: see ``close``
                timer.start()
                self._timer = timer

    def _woken(self) -> None:
        with self._held():
            if self._timer is not None:  # else closed
                now = self._clock()
                self._tell(self._limiter.due(now))
                self._wait(now)

    def _tell(self, held: list[Held]) -> None:
        for kind, lines in held:
            about = {
                "name": kind.logger,
                "levelno": kind.level,
                "levelname": logging.getLevelName(kind.level),
                "msg": MORE,
                "args": (f"{lines:,}", kind.template.partition("\n")[0]),
                "suppressed": lines,
            }
            self._put(logging.makeLogRecord(about))

    def _put(self, record: logging.LogRecord) -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more
            self._write(self.format(record) + "\n")


def _kind(record: logging.LogRecord) -> Kind:
    template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    if not record.args:  # it may have been filled in by whoever wrote it
        template = _NUMBERS.sub("#", template)
    return Kind(record.name, record.levelno, template[:200])


def set_up(component: str, style: str, level: str, *, stream: TextIO | None = None) -> None:
    """From now on everything that is logged goes to ``stream`` (stderr), once.

    ``component``: what this process is, such as worker. ``style``: text or json. ``level``: of our own
    lines; libraries tell less, and never what they send: INFO at the most.
    """
    chosen = logging.getLevelNamesMapping()[level.upper()]
    out = sys.stderr if stream is None else stream

    def write(line: str) -> None:
        out.write(line)
        out.flush()

    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(Output(write, JsonLines(component) if style == JSON else TextLines()))
    root.setLevel(chosen)
    for name, least in _QUIET.items():
        if chosen < logging.INFO and least == logging.WARNING:
            least = logging.INFO  # noqa: PLW2901
        logging.getLogger(name).setLevel(max(least, chosen))
    logging.captureWarnings(capture=True)
    log = logging.getLogger("scorer")

    def uncaught(kind: type[BaseException], error: BaseException, _: Any) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            log.critical("fatal: %s", said(error), exc_info=error)

    def in_thread(told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None:
            name = "?" if told.thread is None else told.thread.name
            log.error("a thread has failed: %s", name, exc_info=told.exc_value, extra={"thread_name": name})

    sys.excepthook = uncaught
    threading.excepthook = in_thread


def in_json() -> bool:
    """Whether this process writes JSON."""
    return any(
        isinstance(handler, Output) and isinstance(handler.formatter, JsonLines)
        for handler in logging.getLogger().handlers
    )


def log_start(component: str, settings: msgspec.Struct, **fields: Any) -> None:
    """Says what has started, and with which settings that are not the usual ones; no secrets."""
    shown = _unusual(settings)
    logging.getLogger("scorer").info(
        "started: scorer %s %s%s",
        __version__,
        component,
        "".join(f", {name} {value}" for name, value in shown.items()),
        extra={"version": __version__, "settings": shown, **fields},
    )


def _unusual(settings: msgspec.Struct) -> dict[str, str]:
    """Settings that differ from their defaults; of secrets only that they are set."""
    usual = type(settings)()
    given = {name: getattr(settings, name) for name in settings.__struct_fields__}
    return {
        name: "set" if any(one in name for one in SECRETS) else str(value)
        for name, value in given.items()
        if value != getattr(usual, name)
    }


def failed(log: logging.Logger, what: str, **fields: Any) -> None:
    """To be called where our own code has failed on something that was sent, while its error is handled."""
    error = sys.exc_info()[1]
    log.error(what, exc_info=None if error is None else bare(error), extra=fields)


class _Librdkafka(logging.LoggerAdapter[logging.Logger]):
    """Takes librdkafka's lines: ``logger=`` of a client. Its "error" is a broker that does not answer yet."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        if args and level < logging.CRITICAL:
            level = min(level, logging.WARNING)
        self.logger.log(level, msg, *args, **kwargs)


def librdkafka() -> _Librdkafka:
    return _Librdkafka(logging.getLogger("librdkafka"), {})
