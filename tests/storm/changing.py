"""Rules changed while the storm lasts: the files, drawn from the seed, and what puts them in force.

Each is put in force as a user would, by ``scorer rules apply`` in a process of its own; that process is now
and then killed in the middle, as a terminal that is closed would, and then run again.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
import time
from itertools import combinations
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, NamedTuple, Self

from scorer.domain.record import ANNOUNCE
from tests.bench.figures import tell
from tests.storm.crew import ROOT

if TYPE_CHECKING:
    from types import TracebackType

    from scorer.settings import Settings

RULES = Path(__file__).with_name("rules.yaml")
KILLED = 0.4
"""Chance that the command is killed in the middle."""
KILLED_WITHIN, REBUILD_KILLED_WITHIN = 1.5, 20.0
"""Seconds of its life; of a rebuild, which takes longer."""
SETS_OUT_WITHIN = 4.0
"""Seconds after its turn has come: before, between and during strikes."""
AGAIN = 1.0
"""Seconds until a command that failed is run again."""
PATIENCE = 900.0
"""Seconds for all runs of one command together; a rebuild alone waits for ten minutes."""
REFUSED = (1, 2)
"""Exit codes that say that something outside is not as it should be: brokers are killed."""

WATCHED = (
    *("email.opened", "email.clicked", "page.viewed"),
    *("page.downloaded", "app.task_created", "booking.created"),
)


class Change(NamedTuple):
    """A rule file and how it is put in force. The first one has nothing before it."""

    file: Path
    announce: int
    """``scorer.domain.record.ANNOUNCE``."""
    rebuild: bool
    name: str

    def words(self) -> str:
        return f"{self.file.stem}, {self.name}, announce {ANNOUNCE[self.announce]},"


class Made(NamedTuple):
    change: Change
    seconds: float
    """From its beginning to its success."""
    killed: int
    """How often the command was killed in the middle."""
    failed: int
    """How often it ended without success by itself."""
    said: str


# -- files ------------------------------------------------------------------------------------------


class Drafts:
    """The rule file as it is edited from change to change. No definition comes back."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._base = RULES.read_text()
        self._definitions: dict[str, str] = {}
        self._shares: list[float] = []
        self._used: set[str] = set()
        kinds = [combination for size in (2, 3, 4) for combination in combinations(WATCHED, size)]
        kinds.remove(WATCHED[:3])  # the file's own
        self._looked_at = rng.sample(kinds, len(kinds))

    def text(self) -> str:
        text = self._base
        for line, instead in self._definitions.items():
            if text.count(line) != 1:
                raise ValueError(f"not one such line: {line}")
            text = text.replace(line, instead)
        shares = iter(self._shares)
        return re.sub(
            r"(points: |first: |later: |enter: above |exit: below )([+-]?)(\d+)",
            lambda found: found[1] + found[2] + f"{int(found[3]) * next(shares, 1.0):.1f}",
            text,
        )

    def reprice(self) -> None:
        """Other points and thresholds, which hold at once for each lead's whole past."""
        thresholds = [self._rng.uniform(0.6, 1.6) for _ in range(2)]
        points = [self._rng.uniform(0.5, 1.8) for _ in range(20)]
        # As they stand in the file: the lead's enter and exit, the account's, points.
        self._shares = [thresholds[0]] * 2 + [thresholds[1]] * 2 + points

    def redefine(self) -> None:
        """Other definitions of one award that fades, the one that doesn't, and the window."""
        while True:
            drawn = dict([self._fading(), self._lasting(), self._window()])
            new = {text for text in drawn.values() if text not in self._used}
            if len(new) == len(drawn):
                break
        self._used |= new
        self._definitions |= drawn

    def _fading(self) -> tuple[str, str]:
        seconds = self._rng.randint(10, 90)
        more = self._rng.choice(("page.downloaded", "booking.created"))
        on = self._rng.choice(("email.opened", "email.clicked", "app.task_created", "page.viewed"))
        changed = [f"on: {on}\n      decay: half every {seconds} seconds"]
        if on != "page.viewed":
            changed.append(f"on: [{on}, {more}]\n      decay: half every {seconds} seconds")
        if on == "email.clicked":
            condition = f"{{at least: 2, of: [{self._kinds()}], within: {seconds} seconds}}"
            changed = [f"on: {on}\n      only if: {condition}"]
        return f"on: {on}\n", self._rng.choice(changed) + "\n"

    def _lasting(self) -> tuple[str, str]:
        times = self._rng.randint(1, 12)
        limits = f"limit: {times} times a day\n", f"limit: {times} times a week\n", "limit: once\n"
        return "limit: once per kind\n", self._rng.choice(limits)

    def _window(self) -> tuple[str, str]:
        line = "{no: [email.opened, email.clicked, page.viewed], for: 40 seconds}"
        return line, f"{{no: [{self._kinds()}], for: {self._rng.randint(25, 60)} seconds}}"

    def _kinds(self) -> str:
        """Activities that no window has looked at together."""
        return ", ".join(self._looked_at.pop())


def draw_changes(rng: random.Random, folder: Path, count: int) -> list[Change]:
    """The first rules and so many changes: by turn of points, rebuilt, and beginning from nothing."""
    folder.mkdir()
    drafts = Drafts(rng)
    changes = [Change(RULES, 0, rebuild=False, name="the first rules")]
    for number in range(1, count + 1):
        kind = ("points", "rebuilt", "points", "from nothing")[(number - 1) % 4]
        drafts.reprice()
        if kind != "points":
            drafts.redefine()
        file = folder / f"{number}.yaml"
        file.write_text(drafts.text())
        changes.append(Change(file, (number - 1) % len(ANNOUNCE), kind == "rebuilt", kind))
    return changes


# -- putting them in force ----------------------------------------------------------------------------


class Changing:
    """Puts changes in force one after another, each when its turn has come."""

    def __init__(
        self,
        settings: Settings,
        changes: list[Change],
        rng: random.Random,
    ) -> None:
        self._settings = settings
        self._waiting = list(changes)
        self._count = len(changes)
        self._rng = rng
        self._turns: Queue[Change] = Queue()
        self._stop = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._work, name="changing", daemon=True)
        self.made: list[Made] = []
        self.under_way = False
        self.failure = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._process is not None:
            self._process.kill()
        self._thread.join()

    def release(self, share: float) -> None:
        """The turn of so many of all changes (0 to 1) has come; raises where one has failed for good."""
        if self.failure:
            raise RuntimeError(self.failure)
        while self._waiting and self._count - len(self._waiting) < share * self._count:
            self._turns.put(self._waiting.pop(0))

    def finish(self) -> None:
        """All of them are in force; raises where one has failed for good."""
        self.release(1.0)
        while len(self.made) < self._count:
            if self.failure:
                raise RuntimeError(self.failure)
            time.sleep(0.1)

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                change = self._turns.get(timeout=0.1)
            except Empty:
                continue
            if self._stop.wait(self._rng.uniform(0.0, SETS_OUT_WITHIN)):
                return
            self.under_way = True
            tell(f"         rules: {change.words()} begins")
            try:
                made = self._make(change)
            finally:
                self.under_way = False
            if made is None:
                return
            self.made.append(made)
            tell(
                f"         rules: {change.words()} in force after {made.seconds:.1f} s,"
                f" {made.killed} times killed, {made.failed} times failed; {made.said.splitlines()[0]}"
            )

    def _make(self, change: Change) -> Made | None:
        began = time.monotonic()
        killed = failed = 0
        while not self._stop.is_set():
            after = None
            if self._rng.random() < KILLED:
                after = self._rng.uniform(0.0, REBUILD_KILLED_WITHIN if change.rebuild else KILLED_WITHIN)
            code, said = self._run(change, after)
            if code == 0:
                return Made(change, time.monotonic() - began, killed, failed, said)
            if code is None:
                killed += 1
                continue
            failed += 1
            if code not in REFUSED or "Traceback" in said or time.monotonic() - began > PATIENCE:
                self.failure = f"rules apply of {change.file} ended with {code}: {said}"
                return None
            self._stop.wait(AGAIN)
        return None

    def _run(self, change: Change, killed_after: float | None) -> tuple[int | None, str]:
        """(exit code, or None where it was killed in the middle; what it said)."""
        process = self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "scorer", "rules", "apply", str(change.file)),
                *("--announce", ANNOUNCE[change.announce]),
                *(["--rebuild"] if change.rebuild else []),
                *("--bootstrap", self._settings.bootstrap, "--topic-prefix", self._settings.topic_prefix),
            ],
            cwd=ROOT,
            env=os.environ | {"SCORER_DEBUG": "1"},  # a fault of ours ends with a traceback
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            said, _ = process.communicate(timeout=killed_after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return None, ""
        return process.returncode, said.strip()
