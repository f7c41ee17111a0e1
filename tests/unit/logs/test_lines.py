"""What a line looks like, whatever is put into it."""

from __future__ import annotations

import json
import logging
import re
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.logs import Output, bare, librdkafka
from scorer.logs.limit import Limiter
from scorer.logs.lines import LONGEST, JsonLines, TextLines, instant, said

SECRET = "anna.secret@example.com"
ANY = st.text(alphabet=st.characters(exclude_categories=()), max_size=80)


def record(message: Any, *args: Any, level: int = logging.INFO, **more: Any) -> logging.LogRecord:
    fields = {"name": "scorer.x", "levelno": level, "levelname": logging.getLevelName(level), "msg": message}
    return logging.makeLogRecord(fields | {"args": args, "created": 1_795_454_170.1239} | more)


def in_json(made: logging.LogRecord) -> dict[str, Any]:
    text = JsonLines("worker").format(made)
    assert len(text.splitlines()) == 1
    found: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    return found


def raised(error: BaseException) -> Any:
    try:
        raise error  # noqa: TRY301
    except BaseException:  # noqa: BLE001
        return sys.exc_info()


def test_times_are_utc_with_milliseconds() -> None:
    assert instant(0) == "1970-01-01T00:00:00.000Z"
    assert instant(1_795_454_170.1239) == "2026-11-23T17:16:10.123Z"


def test_a_line_for_people() -> None:
    made = record("partition %d: %s", 3, "gone", level=logging.WARNING, partition=3)
    assert TextLines().format(made) == "2026-11-23T17:16:10.123Z WARNING scorer.x: partition 3: gone"


def test_a_line_for_machines() -> None:
    found = in_json(record("partition %d: %s", 3, "gone", partition=3, reason="gone", positions={"0": 7}))
    assert found.pop("process") > 0
    assert found == {
        "time": "2026-11-23T17:16:10.123Z",
        "level": "info",
        "component": "worker",
        "logger": "scorer.x",
        "message": "partition 3: gone",
        "partition": 3,
        "reason": "gone",
        "positions": {"0": 7},
    }


@given(ANY, st.dictionaries(ANY, ANY | st.floats() | st.none() | st.integers() | st.lists(ANY), max_size=3))
def test_whatever_is_said_is_one_line_of_json_and_comes_back(text: str, fields: dict[str, Any]) -> None:
    found = in_json(record("%s", text, fields=fields))
    assert found["message"] == text.encode("utf-8", "backslashreplace").decode()


@given(ANY)
def test_nothing_that_is_said_begins_a_line_of_its_own(text: str) -> None:
    lines = TextLines().format(record("%s", text)).splitlines()
    assert lines[0].startswith("2026-11-23T17:16:10.123Z INFO scorer.x:")
    assert all(line.startswith("    ") for line in lines[1:])


def test_an_exception_is_a_field() -> None:
    made = record("failed", exc_info=raised(ValueError("two\nlines")))
    assert re.search(r"(?s)test_lines.*\nValueError: two\nlines$", in_json(made)["exception"])
    assert "ValueError: two" in TextLines().format(made)


def test_what_led_to_it_is_told_first() -> None:
    try:
        try:
            raise KeyError("first")  # noqa: TRY301
        except KeyError as error:
            raise RuntimeError("second") from error
    except RuntimeError:
        text = in_json(record("failed", exc_info=sys.exc_info()))["exception"]
    assert text.index("KeyError") < text.index("which led to") < text.index("RuntimeError: second")


def test_an_error_among_records_is_told_without_its_message() -> None:
    engine: dict[str, Any] = {"__name__": "scorer.domain.engine"}
    exec("def step(value): int(value)", engine)  # noqa: S102 - stands for any code there
    with pytest.raises(ValueError, match=SECRET) as failed:
        engine["step"](SECRET)
    made = record("failed", exc_info=(ValueError, failed.value, failed.value.__traceback__))
    text = in_json(made)["exception"]
    assert "in step" in text
    assert SECRET not in text + TextLines().format(made)
    assert said(failed.value) == "ValueError"
    assert said(ValueError("ours")) == "ValueError('ours')"


def test_a_bare_error_says_what_and_where_and_nothing_else() -> None:
    cause = raised(KeyError(SECRET))[1]
    error = raised(ValueError(SECRET))[1]
    error.__cause__ = cause
    error.add_note(SECRET)
    told = bare(error)
    for lines in (JsonLines("worker"), TextLines(), logging.Formatter()):
        text = lines.format(record("failed", exc_info=(type(told), told, told.__traceback__)))
        assert "ValueError" in text
        assert "in raised" in text
        assert SECRET not in text


def test_arguments_that_do_not_fit_lose_no_line_and_say_nothing() -> None:
    made = record("%d records", SECRET)
    assert in_json(made)["message"] == "%d records"
    assert TextLines().format(made).endswith("%d records")


def test_a_very_long_message_is_cut() -> None:
    message = in_json(record("%s", "x" * 1_000_000))["message"]
    assert len(message) < LONGEST + 100
    assert "characters left out" in message


# -- the handler --------------------------------------------------------------------------------------


def output(clock: list[float], most: int = 3) -> tuple[Output, list[str]]:
    said: list[str] = []
    return Output(said.append, TextLines(), Limiter(most), lambda: clock[0], waits=False), said


def test_a_flood_is_a_few_lines_and_one_that_counts_the_rest() -> None:
    clock = [0.0]
    handler, lines = output(clock)
    for number in range(1_237):
        handler.handle(record("broken: %d", number))
    assert len(lines) == 3
    clock[0] = 59.9
    handler.flush()
    assert len(lines) == 3
    clock[0] = 60.0
    handler.handle(record("another"))
    assert lines[3].endswith("INFO scorer.x: … and 1,234 more in the last minute: broken: %d\n")
    assert lines[4].endswith("another\n")
    assert len(lines) == 5


def test_what_is_held_back_is_told_at_the_end_and_by_itself() -> None:
    handler, lines = output([0.0], most=1)
    for _ in range(3):
        handler.handle(record("again"))
    handler.close()
    assert lines[-1].endswith("… and 2 more in the last minute: again\n")

    told: list[str] = []
    waiting = Output(told.append, TextLines(), Limiter(1, seconds=0.05))
    waiting.handle(record("again"))
    waiting.handle(record("again"))
    timer = waiting._timer
    assert timer is not None
    timer.join(10)
    assert told[-1].endswith("… and 1 more in the last minute: again\n")
    waiting.close()


def test_numbers_in_what_a_library_has_filled_in_make_no_new_kind() -> None:
    handler, lines = output([0.0])
    for number in range(100):
        handler.handle(record(f"node {number} is gone"))
    assert len(lines) == 3


def test_the_last_words_are_never_held_back() -> None:
    handler, lines = output([0.0], most=1)
    for number in range(5):
        handler.handle(record("partition %d stopped", number, level=logging.CRITICAL))
    assert len(lines) == 5


def test_librdkafkas_errors_are_warnings_and_its_emergencies_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = librdkafka()
    log.log(logging.ERROR, "%s [%s] %s", "FAIL", "producer-1", "Connection refused")
    log.log(logging.CRITICAL, "%s [%s] %s", "FATAL", "producer-1", "fenced")
    assert [one.levelname for one in caplog.records] == ["WARNING", "CRITICAL"]
