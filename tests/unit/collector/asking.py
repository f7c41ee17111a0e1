"""A collector in this process: requests go in as ASGI messages, records come out where Kafka would be."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scorer.collector.app import Collector
from scorer.collector.keys import loads
from scorer.collector.routes import KeyRing
from scorer.collector.sink import Sink
from scorer.domain.record import decode_record
from scorer.wire.identity import Identity
from scorer.wire.intake import Intake
from scorer.wire.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scorer.collector.sealing import Sealing
    from scorer.collector.sources import Kind
    from scorer.domain.record import Fact

REGISTRY = Registry.load()
NOW = 1_793_534_400.0  # 2026-11-01T12:00:00Z
NOON = int(NOW * 1000)
WRITE_KEY = "wk-1234567890123456"
CRM_KEY = "ck-1234567890123456"
BASIC = {"authorization": "Basic d2stMTIzNDU2Nzg5MDEyMzQ1Njo="}
KEYS = """
keys:
  web:
    kind: segment
    secrets: [env:WEB]
    origins: [https://www.example.com, "https://*.example.org"]
  crm:
    kind: cloudevents
    secrets: [env:CRM]
"""
SECRETS = {"WEB": WRITE_KEY, "CRM": CRM_KEY}


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FakeProducer:
    """Acknowledges at the next ``poll`` whatever came, unless it is told to be silent or to fail."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, bytes, int]] = []
        self.headers: list[list[tuple[str, bytes]]] = []
        """Those of records that have any."""
        self.silent = False
        self.error: str | None = None
        self.error_of: str | None = None
        """A topic that takes nothing."""
        self.lost: list[str] = []
        """Topics of records that it did not take."""
        self._waiting: list[Callable[[Any, Any], object]] = []

    def produce(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        partition: int,
        on_delivery: Callable[[Any, Any], object],
        headers: list[tuple[str, bytes]] | None = None,
    ) -> None:
        if topic == self.error_of:
            self.lost.append(topic)
            self._waiting.append(lambda _, message: on_delivery("no", message))
            return
        self.records.append((topic, value, key, partition))
        if headers is not None:
            self.headers.append(headers)
        self._waiting.append(on_delivery)

    def poll(self, _: float = 0) -> int:
        return 0 if self.silent else self.poll_once()

    def turn_round(self) -> None:
        """What came first is acknowledged last."""
        self._waiting.reverse()

    def poll_once(self, count: int | None = None) -> int:
        """Although it is silent; ``count``: so many records only."""
        waiting = self._waiting[:count]
        del self._waiting[: len(waiting)]
        for one in waiting:
            one(self.error, None)
        return len(waiting)

    flush = poll


class Asked:
    """``SECRETS`` are the environment. Make it on the event loop that uses it."""

    def __init__(
        self,
        keys: str = KEYS,
        secrets: Mapping[str, str] | None = None,
        kinds: Mapping[str, Kind] | None = None,
        seal: Callable[[Sink, Identity], Sealing] | None = None,
        *,
        deadline: float = 0.2,
        **options: Any,
    ) -> None:
        more = {} if kinds is None else {"kinds": kinds}
        found = loads(keys.encode(), "keys.yaml", secrets or SECRETS, Path(), **more)
        assert found.keys, [one.render() for one in found.diagnostics]
        self.now = NOW
        self.producer = FakeProducer()
        self.sink = Sink(self.producer, "p.lead.log.v1", buffer_bytes=1 << 20, deadline=deadline)
        self.sink.start()
        self.sink.partitions = 8
        identity = Identity("secret")
        sealing = None if seal is None else seal(self.sink, identity)
        sealer = None if sealing is None else sealing.sealer
        intake = Intake(identity, REGISTRY.max_log_bytes, REGISTRY, sealer)
        ring = KeyRing(found.keys, 0.0, 1)
        self.app = Collector(ring, intake, self.sink, sealing=sealing, now=lambda: self.now, **options)
        self.app.missing = None

    async def __call__(
        self,
        path: str,
        body: Any = b"",
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
        *,
        chunks: list[bytes] | None = None,
        client: str = "192.0.2.77",
    ) -> Reply:
        """``body``: bytes, or what is to be JSON. ``chunks``: a body in pieces, without Content-Length."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        path, _, query = path.partition("?")
        given = {"host": "in.example.com", **(headers or {})}
        if chunks is None:
            given.setdefault("content-length", str(len(body)))
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "scheme": "http",
            "client": (client, 5),
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in given.items()],
        }
        pieces = [body] if chunks is None else list(chunks)
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start, end = sent
        told = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        return Reply(start["status"], told, end["body"])

    def facts(self) -> list[Fact]:
        """What reached the log, in order, binds left out."""
        return [
            record
            for _, value, _, _ in self.producer.records
            if type(record := decode_record(value)).__name__ == "Fact"
        ]
