"""What the score app needs of its topics before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from scorer.errors import CannotContinue
from scorer.wire.registry import (
    ACCOUNT_SCORE,
    CHANGELOG,
    DEAD_LETTERS,
    IDENTITY,
    LEAD_KEYS,
    LOG,
    OUTCOMES,
    SCORE,
)

FOLLOWERS: Final = (CHANGELOG, *OUTCOMES, SCORE, IDENTITY, ACCOUNT_SCORE, LEAD_KEYS)
"""Have a partition for each of the lead log's."""
NEEDED: Final = (LOG, DEAD_LETTERS, *FOLLOWERS)

SESSIONS_OF_LAG = 10
DELETE_RETENTION_MS = 7 * 24 * 3_600_000


def check_counts(counts: Mapping[str, int]) -> None:
    """Raises ``CannotContinue`` where a topic has fewer or more partitions than the lead log."""
    for topic in FOLLOWERS:
        if counts[topic] != counts[LOG]:
            raise CannotContinue(
                f"{topic} has {counts[topic]} partitions and {LOG} has {counts[LOG]}: they must be equal",
                "scorer topics diff shows what differs, scorer topics apply puts it right",
            )


def check_changelog(configuration: Mapping[str, str], session_timeout: float) -> int:
    """The changelog's min.compaction.lag, ms.

    Raises ``CannotContinue`` when Kafka may remove changelog records that a restart needs.
    """
    wanted_lag = int(SESSIONS_OF_LAG * session_timeout * 1000)
    policy = configuration.get("cleanup.policy", "")
    lag = int(configuration.get("min.compaction.lag.ms", "0"))
    retention = int(configuration.get("delete.retention.ms", "0"))
    hint = "scorer topics apply sets it"
    if policy != "compact":
        raise CannotContinue(f"{CHANGELOG}: cleanup.policy is {policy!r}, not 'compact'", hint)
    if lag < wanted_lag:
        raise CannotContinue(
            f"{CHANGELOG}: min.compaction.lag.ms is {lag}; with a session timeout of {session_timeout:g} s"
            f" it must be at least {wanted_lag}, or compaction may prefer a second writer's records",
            hint,
        )
    if retention < DELETE_RETENTION_MS:
        raise CannotContinue(
            f"{CHANGELOG}: delete.retention.ms is {retention}, not at least {DELETE_RETENTION_MS} (7 days):"
            " a worker that was away for long might bring deleted leads back",
            hint,
        )
    return lag
