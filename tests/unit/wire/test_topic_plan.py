"""Settings of topics that may be more, or less, than the registry says."""

from __future__ import annotations

import pytest

from scorer.wire.topic_plan import _satisfied


@pytest.mark.parametrize(
    ("key", "wanted", "found", "satisfied"),
    [
        ("retention.ms", "100", "101", True),
        ("retention.ms", "100", "-1", True),
        ("retention.ms", "100", "99", False),
        ("max.compaction.lag.ms", "100", "99", True),
        ("max.compaction.lag.ms", "100", "100", True),
        ("max.compaction.lag.ms", "100", "9223372036854775807", False),
        ("cleanup.policy", "compact", "delete", False),
    ],
)
def test_more_or_less_does_no_harm(key: str, wanted: str, found: str, satisfied: bool) -> None:
    assert _satisfied(key, wanted, found) is satisfied
