"""Which topics there are, and until when each of them keeps what has been written to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scorer.wire.cluster import Cluster
from scorer.wire.registry import Registry

if TYPE_CHECKING:
    from scorer.settings import Settings
    from scorer.wire.cluster import Found
    from scorer.wire.registry import Role

FOR_EVER: Final = 2**62
"""ms; Kafka's "no bound" is the largest number it has."""


class Topic(NamedTuple):
    """A topic of the registry that exists."""

    name: str
    """Without prefix."""
    role: Role | None
    compacted: bool
    retention: int
    """ms until a record expires; ``FOR_EVER``: it does not."""
    rolled: int
    """ms within which its segment is closed, before which Kafka removes nothing of it."""
    lag: int
    """ms within which an overtaken value of a compacted topic is removed; ``FOR_EVER``: nobody knows."""

    def gone_by(self, at: int, *, overtaken: bool = False) -> int | None:
        """When a record appended at ``at`` is gone at the latest, ms; None where there is no bound.

        ``overtaken``: there is a newer one of its key. Kafka removes segments, not records: one that has
        expired stays until the youngest in its segment has.
        """
        bounds = [at + self.rolled + self.retention]
        if self.compacted:
            bounds = [at + self.rolled + self.lag] if overtaken else []
        return min((bound for bound in bounds if bound < FOR_EVER), default=None)


def topics(settings: Settings) -> dict[str, Topic]:
    """Those that there are, by their names in the registry; raises ``UserError`` without Kafka."""
    registry = Registry.load()
    roles: dict[str, Role | None] = {topic.name: topic.role for topic in registry.topics.values()}
    names = {settings.topic_prefix + name: name for name in roles}
    found = Cluster(settings.kafka).find(list(names))
    return {names[full]: _topic(names[full], roles[names[full]], there) for full, there in found.items()}


def _topic(name: str, role: Role | None, found: Found) -> Topic:
    config = found.config
    policy = config.get("cleanup.policy", "delete")
    lag = _bound(config.get("max.compaction.lag.ms"))
    return Topic(
        name,
        role,
        compacted="compact" in policy,
        retention=_bound(config.get("retention.ms")) if "delete" in policy else FOR_EVER,
        rolled=min(_bound(config.get("segment.ms")), lag),
        lag=lag,
    )


def _bound(text: str | None) -> int:
    number = int(text) if text else -1
    return FOR_EVER if number < 0 else min(number, FOR_EVER)
