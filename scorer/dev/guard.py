"""Ends a Kafka whose owner was killed. Run as a script: ``python guard.py FOLDER``, fed by a pipe.

Each line on standard input is ``+PID`` (watch) or ``-PID`` (ended, forget). When the pipe closes the
owner is gone, however it went: every process still watched is killed, and FOLDER, if given, removed.
A pipe and not a parent-death signal: that one follows the thread that started the process, and a
test may start a broker from a pool's thread.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys


def main() -> None:
    watched: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        if line.startswith("+"):
            watched.add(pid)
        else:
            watched.discard(pid)
    for pid in watched:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if len(sys.argv) > 1:
        shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
