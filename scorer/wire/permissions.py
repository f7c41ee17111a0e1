"""Whether Kafka allows what a part of the system needs, asked before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.errors import UserError
from scorer.wire.acls import components

if TYPE_CHECKING:
    from collections.abc import Collection

    from scorer.settings import Settings
    from scorer.wire.acls import Grant
    from scorer.wire.cluster import Cluster
    from scorer.wire.registry import Registry


def require_allowed(cluster: Cluster, settings: Settings, registry: Registry, names: Collection[str]) -> None:
    """Raises ``UserError`` with everything that the named components lack.

    Topics that do not exist are passed over. Blocking.
    """
    every = components(registry, settings.app_id)
    grants = [grant for name in names for grant in every[name].needed(settings)]
    lacking = _lacking(cluster, settings, grants)
    if lacking:
        texts = [f"{', '.join(sorted(operations))} on {where}" for where, operations in lacking.items()]
        command = " ".join(["scorer topics acls", *(f"--component {name}" for name in names)])
        raise UserError(
            f"Kafka does not allow {settings.kafka.principal} {'; '.join(texts)}",
            hint=f"`{command}` prints what is needed",
            exit_code=1,
        )


def _lacking(cluster: Cluster, settings: Settings, grants: Collection[Grant]) -> dict[str, set[str]]:
    """Resource -> operations, in words."""
    topics = cluster.allowed_on_topics(
        {grant.full_name(settings) for grant in grants if grant.kind == "topic"}
    )
    groups = cluster.allowed_on_groups(
        {grant.full_name(settings) for grant in grants if grant.kind == "group"}
    )
    found: dict[str, set[str]] = {}
    for grant in grants:
        name = grant.full_name(settings)
        allowed = (topics if grant.kind == "topic" else groups).get(name)
        if allowed is not None and (lacks := set(grant.operations) - allowed):
            found.setdefault(f"{grant.kind} {name}", set()).update(lacks)
    return found
