"""Vendors' SDKs for Node, unmodified, with the collector's address: what they send is there, once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scorer.dev.kafka import KafkaCluster
from scorer.settings import Settings
from tests.support.collecting import CollectorProcess
from tests.support.intake import prepare
from tests.support.relay import Trouble, relayed
from tests.support.sdks import arrived, installed, make_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

SDKS = ["segment-node.cjs", "rudder-node.cjs"]


@pytest.fixture
def settings(kafka: KafkaCluster, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix, lead_secret="test")


@pytest.fixture
def collector(settings: Settings, tmp_path: Path) -> Iterator[CollectorProcess]:
    installed()
    prepare(settings)
    with CollectorProcess(settings, tmp_path) as running:
        yield running.ready()


@pytest.mark.parametrize("sdk", SDKS)
def test_each_call_arrives_once(collector: CollectorProcess, settings: Settings, sdk: str) -> None:
    assert make_calls(sdk, collector.url) == []
    arrived(settings)


@pytest.mark.parametrize("sdk", SDKS)
def test_what_was_not_taken_comes_again_and_what_was_is_the_same_event(
    collector: CollectorProcess, settings: Settings, sdk: str
) -> None:
    troubles = (None, Trouble.BUSY, Trouble.UNHEARD, Trouble.CUT)
    with relayed(collector.port, *troubles) as relay:
        assert make_calls(sdk, relay.url) == []
        assert Counter(relay.met) == dict.fromkeys(Trouble, 1)
        assert set(relay.statuses) == {200}
    found = arrived(settings, repeated=True)
    # Scoring counts (source, id) once: that a repetition repeats both, and its lead, is what matters here.
    repeated = Counter((fact.source, fact.id) for fact in found)
    assert max(repeated.values()) == 2, "an answer was lost"
    assert len({(fact.source, fact.id, fact.type, str(fact.properties)) for fact in found}) == len(repeated)
