"""A process's whole output, whatever happens in it. Each case is a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
    import logging, sys, threading, warnings
    from pathlib import Path
    from scorer import logs
    from scorer.settings import Settings
    logs.set_up("worker", sys.argv[1], "info")
    logs.log_start("worker", Settings(lead_secret="hush-1", bootstrap="kafka:9092"), parts=["score"])
    log = logging.getLogger("scorer.test")
    warnings.warn("old\\nthing")
    log.info("several\\nlines", extra={"partition": 3})
    thread = threading.Thread(target=lambda: 1 / 0, name="reader")
    thread.start()
    thread.join()
    for number in range(1000):
        logging.getLogger("aiokafka.client").error("Unable connect to node with id %s", number)
    logging.getLogger("aiokafka.client").info("chatter")
    logging.getLogger("mode.timers").warning("late")
    log.debug("too much")
    raise RuntimeError("the end")
"""


def run(style: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), style], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_every_line_is_an_object() -> None:
    lines = [json.loads(line) for line in run("json")]
    assert [(line["level"], line["logger"]) for line in lines[:4]] == [
        ("info", "scorer"),
        ("warning", "py.warnings"),
        ("info", "scorer.test"),
        ("error", "scorer"),
    ]
    started, _, several, thread = lines[:4]
    assert started["settings"] == {"bootstrap": "kafka:9092", "lead_secret": "set"}
    assert started["parts"] == ["score"]
    assert (several["message"], several["partition"]) == ("several\nlines", 3)
    assert thread["thread_name"] == "reader"
    assert "ZeroDivisionError" in thread["exception"]
    flood, rest = lines[4:-2], lines[-2:]
    assert [line["message"] for line in flood] == [f"Unable connect to node with id {n}" for n in range(20)]
    assert "RuntimeError: the end" in rest[0]["exception"]
    assert rest[1]["message"] == "… and 980 more in the last minute: Unable connect to node with id %s"
    assert (rest[1]["suppressed"], rest[1]["level"], rest[1]["logger"]) == (980, "error", "aiokafka.client")
    assert {line["component"] for line in lines} == {"worker"}


def test_text_has_an_event_at_the_beginning_of_each_line_that_is_not_indented() -> None:
    lines = [line for line in run("text") if not line.startswith("    ")]
    assert len(lines) == 4 + 20 + 2
    assert all(line[:2] == "20" and line[23:24] == "Z" for line in lines)
    assert "started: scorer" in lines[0]
    assert ", bootstrap kafka:9092, lead_secret set" in lines[0]
    assert "hush" not in "".join(lines)


@pytest.mark.parametrize("style", ["json", "JSON"])
def test_a_workers_last_words_are_json_too(style: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = {
            "SCORER_METRICS_PORT": str(taken.getsockname()[1]),
            "SCORER_DATA_DIR": str(tmp_path),
            "SCORER_LOG_FORMAT": style,
        }
        done = subprocess.run(
            [sys.executable, "-m", "scorer", "worker", "--only", "intake"],
            env=os.environ | given,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stderr.splitlines()]
    assert (
        lines[0]["message"] == "SCORER_LEAD_SECRET is not set; lead ids can be guessed from e-mail addresses"
    )
    assert (lines[-1]["level"], lines[-1]["message"][:32]) == ("critical", "stopped: metrics can't be served")
    assert lines[-1]["hint"] == "SCORER_METRICS_PORT chooses another port, 0 a free one"


def test_a_word_that_is_no_format_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scorer", "worker"],
        env=os.environ | {"SCORER_LOG_FORMAT": "yaml"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "log_format" in done.stderr
