"""The demonstration's parts end with it, whatever happens to either."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scorer.demo.part import Part
from scorer.errors import UserError

SLEEPS = (sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(600)",
)
DIES = (sys.executable, "-c", "import sys; print('a'); print('cannot go on'); sys.exit(7)")


def eventually(holds: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("command", [SLEEPS, STUBBORN])
def test_it_is_ended_even_against_its_will(tmp_path: Path, command: tuple[str, ...]) -> None:
    with Part("worker", {}, tmp_path, command, stop_timeout=0.5) as worker:
        eventually(lambda: "here" in worker.last_words(), "it runs")
        worker.check()
        pid = worker.pid
        assert pid is not None
        assert alive(pid)
    assert not alive(pid)


def test_its_death_is_told_with_its_last_words(tmp_path: Path) -> None:
    with Part("worker", {}, tmp_path, DIES) as worker:
        eventually(lambda: worker.pid is not None and not alive(worker.pid), "it ends")
        with pytest.raises(UserError, match=r"(?s)status 7.*cannot go on"):
            worker.check()


def test_it_gets_its_own_settings_and_not_the_shells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORER_TOPIC_PREFIX", "somebody-elses.")
    show = "import os; print(sorted(item for item in os.environ.items() if item[0].startswith('SCORER_')))"
    with Part("worker", {"SCORER_BOOTSTRAP": "here:1"}, tmp_path, (sys.executable, "-c", show)) as worker:
        eventually(lambda: "SCORER" in worker.last_words(), "it has written")
        assert worker.last_words().strip() == "[('SCORER_BOOTSTRAP', 'here:1')]"


def test_it_does_not_outlive_a_killed_demonstration(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    program = f"""
import time
from pathlib import Path
from scorer.demo.part import Part
with Part("worker", {{}}, Path({str(folder)!r}), {STUBBORN!r}) as worker:
    print(worker.pid, flush=True)
    time.sleep(600)
"""
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    assert alive(pid)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    eventually(lambda: not alive(pid), "the worker has ended")
    eventually(lambda: not folder.exists(), "the folder is gone")


def test_what_it_has_said_is_found(tmp_path: Path) -> None:
    say = (sys.executable, "-c", "print('ready'); print('listening on http://127.0.0.1:4711 for 9 keys')")
    with Part("collector", {}, tmp_path, say) as part:
        assert part.told("never said (.*)") is None
        eventually(lambda: part.told(r"http://\S+:(\d+)") == "4711", "its port")
        assert part.told("^(ready)$") == "ready"
