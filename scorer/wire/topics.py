"""The registry's topics in Kafka: showing what differs, and putting it right.

Nothing here deletes or shrinks. Order matters in ``apply_topics``: the lead log and its companions
first, then the doors record into every partition of the log, then the doors themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scorer.broker import Broker
from scorer.domain.record import Doors
from scorer.errors import UserError
from scorer.wire.cluster import Cluster, New
from scorer.wire.doors import Entry, announce, save_entry
from scorer.wire.registry import LOG, Registry, Topic
from scorer.wire.topic_plan import Difference, Fix, Plan, Wishes, make_plan, topic_config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scorer.broker import Writer
    from scorer.settings import Settings
    from scorer.wire.cluster import Found


class Applied(NamedTuple):
    """What apply did."""

    done: list[Difference]
    doors: Doors


def diff_topics(settings: Settings, registry: Registry, wishes: Wishes | None = None) -> list[Difference]:
    """Every difference; empty when apply would do nothing. Raises ``UserError`` without Kafka."""
    registry = registry.opened() if settings.open_in_outcomes else registry
    return make_plan(settings, registry, Cluster(settings.kafka), wishes or Wishes()).differences


def apply_topics(
    settings: Settings,
    registry: Registry,
    wishes: Wishes | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Applied:
    """Make Kafka as the registry and ``wishes`` say. A second run, or one after a crash, completes the first.

    ``tell`` gets a line per step. Raises ``UserError``, before changing anything, when some of it
    can't be done.
    """
    registry = registry.opened() if settings.open_in_outcomes else registry
    cluster = Cluster(settings.kafka)
    todo = make_plan(settings, registry, cluster, wishes or Wishes())
    if todo.refused:
        raise UserError(
            "\n".join(["nothing was changed:", *(f"  {describe(line)}" for line in todo.refused)]),
            hint="; ".join(dict.fromkeys(line.hint for line in todo.refused if line.hint)) or None,
            exit_code=1,
        )
    broker = Broker(settings)
    prefix = settings.topic_prefix
    _make(cluster, [topic for topic in registry.topics.values() if topic.role != "door"], todo, prefix, tell)
    with broker.writer() as writer:
        entry = _announce(broker, writer, cluster, todo, tell)
        _make(cluster, registry.doors, todo, prefix, tell)
        found = cluster.find([broker.name(topic.name) for topic in registry.doors])
        ids = {topic.name: found[broker.name(topic.name)].id for topic in registry.doors}
        complete = msgspec.structs.replace(entry, topic_ids=ids)
        if complete != entry:
            save_entry(broker, writer, complete)
    return Applied(todo.differences, complete.record)


def describe(line: Difference) -> str:
    """A difference in one line."""
    return f"{line.topic}: {line.what} is {line.found}, not {line.wanted}"


def _make(
    cluster: Cluster, topics: Sequence[Topic], todo: Plan, prefix: str, tell: Callable[[str], None]
) -> None:
    """Create, grow and alter."""
    missing = [
        New(
            topic.full_name(prefix),
            todo.partitions[topic.name],
            todo.replicas,
            topic_config(topic, todo.replicas),
        )
        for topic in topics
        if topic.name not in todo.found
    ]
    cluster.create(missing)
    for new in missing:
        tell(f"created {new.name}: {new.partitions} partitions, replication {new.replicas}")
    for topic in topics:
        there = todo.found.get(topic.name)
        if there is not None:
            _mend(cluster, topic, there, todo, prefix, tell)


def _mend(
    cluster: Cluster, topic: Topic, there: Found, todo: Plan, prefix: str, tell: Callable[[str], None]
) -> None:
    name = topic.full_name(prefix)
    wanted = todo.partitions[topic.name]
    if there.partitions < wanted:
        cluster.grow(name, wanted)
        tell(f"grew {name} from {there.partitions} to {wanted} partitions")
    changes = {
        line.what: line.wanted
        for line in todo.differences
        if line.topic == topic.name and line.fix is Fix.ALTER
    }
    if changes:
        cluster.alter(name, changes)
        tell(f"altered {name}: {', '.join(f'{key}={value}' for key, value in changes.items())}")


def _announce(
    broker: Broker, writer: Writer, cluster: Cluster, todo: Plan, tell: Callable[[str], None]
) -> Entry:
    """The doors in force, in the rules topic and then in every partition of the log."""
    log_id = cluster.find([broker.name(LOG)])[broker.name(LOG)].id
    entry = todo.next_entry
    if todo.entry is entry and entry.log == log_id:
        return entry
    if todo.entry is not entry:
        save_entry(broker, writer, entry)
    entry = announce(broker, writer, entry, log_id)
    save_entry(broker, writer, entry)
    tell(
        f"announced {len(entry.doors)} door partitions to the lead log: doors record version {entry.version}"
    )
    return entry
