"""``scorer demo`` as a process, watched from outside."""

from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import pytest

BEGINS = 60.0
"""Seconds within which a demonstration has to begin, also on a busy machine."""
LIVE = r"qualified [^\n]*Trial signup \+15"
"""What the first to qualify by live traffic is shown with."""


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
            if f"TMPDIR={self.folder}" in _text(path) and _text(path.with_name("cmdline"))
        ]

    def parts(self, name: str) -> list[int]:
        return [pid for pid in self.processes() if f"\0{name}\0" in _text(Path(f"/proc/{pid}/cmdline"))]

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
