"""A part of Scorer as a process of its own, ended with the demonstration whatever happens to that."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from scorer.dev import guard
from scorer.errors import UserError

SCORER = (sys.executable, "-m", "scorer")
STOP_TIMEOUT = 10.0
"""Seconds for a clean stop; then it is killed."""
LAST_WORDS = 12
"""Lines of its log that are shown when it ends by itself."""


class Part:
    """Runs from ``with`` to the end of it. ``folder`` is removed should this process be killed."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        folder: Path,
        command: Sequence[str] = (),
        stop_timeout: float = STOP_TIMEOUT,
    ) -> None:
        """``name``: also that of the ``scorer`` command that it is, unless ``command`` says otherwise."""
        self.name = name
        self._environment = environment
        self._folder = folder
        self._command = list(command or (*SCORER, name))
        self._stop_timeout = stop_timeout
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # The guard reads from a pipe that closes with this process, however it goes. Both are in a session
        # of their own: Ctrl-C in the terminal is for us to act upon.
        self._guard = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", guard.__file__, str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command,
                env={**_without_settings(os.environ), "TMPDIR": str(self._folder), **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._tell_guard(f"+{self._process.pid}")
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(self._stop_timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._tell_guard(f"-{process.pid}")
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.close()
            self._guard.wait()

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return None if self._process is None else self._process.pid

    def check(self) -> None:
        """Raises ``UserError`` with its last words if it has ended."""
        code = None if self._process is None else self._process.poll()
        if code is not None:
            raise UserError(
                f"the {self.name} ended with status {code}; its last words:\n{self.last_words()}",
                exit_code=1,
            )

    def told(self, pattern: str) -> str | None:
        """What it has said that fits: the pattern's group; None if nothing has yet."""
        found = re.search(pattern, self._log.read_text(errors="replace"), re.MULTILINE)
        return None if found is None else found[1]

    def last_words(self) -> str:
        """The end of its log."""
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LAST_WORDS:])

    def _tell_guard(self, line: str) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.write(line.encode() + b"\n")
                self._guard.stdin.flush()


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The demonstration's parts have settings of their own, not the shell's."""
    return {name: value for name, value in environment.items() if not name.startswith("SCORER_")}
