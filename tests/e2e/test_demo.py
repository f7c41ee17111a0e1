"""``scorer demo`` as a person runs it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from fcntl import ioctl
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from scorer.demo.run import Options, run
from scorer.dev.kafka import KafkaCluster
from scorer.errors import UserError

BEGINS = 60.0
"""Seconds within which a demonstration has to begin, also on a busy machine."""
ENTER, LEAVE, HOME = "\x1b[?1049h", "\x1b[?1049l", "\x1b[H"
LIVE = r"qualified [^\n]*Trial signup \+15"
"""What the first to qualify by live traffic is shown with."""

pytestmark = pytest.mark.slow


class Demo:
    """A running demonstration. Everything it may leave behind would be found under ``folder``."""

    def __init__(self, folder: Path, *arguments: str, columns: int = 0, rows: int = 0) -> None:
        self.folder = folder
        self.figures = folder.parent / "figures.jsonl"
        self._said = b""
        self._controller, terminal = pty.openpty() if columns else os.pipe()
        if columns:
            ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {
            **os.environ,
            "TMPDIR": str(folder),
            "SCORER_FIGURES": str(self.figures),
            "TERM": "xterm-256color",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "scorer", "demo", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                block = os.read(self._controller, 65536)
            except OSError:  # how a terminal says that everybody has left
                return
            if not block:
                return
            self._said += block

    @property
    def output(self) -> str:
        return self._said.decode("utf-8", "replace")

    def await_output(self, text: str, seconds: float = BEGINS) -> None:
        self._until(lambda: re.search(text, self.output) is not None, f"to say {text}", seconds)

    def end(self, code: int = 0, seconds: float = BEGINS) -> None:
        self._until(lambda: self.process.poll() is not None, "to end", seconds)
        self.close()
        assert self.process.returncode == code, self.output

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._reader.is_alive():
            self._reader.join(10)
            os.close(self._controller)

    def processes(self) -> list[int]:
        """Whatever runs with the demonstration's folder for temporary files, the demonstration included."""
        return [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/environ")
            if f"TMPDIR={self.folder}\0" in _text(path) and _text(path.with_name("cmdline"))
        ]

    def workers(self) -> list[int]:
        return [pid for pid in self.processes() if "\0worker\0" in _text(Path(f"/proc/{pid}/cmdline"))]

    def assert_nothing_left(self) -> None:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and (self.processes() or list(self.folder.iterdir())):
            time.sleep(0.05)
        assert self.processes() == []
        assert list(self.folder.iterdir()) == []

    def _until(self, holds: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline or (self.process.poll() is not None and not holds()):
                ended = self.process.poll()
                self.close()
                pytest.fail(f"expected the demonstration {what} (ended: {ended}); it said:\n{self.output}")
            time.sleep(0.02)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    running: list[Demo] = []
    folder = tmp_path / "tmp"
    folder.mkdir()

    def start(*arguments: str, columns: int = 0, rows: int = 0) -> Demo:
        running.append(Demo(folder, *arguments, columns=columns, rows=rows))
        return running[-1]

    yield start
    for one in running:
        one.close()


def test_it_shows_outcomes_ends_by_itself_and_leaves_nothing(demo: Callable[..., Demo]) -> None:
    running = demo("--for", "25s")
    running.end(seconds=120)
    text = running.output
    assert re.search(r" qualified \S+ \S+ at \d+\.\d: .*Trial signup \+15", text)
    assert re.search(r" disqualified .* at 1\d\.\d: Call or demo cancelled -10, Call booked \+20", text)
    assert re.search(r" disqualified .* \(by time alone\): .*No e-mail opened lately -5", text), (
        "nobody did a thing"
    )
    assert re.search(r" disqualified .*Rejected by sales", text)
    assert re.search(r" disqualified .*Student or unemployed.*by time alone", text)
    assert re.search(
        r"\d+ events came through the doors in 25 s, after 1\d\d of history: \d+ leads scored", text
    )
    assert re.search(r"2 unreadable messages became dead letters: no_lead 1, not_json 1", text)
    assert "scorer demo --kafka" in text
    assert "\x1b" not in text, "no terminal, no escape sequences"
    running.assert_nothing_left()
    figure = json.loads(running.figures.read_text())
    assert figure["figure"] == "demo_first_qualified_s"
    assert figure["unit"] == "s"
    assert 1 < figure["value"] < BEGINS


def test_it_can_be_stopped_while_it_starts(demo: Callable[..., Demo]) -> None:
    running = demo("--for", "10m")
    running.await_output("starting the worker")
    running.process.send_signal(signal.SIGINT)
    running.end()
    assert "Stopped before it began." in running.output
    running.assert_nothing_left()


def test_a_killed_demonstration_leaves_nothing(demo: Callable[..., Demo]) -> None:
    running = demo("--for", "10m")
    running.await_output(LIVE)
    running.process.kill()
    running.end(-signal.SIGKILL)
    running.assert_nothing_left()


def test_a_worker_that_dies_is_told_of(demo: Callable[..., Demo]) -> None:
    running = demo("--for", "10m")
    running.await_output(LIVE)
    for pid in running.workers():
        os.kill(pid, signal.SIGKILL)
    running.end(1)
    assert "the worker ended" in running.output
    running.assert_nothing_left()


def test_in_a_terminal_it_is_a_live_view_until_ctrl_c(demo: Callable[..., Demo]) -> None:
    running = demo("--for", "10m", columns=80, rows=24)
    running.await_output(LIVE)
    running.await_output(r"doors [^\n]*\d+ \(\d+/s\)")
    running.process.send_signal(signal.SIGINT)
    running.end()
    text = running.output
    entered, left = text.index(ENTER), text.rindex(LEAVE)
    frames = [
        [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in frame.split("\r\n")]
        for frame in text[entered:left].split(HOME)
        if "\n" in frame
    ]
    assert len(frames) > 10, "several a second"
    assert {len(frame) for frame in frames} == {24}
    assert max(len(line) for frame in frames for line in frame) <= 80
    assert all("lead.log.v1" in frame[0] for frame in frames)
    counters = [frame[1] for frame in frames]
    assert any("starting the worker" in line for line in counters)
    assert any(re.search(r"doors \d+ \(\d+/s\) .* left", line) for line in counters)
    assert re.search(r"▲ qualified .*Trial signup \+15", "\n".join(frames[-1]))
    assert "events came through the doors" in text[left:]
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is back"
    running.assert_nothing_left()


def test_on_somebodys_kafka_its_topics_are_removed_again(
    demo: Callable[..., Demo], kafka: KafkaCluster
) -> None:
    client = AdminClient({"bootstrap.servers": kafka.bootstrap})
    before = set(client.list_topics(timeout=10).topics)
    running = demo("--for", "10m", "--bootstrap", kafka.bootstrap)
    running.await_output(LIVE)
    made = set(client.list_topics(timeout=10).topics) - before
    assert {name.partition(".")[2] for name in made} >= {
        "lead.log.v1",
        "lead.qualified.v1",
        "activity.page.v1",
    }
    assert len({name.partition(".")[0] for name in made if name.startswith("scorer-demo-")}) == 1
    running.process.terminate()
    running.end()
    running.assert_nothing_left()
    deadline = time.monotonic() + 20
    while any(name.startswith("scorer-demo-") for name in client.list_topics(timeout=10).topics):
        assert time.monotonic() < deadline, "its topics are still there"
        time.sleep(0.1)
    groups = client.list_consumer_groups().result(10).valid
    assert not [group.group_id for group in groups if group.group_id.startswith("scorer-demo-")]


def test_a_rule_file_with_mistakes_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rules = tmp_path / "rules.yaml"
    rules.write_text("model: Mine\nqualify: {enter: above ten}\n")
    with pytest.raises(UserError, match=r"(?s)rules\.yaml.*above ten") as caught:
        run(Options(5.0, rules), time.monotonic())
    assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["rules.yaml"]


def test_a_kafka_that_is_not_there_is_told_of(demo: Callable[..., Demo]) -> None:
    running = demo("--bootstrap", "127.0.0.1:1")
    running.end(1)
    assert "Kafka at 127.0.0.1:1" in running.output
    running.assert_nothing_left()
