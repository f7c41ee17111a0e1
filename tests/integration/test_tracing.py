"""A trace context on its road: an HTTP request's or a door record's, through the lead log, to the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scorer.broker import Broker
from scorer.settings import Settings
from scorer.wire.registry import LOG, OUTCOMES
from tests.bench.road import WorkerProcess
from tests.integration.road_running import prepare_road, until
from tests.integration.score_running import read
from tests.support.collecting import BEARER, Client, CollectorProcess
from tests.support.intake import Publisher, event

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kafka_fixtures import RunningKafka

EMAIL = "activity.email.v1"
RULES = """\
model: Traced
qualify: {enter: above 10, exit: below 5}
scores: {fit: {decay: none}}
rules:
  fit:
    - {rule: Opened, on: email.opened, points: +15}
"""


def parent(number: int) -> str:
    return f"00-{number:032x}-{number:016x}-01"


@pytest.mark.parametrize("tracing", ["propagate", "off"])
async def test_an_outcome_is_in_the_trace_that_brought_it_about(
    kafka: RunningKafka, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracing: str
) -> None:
    monkeypatch.setenv("SCORER_TRACING", tracing)
    settings = Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, lead_secret="test")
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    prepare_road(settings, rules)
    broker = Broker(settings)

    def opened(lead: str, **more: Any) -> bytes:
        return event(EMAIL, lead, type="email.opened", **more)

    publisher = Publisher(settings)

    def send(value: bytes, headers: list[tuple[str, bytes]]) -> None:
        publisher.producer.produce(topic_prefix + EMAIL, value, headers=headers)

    send(opened("by-header"), [("traceparent", parent(1).encode()), ("tracestate", b"a=1")])
    send(opened("by-member", traceparent=parent(2), tracestate="b=2"), [])
    send(opened("by-neither"), [("traceparent", b"not one")])
    publisher.flush()
    with CollectorProcess(settings, tmp_path / "collector").ready() as running, Client(running.port) as ask:
        for lead, headers in (("by-request", {"traceparent": parent(3)}), ("plain", {})):
            sent = {"Content-Type": "application/cloudevents+json"} | headers
            assert ask("/v1/events", opened(lead), BEARER | sent).status == 200
        running.stop()

    def told(*topics: str) -> dict[str, dict[str, str]]:
        """Lead -> trace headers of the newest record about it."""
        return {
            (record.key or b"").decode(): {
                name: value.decode() for name, value in record.headers.items() if name.startswith("trace")
            }
            for topic in topics
            for part in read(broker, topic, headers=True).values()
            for record in part
            if record.key
        }

    with WorkerProcess(settings, tmp_path / "worker", checkpoint=0.2) as worker:
        await until(lambda: len(told(*OUTCOMES)) == 5, "all five qualify", worker)
        worker.stop()
    wanted: dict[str, dict[str, str]] = {
        "by-header": {"traceparent": parent(1), "tracestate": "a=1"},
        "by-member": {"traceparent": parent(2), "tracestate": "b=2"},
        "by-request": {"traceparent": parent(3)},
        "by-neither": {},
        "plain": {},
    }
    if tracing == "off":
        wanted = {lead: {} for lead in wanted}
    assert told(*OUTCOMES) == wanted
    assert told(LOG) == wanted
    for topic in OUTCOMES:
        for part in read(broker, topic).values():
            for record in part:
                assert "traceparent" not in msgspec.json.decode(record.value or b"")
