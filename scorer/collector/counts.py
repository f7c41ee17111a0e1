"""What happened, counted in plain numbers and told to the metrics once a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scorer import metrics
from scorer.tally import Tally

if TYPE_CHECKING:
    from scorer.collector.sink import Sink

NOBODY: Final = "-"
"""In place of a key's name, where a request has none of ours."""


class Counts:
    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = {}
        """(key's name, status) -> how many."""
        self.refused: dict[str, int] = {}
        """Code -> requests that were refused as a whole."""
        self.took: dict[str, Tally] = {}
        """Kind of the key -> seconds that requests took."""
        self.events: dict[tuple[str, str], int] = {}
        """(key's name, "accepted" or why not) -> how many."""

    def request(self, key: str, status: int, kind: str, seconds: float) -> None:
        """A request that is answered; ``kind``: of its key."""
        place = (key, status)
        self.requests[place] = self.requests.get(place, 0) + 1
        took = self.took.get(kind)
        if took is None:
            took = self.took[kind] = Tally(metrics.ANSWERED)
        took.add(seconds)

    def refuse(self, code: str) -> None:
        """A request is refused as a whole."""
        self.refused[code] = self.refused.get(code, 0) + 1

    def event(self, key: str, outcome: str, count: int = 1) -> None:
        place = (key, outcome)
        self.events[place] = self.events.get(place, 0) + count

    def tell(self, sink: Sink, connections: int, *, ready: bool) -> None:
        """Moves what was counted to the metrics."""
        requests, self.requests = self.requests, {}
        events, self.events = self.events, {}
        for (key, status), count in requests.items():
            metrics.COLLECTOR_REQUESTS.labels(key, str(status)).inc(count)
        for (key, outcome), count in events.items():
            metrics.COLLECTOR_EVENTS.labels(key, outcome).inc(count)
        refused, self.refused = self.refused, {}
        for code, count in refused.items():
            metrics.COLLECTOR_REFUSED.labels(code).inc(count)
        for kind, took in self.took.items():
            took.tell(metrics.COLLECTOR_REQUEST_SECONDS.labels(kind))
        waited = sink.waited[:]
        sink.waited.clear()
        for seconds in waited:
            metrics.COLLECTOR_ACKNOWLEDGED_SECONDS.observe(seconds)
        metrics.COLLECTOR_PENDING_BYTES.set(sink.pending_bytes)
        metrics.COLLECTOR_BUFFER_BYTES.set(sink.buffer_bytes)
        metrics.COLLECTOR_CONNECTIONS.set(connections)
        metrics.COLLECTOR_READY.set(ready)
