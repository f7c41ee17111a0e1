"""How far the workers have come, as the groups' commits say it; how long nothing moved."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from scorer.wire.registry import CHANGELOG, LOG

if TYPE_CHECKING:
    from types import TracebackType

    from scorer.broker import Broker

EVERY = 0.25
TIMEOUT, PATIENCE = 5.0, 120.0
"""Seconds: of one question, and until somebody has to have answered."""


class Standing(NamedTuple):
    """Topic partition -> offset."""

    ends: dict[tuple[str, int], int]
    commits: dict[tuple[str, int], int]

    def uncommitted(self, log: bool) -> int:
        """Records that no commit covers: of the lead log, or of the doors."""
        return sum(
            end - self.commits.get(where, 0) for where, end in self.ends.items() if (where[0] == LOG) is log
        )

    def covers(self, ends: dict[tuple[str, int], int]) -> bool:
        return all(self.commits.get(where, 0) >= end for where, end in ends.items())


class Watch:
    def __init__(
        self, broker: Broker, partitions: dict[str, int], groups: tuple[str, str], cleaned: list[Path]
    ) -> None:
        """``partitions``: of the lead log and the doors. ``cleaned``: the brokers' notes of compaction."""
        self._broker = broker
        self._tps = [
            TopicPartition(broker.name(t), n) for t, count in partitions.items() for n in range(count)
        ]
        self._log = [(LOG, n) for n in range(partitions[LOG])]
        self._groups = groups
        self._cleaned = cleaned
        self._connect()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="watch", daemon=True)
        self._moved: dict[tuple[str, int], tuple[float, int]] = {}
        self._pauses: list[tuple[float, float]] = []
        self._passes: dict[Path, str] = {}
        self.compactions: list[float] = []
        """When a compaction of the changelog was noticed, monotonic s."""

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
        self._thread.join()

    def _connect(self) -> None:
        access = self._broker.access.librdkafka() | {"log_level": 0}
        self._admin = AdminClient(access)
        # Not the admin client's question for a group's offsets: librdkafka ends the process (a null pointer)
        # where that is answered by a broker that has just ceased to be the group's coordinator.
        self._members = [
            Consumer(access | {"group.id": group, "enable.auto.commit": False}) for group in self._groups
        ]

    def now(self) -> Standing:
        """Asked until a broker answers; raises ``KafkaException`` after two minutes."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._ask()
            except (KafkaException, TimeoutError):
                if time.monotonic() > deadline:
                    raise
                # It keeps the leaders' epochs of before a broker was killed, and never learns.
                self._connect()
                time.sleep(EVERY)

    def _ask(self) -> Standing:
        prefix = len(self._broker.prefix)
        latest = self._admin.list_offsets(
            {tp: OffsetSpec.latest() for tp in self._tps}, request_timeout=TIMEOUT
        )
        ends = {
            (tp.topic[prefix:], tp.partition): found.result(TIMEOUT).offset for tp, found in latest.items()
        }
        commits = {}
        for member in self._members:
            for tp in member.committed(self._tps, TIMEOUT):
                if tp.offset >= 0:
                    commits[tp.topic[prefix:], tp.partition] = tp.offset
        return Standing(ends, commits)

    def until_covered(self, ends: dict[tuple[str, int], int], seconds: float) -> bool:
        """Whether commits cover these offsets within that time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.now().covers(ends):
                return True
            time.sleep(EVERY)
        return False

    def longest_pause(self, since: float) -> float:
        """The longest time (s) in which some partition of the log did not move, of those that ended since."""
        now = time.monotonic()
        under_way = [now - at for at, _ in self._moved.values()]
        ended = [end - begin for begin, end in list(self._pauses) if end >= since]
        return max([*under_way, *ended], default=0.0)

    def _look_on(self) -> None:
        while not self._stop.wait(EVERY):
            standing = self.now()
            now = time.monotonic()
            for where in self._log:
                commit = standing.commits.get(where, 0)
                at, before = self._moved.get(where, (now, -1))
                if commit != before:
                    self._pauses.append((at, now))
                    self._moved[where] = now, commit
            self._look_at_compaction(now)

    def _look_at_compaction(self, now: float) -> None:
        for path in self._cleaned:
            with contextlib.suppress(OSError):
                noted = "\n".join(line for line in path.read_text().splitlines() if CHANGELOG in line)
                if noted and noted != self._passes.get(path, ""):
                    self._passes[path] = noted
                    self.compactions.append(now)
