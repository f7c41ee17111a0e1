"""A Scorer at work, with traffic of every kind, and a real Prometheus that watches it."""

from __future__ import annotations

import random
import re
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from scorer import cli
from scorer.cli.options import default_rules
from scorer.wire.registry import LOG
from tests.bench.road import WorkerProcess
from tests.bench.workload import APP, BOOKING, EMAIL, FEEDBACK, PAGE, PROFILE, SOCIAL
from tests.support.collecting import BASIC, BEARER, Client, CollectorProcess
from tests.support.intake import Publisher, event
from tests.support.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorer.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
SCRAPE = 1
"""s."""
JOBS = ("scorer-worker", "scorer-collector")
_TYPE = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)
_METRICS = re.compile(r"metrics on (http://\S+)/metrics")


def wait_for(what: Callable[[], object], words: Callable[[], object] = str, patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, words()
        time.sleep(0.1)


# -- traffic ------------------------------------------------------------------------------------------

LEADS = 60
STEPS: list[tuple[float, str, dict[str, Any]]] = [
    (6, EMAIL, {"type": "email.opened", "data": {"kind": "newsletter"}}),
    (2, EMAIL, {"type": "email.clicked", "data": {"kind": "nurture"}}),
    (2, EMAIL, {"type": "email.opened", "data": {"machine": True}}),
    (6, PAGE, {"type": "page.viewed", "data": {"path": "/pricing"}}),
    (1, PAGE, {"type": "page.viewed", "data": {"path": "/careers"}}),
    (2, APP, {"type": "app.task_created", "data": {}}),
    (1, APP, {"type": "app.trial_started", "data": {}}),
    (1.5, BOOKING, {"type": "booking.created", "data": {}}),
    (0.3, BOOKING, {"type": "booking.canceled", "data": {}}),
    (2, SOCIAL, {"type": "social.clicked", "data": {"network": "linkedin"}}),
    (1.5, PROFILE, {"type": "profile.updated", "data": {"country": "US", "employees": 40}}),
    (0.5, PROFILE, {"type": "profile.updated", "data": {"company_type": "competitor"}}),
    (0.3, FEEDBACK, {"type": "feedback.accepted", "data": {}}),
    (0.3, FEEDBACK, {"type": "feedback.nurtured", "data": {}}),
]
"""Weight, door, event."""


class Traffic:
    """Sends until it is stopped: good events, bad ones, repeated ones, to doors and to the collector."""

    def __init__(self, settings: Settings, port: int, pace: float = 0.02, bad: int = 40) -> None:
        """``pace``: s between events. ``bad``: of so many, one is repeated and two are nothing."""
        self._publisher = Publisher(settings)
        self._ask = Client(port)
        self._log = f"{settings.topic_prefix}{LOG}"
        self._pace = pace
        self._bad = bad
        self._rng = random.Random(7)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.poison()
        self._thread.start()

    def poison(self) -> None:
        """What is no record of the lead log."""
        self._publisher.producer.produce(self._log, b"\x93no record", b"lead-1", 0)
        self._publisher.flush()

    def _send(self) -> None:
        weights = [weight for weight, _, _ in STEPS]
        number = 0
        while not self._stop.wait(self._pace):
            number += 1
            _, door, changes = self._rng.choices(STEPS, weights)[0]
            lead = f"lead-{self._rng.randrange(LEADS)}"
            value = event(door, lead, **changes)
            self._publisher.send(door, value, lead)
            if number % self._bad == 0:
                self._publisher.send(door, value, lead)  # once more
                self._publisher.send(door, b"{no json", lead)
                self._publisher.send(door, event(door, lead, type="nobody.knows.this"), lead)
            if number % 10 == 0:
                self._collect(number)

    def _collect(self, number: int) -> None:
        user = f"user-{number % 30}"
        calls = [
            {"type": "track", "messageId": f"t{number}-{n}", "userId": user, "event": "Task Created"}
            for n in range(4)
        ]
        self._ask("/v1/batch", {"batch": calls}, BASIC)
        self._ask("/v1/events", [msgspec.json.decode(event(PAGE, user))], BEARER)
        if number % (2 * self._bad) < 10:
            self._ask("/v1/track", {"userId": user}, BASIC)
            self._ask("/v1/track", {"userId": user, "event": "x"}, {"Authorization": "Basic bm9ib2R5Og=="})
            self._ask("/v1/batch", b"{no json", BASIC)

    def stop(self) -> None:
        """When the broker has everything."""
        self._stop.set()
        self._thread.join()
        self._publisher.flush()
        self._ask.close()


# -- all together -------------------------------------------------------------------------------------


class Watched:
    def __init__(
        self, url: str, workers: list[WorkerProcess], collector: CollectorProcess, traffic: Traffic
    ) -> None:
        self.url = url
        """Prometheus'."""
        self.workers = workers
        self.collector = collector
        self.traffic = traffic
        self.began = time.time()

    def exported(self) -> dict[str, str]:
        """Name -> type of every metric that a worker or the collector serves now."""
        pages = [worker.page("/metrics") for worker in self.workers]
        pages.append(self.collector.status("/metrics")[1])
        return {name: kind for page in pages for name, kind in _TYPE.findall(page)}


def fast_rules(folder: Path) -> Path:
    """The default rules, in which a month is 20 seconds as far as points fade."""
    text = default_rules().read_text(encoding="utf-8")
    for old, new in (
        ("half every 30 days", "half every 10 seconds"),
        ("half every 60 days", "half every 20 seconds"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = folder / "fast.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def watched(settings: Settings, folder: Path, workers: int = 1, bad: int = 40) -> Iterator[Watched]:
    """Topics and rules are made; when it is entered everybody is ready, is watched, and has traffic."""
    folder.mkdir(parents=True, exist_ok=True)

    def command(*arguments: str) -> None:
        flags = ("--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix)
        assert cli.run([*arguments, *flags]) == 0

    command("topics", "apply", "--partitions", f"{LOG}=4")
    command("rules", "apply", str(fast_rules(folder)))
    with ExitStack() as stack:
        crew = [stack.enter_context(WorkerProcess(settings, folder / f"worker-{n}")) for n in range(workers)]
        collector = stack.enter_context(CollectorProcess(settings, folder / "collector"))
        collector.wait_for(lambda: _METRICS.search(collector.output()))
        found = _METRICS.search(collector.output())
        assert found is not None
        targets = {
            JOBS[0]: [worker.address.removeprefix("http://") for worker in crew],
            JOBS[1]: [found[1].removeprefix("http://")],
        }
        url = stack.enter_context(Prometheus(folder / "prometheus", targets, SCRAPE)).url
        for worker in crew:
            wait_for(worker.ready, worker.last_words)
        collector.ready()
        traffic = Traffic(settings, collector.port, bad=bad)
        stack.callback(traffic.stop)
        yield Watched(url, crew, collector, traffic)
