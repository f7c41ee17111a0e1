"""The demonstration from its first second to its last."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from scorer.demo import figures
from scorer.demo.board import Board, News
from scorer.demo.display import summary
from scorer.demo.publisher import Publisher
from scorer.demo.road import Road
from scorer.demo.screen import Screen, screen_for
from scorer.demo.stopping import Interrupted, Stopping
from scorer.demo.story import Story
from scorer.demo.worker import WorkerProcess
from scorer.errors import UserError

if TYPE_CHECKING:
    from scorer.demo.watch import Watcher

POLL = 0.05
"""Seconds between two looks at what is due and what has arrived."""
START_TIMEOUT = 90.0
"""Seconds within which the worker has to be heard of."""
FIGURES_VARIABLE = "SCORER_FIGURES"


class Options(NamedTuple):
    """What the command line says."""

    seconds: float
    """Of live traffic."""
    rules: Path
    """The rule file."""
    kafka: bool = False
    """On a real Kafka, started for the occasion."""
    bootstrap: str | None = None
    """On this one."""
    seed: int = 1
    speed: float = 1.0


def run(options: Options, started: float) -> None:
    """Returns when it is over or somebody has had enough. ``started``: the process's, of time.monotonic.

    Raises ``UserError`` when a part of the road ends by itself. Nothing is left running either way.
    """
    story = Story(options.seed)
    board = Board(story.name_of)
    console = Console()
    show = _Show(options, story, board, screen_for(console, board), started)
    with Stopping() as stopping:
        with suppress(Interrupted):
            show.go(stopping)
        if not show.lasted:
            console.print("Stopped before it began.")
            return
        embedded = not (options.kafka or options.bootstrap)
        for line in summary(board, show.lasted, show.first_qualified, embedded=embedded):
            console.print(line, highlight=False, soft_wrap=not console.is_terminal)


class _Show:
    def __init__(self, options: Options, story: Story, board: Board, screen: Screen, started: float) -> None:
        self._options = options
        self._story = story
        self._board = board
        self._screen = screen
        self._started = started
        self.lasted = 0.0
        """Seconds of live traffic."""
        self.first_qualified: float | None = None
        """Seconds from the process's start until a qualified event was read."""

    def go(self, stopping: Stopping) -> None:
        options, screen = self._options, self._screen
        with ExitStack() as stack:
            stack.enter_context(screen)
            folder = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="scorer-demo-", ignore_cleanup_errors=True)
                )
            )
            road = Road(
                folder,
                options.rules,
                bootstrap=options.bootstrap,
                kafka=options.kafka,
                stopping=stopping,
                say=screen.step,
            )
            stack.enter_context(road)
            # First of all, since it takes longest: it loads while the topics are made, then waits for them.
            screen.step("starting the worker")
            worker = stack.enter_context(WorkerProcess(road.worker_environment, folder))
            with stopping.interruptible():
                road.prepare()
            from scorer.demo.watch import Watcher  # noqa: PLC0415 - loads while the worker does

            watcher = Watcher(road.settings.bootstrap, road.settings.topic_prefix, self._board, self._told)
            stack.callback(watcher.close)
            screen.step("bringing in the history of the last weeks")
            with stopping.interruptible():
                self._board.counters.imported = road.bring_in(self._story.history)
            publisher = Publisher(
                road.settings.bootstrap,
                road.settings.topic_prefix,
                self._story,
                options.speed,
                self._published,
            )
            stack.callback(publisher.close)
            screen.step("waiting for the worker to take its partitions")
            self._await_worker(watcher, worker, stopping)
            screen.step("")
            self._play(publisher, watcher, worker, stopping)
            screen.step("stopping")

    def _await_worker(self, watcher: Watcher, worker: WorkerProcess, stopping: Stopping) -> None:
        """Until intake has been heard of, and what history made of somebody."""
        deadline = time.monotonic() + START_TIMEOUT
        while not (watcher.clock_seen and self._board.ranking()) and not stopping.asked:
            watcher.poll(POLL)
            worker.check()
            self._screen.draw("")
            if time.monotonic() > deadline:
                raise UserError(
                    f"the worker has not begun in {START_TIMEOUT:.0f} s; it says:\n{worker.last_words()}",
                    exit_code=1,
                )

    def _play(
        self, publisher: Publisher, watcher: Watcher, worker: WorkerProcess, stopping: Stopping
    ) -> None:
        begun = time.monotonic()
        publisher.start()
        while not stopping.asked and self.lasted < self._options.seconds:
            publisher.publish_due()
            watcher.poll(POLL)
            worker.check()
            self.lasted = time.monotonic() - begun
            left = int(max(0.0, self._options.seconds - self.lasted))
            self._screen.draw(f"{left // 60}:{left % 60:02} left")

    def _published(self) -> None:
        self._board.published(int(time.time() * 1000))

    def _told(self, news: News) -> None:
        self._screen.told(news)
        if news.qualified and self.first_qualified is None:
            self.first_qualified = figures.process_age(self._started)
            if path := os.environ.get(FIGURES_VARIABLE):
                figures.record(Path(path), figures.FIRST_QUALIFIED, round(self.first_qualified, 2), "s")
