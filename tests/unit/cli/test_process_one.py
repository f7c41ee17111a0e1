"""As process 1 of a container, where the system ends nothing that has not asked for it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

PATIENCE = 30.0
UNSHARE = shutil.which("unshare")


def _may_unshare() -> bool:
    return (
        UNSHARE is not None
        and subprocess.run([UNSHARE, "--pid", "--fork", "true"], check=False).returncode == 0
    )


def _child_of(process: int) -> int | None:
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return None
    return int(children[0]) if children else None


@pytest.mark.skipif(not _may_unshare(), reason="a process namespace of one's own takes root, and Linux")
def test_a_command_that_waits_ends_when_told_to() -> None:
    assert UNSHARE is not None
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/readyz"
        command = [sys.executable, "-m", "scorer", "health", url, "--timeout", "60"]
        process = subprocess.Popen([UNSHARE, "--pid", "--fork", "--kill-child", *command])
        try:
            connection, _ = silent.accept()  # it has asked, and waits
            with connection:
                deadline = time.monotonic() + PATIENCE
                while (child := _child_of(process.pid)) is None:
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                os.kill(child, signal.SIGTERM)
                assert process.wait(PATIENCE) == 128 + signal.SIGTERM
        finally:
            process.kill()
            process.wait()
