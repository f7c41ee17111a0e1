"""The collector under requests that are nearly right, and under bytes that are nothing.

A small part of what `make bench ARGS=fuzz_requests` asks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from scorer.dev.kafka import KafkaCluster
from scorer.settings import Settings
from tests.fuzz.run import run


@pytest.mark.filterwarnings("ignore")  # of schemathesis and what it uses
def test_no_request_is_too_strange_for_the_collector(
    kafka: KafkaCluster, topic_prefix: str, tmp_path: Path
) -> None:
    settings = Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, lead_secret="test")
    found = run(settings, tmp_path, seed=1, requests=2_000, examples=1)
    assert not found.faults, "\n".join(found.faults)
    assert found.requests > 2_000
    assert {200, 204, 302, 400, 401, 403, 404, 405, 413, 415, 431} <= set(found.statuses)
