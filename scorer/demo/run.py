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
from scorer.demo.part import Part
from scorer.demo.publisher import Publisher
from scorer.demo.road import KEYS_FILE, Road
from scorer.demo.screen import Screen, screen_for
from scorer.demo.stopping import Interrupted, Stopping
from scorer.demo.story import Story
from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scorer.demo.keys import Keys
    from scorer.demo.page_server import PageServer
    from scorer.demo.roster import Roster
    from scorer.demo.watch import Watcher
    from scorer.settings import Settings

POLL = 0.05
"""Seconds between two looks at what is due and what has arrived."""
START_TIMEOUT = 90.0
"""Seconds within which worker and collector have to be heard of."""
FIGURES_VARIABLE = "SCORER_FIGURES"
METRICS = r"metrics on (http://\S+)/metrics"
LISTENING = r"listening on http://\S+:(\d+)"
RUNNING = r": (running): "
READY = r": (ready)$"
"""What worker and collector say of themselves."""


class Options(NamedTuple):
    """What the command line says."""

    seconds: float
    """Of live traffic."""
    rules: Path
    """The rule file."""
    kafka: bool = False
    """On a real Kafka, started for the occasion."""
    given: Settings | None = None
    """On the one that these reach."""
    seed: int = 1
    speed: float = 1.0


def run(options: Options, started: float) -> None:
    """Returns when it is over or somebody has had enough. ``started``: the process's, of time.monotonic.

    Raises ``UserError`` when a part of the road ends by itself. Nothing is left running either way.
    """
    story = Story(options.seed)
    board = Board()
    console = Console()
    show = _Show(options, story, board, screen_for(console, board), started)
    with Stopping() as stopping:
        with suppress(Interrupted):
            show.go(stopping)
        if not show.lasted:
            console.print("Stopped before it began.")
            return
        embedded = not (options.kafka or options.given)
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
                given=options.given,
                kafka=options.kafka,
                stopping=stopping,
                say=screen.step,
            )
            stack.enter_context(road)
            # First of all, since it takes longest: it loads while the topics are made, then waits for them.
            screen.step("starting the worker")
            worker = stack.enter_context(Part("worker", road.environment, folder))
            with stopping.interruptible():
                road.prepare()
            from scorer.demo.keys import make_keys  # noqa: PLC0415 - loads while the worker does
            from scorer.demo.roster import Roster  # noqa: PLC0415 - as above
            from scorer.demo.watch import Watcher  # noqa: PLC0415 - as above
            from scorer.wire.identity import identity_of  # noqa: PLC0415 - as above

            roster = Roster(self._story.people, identity_of(road.settings))
            self._board.name_of = roster.name_of
            watcher = Watcher(road.settings.kafka, road.settings.topic_prefix, self._board, self._told)
            stack.callback(watcher.close)
            screen.step("bringing in the history of the last weeks")
            with stopping.interruptible():
                self._board.counters.imported = road.bring_in(self._story.history)
            keys = make_keys()
            keys.write(folder / KEYS_FILE)
            screen.step("waiting for the worker")
            if not self._await(lambda: worker.told(RUNNING) is not None, watcher, [worker], stopping):
                return
            # Now that the worker has nothing to do but to wait for its partitions: both together would load
            # no faster.
            screen.step("starting the collector")
            collector = stack.enter_context(Part("collector", road.environment, folder))
            parts = [worker, collector]
            screen.step("waiting for the worker to take its partitions")
            if not self._await(lambda: self._begun(watcher, collector), watcher, parts, stopping):
                return
            from scorer.demo.page_server import PageServer  # noqa: PLC0415 - as above

            page = stack.enter_context(PageServer())
            publisher = self._opened(stack, page, keys, roster, worker, collector)
            screen.step("")
            screen.invite(page.address)
            self._play(publisher, page, watcher, parts, stopping)
            screen.step("stopping")

    def _opened(
        self, stack: ExitStack, page: PageServer, keys: Keys, roster: Roster, worker: Part, collector: Part
    ) -> Publisher:
        """Everybody who sends, and the page."""
        from scorer.demo.lanes import Lanes  # noqa: PLC0415 - loads while the worker does
        from scorer.demo.senders import Senders  # noqa: PLC0415 - likewise
        from scorer.demo.visitors import Visitors  # noqa: PLC0415 - likewise

        port = int(collector.told(LISTENING) or 0)
        lanes = Lanes("127.0.0.1", port)
        stack.callback(lanes.close)
        senders = Senders(
            keys, self._story.event_id, lambda person: roster.lead_of("user_id", person.user_id)
        )
        visitors = Visitors(worker.told(METRICS) or "", roster, self._board, senders, lanes)
        page.open(visitors, keys.page, ("127.0.0.1", port))
        self._board.page = page.address
        return Publisher(
            self._story, senders, lanes, self._options.speed, self._published, self._board.refused
        )

    def _begun(self, watcher: Watcher, collector: Part) -> bool:
        """Intake has been heard of, and what history made of somebody, and the collector is ready."""
        return watcher.clock_seen and bool(self._board.ranking()) and collector.told(READY) is not None

    def _await(
        self, holds: Callable[[], bool], watcher: Watcher, parts: Sequence[Part], stopping: Stopping
    ) -> bool:
        """Whether it holds before somebody has had enough."""
        deadline = time.monotonic() + START_TIMEOUT
        while not holds():
            if stopping.asked:
                return False
            watcher.poll(POLL)
            self._check(parts)
            self._screen.draw("")
            if time.monotonic() > deadline:
                said = "\n".join(f"the {part.name} says:\n{part.last_words()}" for part in parts)
                raise UserError(f"nothing has begun in {START_TIMEOUT:.0f} s\n{said}", exit_code=1)
        return True

    def _play(
        self,
        publisher: Publisher,
        page: PageServer,
        watcher: Watcher,
        parts: Sequence[Part],
        stopping: Stopping,
    ) -> None:
        begun = time.monotonic()
        publisher.start()
        while not stopping.asked and (self.lasted < self._options.seconds or page.visited):
            publisher.publish_due()
            watcher.poll(POLL)
            self._check(parts)
            self.lasted = time.monotonic() - begun
            left = int(max(0.0, self._options.seconds - self.lasted))
            over = self.lasted >= self._options.seconds
            self._screen.draw("until your page is closed" if over else f"{left // 60}:{left % 60:02} left")

    def _check(self, parts: Sequence[Part]) -> None:
        for part in parts:
            part.check()

    def _published(self) -> None:
        self._board.published(int(time.time() * 1000))

    def _told(self, news: News) -> None:
        self._screen.told(news)
        if news.qualified and self.first_qualified is None:
            self.first_qualified = figures.process_age(self._started)
            if path := os.environ.get(FIGURES_VARIABLE):
                figures.record(Path(path), figures.FIRST_QUALIFIED, round(self.first_qualified, 2), "s")
