"""What in Kafka differs from the registry, and what can be done about it."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scorer.broker import Broker
from scorer.domain.record import Doors, decode_record
from scorer.errors import UserError
from scorer.wire.doors import NOTHING, Entry, load_entry, plan
from scorer.wire.registry import LOG, RULES, Registry, Topic

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scorer.settings import Settings
    from scorer.wire.cluster import Cluster, Found

AT_LEAST = frozenset({"retention.ms", "min.compaction.lag.ms", "delete.retention.ms", "min.insync.replicas"})
"""Settings of which more than the registry says does no harm; -1 is without end."""
AT_MOST = frozenset({"max.compaction.lag.ms"})
"""Settings of which less does no harm."""
UNALTERABLE = {
    "min.compaction.lag.ms": "compaction may have hidden a second writer by now: stop the workers, make sure "
    "that each partition had one owner, set it with Kafka's own tools",
}
"""Settings that apply does not put right, with the reason."""

FIXED = "the log's partition count is fixed: another one is a new log generation (`scorer log migrate`)"

_FIRST_RECORDS = 1000
"""Of the log: the doors record is among the first that a partition gets."""


class Fix(Enum):
    """What apply does about a difference."""

    CREATE = "missing"
    GROW = "grow"
    ALTER = "alter"
    ANNOUNCE = "announce"
    REFUSE = "refused"


class Difference(NamedTuple):
    """One way in which Kafka differs from the registry."""

    topic: str
    """Registry name."""
    what: str
    """``topic``, ``partitions``, a Kafka setting, ``doors record`` or ``identity``."""
    wanted: str
    found: str
    fix: Fix
    hint: str = ""
    """Of a refused one: what a person can do."""


class Wishes(NamedTuple):
    """What the person asks for beside the registry."""

    partitions: Mapping[str, int] = {}
    """Registry name -> partition count."""
    replication_factor: int | None = None
    """None: as many as there are brokers, at most 3."""
    new_generation: Collection[str] = ()
    """Doors that were deleted and created again on purpose."""


class Plan(NamedTuple):
    """Kafka as it is, as it should be, and the way between."""

    found: dict[str, Found]
    """Registry name -> the topic; missing ones are missing."""
    partitions: dict[str, int]
    """Registry name -> count wanted."""
    replicas: int
    entry: Entry | None
    """As stored."""
    next_entry: Entry
    """As it has to be before the doors are touched; with another version when a door is new."""
    differences: list[Difference]

    @property
    def refused(self) -> list[Difference]:
        return [difference for difference in self.differences if difference.fix is Fix.REFUSE]


def make_plan(settings: Settings, registry: Registry, cluster: Cluster, wishes: Wishes) -> Plan:
    """Look at Kafka, change nothing; raises ``UserError`` for wishes that make no sense."""
    _check_names(registry, wishes)
    broker = Broker(settings)
    brokers = cluster.brokers()
    names = {broker.name(name): name for name in registry.topics}
    found = {names[full]: topic for full, topic in cluster.find(names).items()}
    entry = load_entry(broker) if RULES in found else None
    if entry is None and LOG in found:
        _check_never_announced(broker)
    known = entry or NOTHING
    partitions = _partitions(registry, wishes, found, known)
    replicas = wishes.replication_factor or min(3, brokers)
    doors = {topic.name: partitions[topic.name] for topic in registry.doors}
    next_entry = plan(known, doors, wishes.new_generation)
    differences: list[Difference] = []
    for topic in registry.topics.values():
        there = found.get(topic.name)
        if there is None:
            differences.append(
                Difference(topic.name, "topic", f"{partitions[topic.name]} partitions", "missing", Fix.CREATE)
            )
        else:
            differences += _compare(topic, there, partitions[topic.name], replicas, wishes)
    differences += _compare_doors(registry, found, known, next_entry, wishes)
    return Plan(found, partitions, replicas, entry, next_entry, differences)


def _check_names(registry: Registry, wishes: Wishes) -> None:
    doors = {topic.name for topic in registry.doors}
    for name in wishes.new_generation:
        if name not in doors:
            raise UserError(f"{name} is no door", hint=f"the doors are {', '.join(sorted(doors))}")
    try:
        registry.partitions(wishes.partitions)
    except ValueError as error:
        raise UserError(str(error)) from error


def _partitions(
    registry: Registry, wishes: Wishes, found: Mapping[str, Found], entry: Entry
) -> dict[str, int]:
    """Wanted counts: as asked for; else the registry's default, or what there is where that is more."""
    asked = dict(wishes.partitions)
    announced = entry.counts()
    for name, topic in registry.topics.items():
        if topic.partitions is None or name in asked:
            continue
        there = found[name].partitions if name in found else 0
        if topic.role in {"log", "rules"}:
            # Neither may change: readers find a lead, or the order, by the count.
            asked[name] = topic.partitions if topic.role == "rules" else there or topic.partitions
        else:
            asked[name] = max(topic.partitions, there, announced.get(name, 0))
    return registry.partitions(asked)


def _check_never_announced(broker: Broker) -> None:
    start, end = broker.ranges(LOG)[0]
    for record in broker.read(LOG, 0, broker.ranges(LOG)[0]._replace(end=min(end, start + _FIRST_RECORDS))):
        try:
            is_doors = record.value is not None and isinstance(decode_record(record.value), Doors)
        except msgspec.MsgspecError:
            continue
        if is_doors:
            raise UserError(
                f"{LOG} has a doors record, but {RULES} does not know the doors' numbers",
                hint=f"{RULES} was deleted: restore it, or start over with a new topic prefix",
                exit_code=1,
            )


def _compare(topic: Topic, there: Found, partitions: int, replicas: int, wishes: Wishes) -> list[Difference]:
    lines: list[Difference] = []
    if there.partitions != partitions:
        fix, hint = Fix.GROW, ""
        if topic.name == LOG:
            fix, hint = Fix.REFUSE, FIXED
        elif there.partitions > partitions:
            fix, hint = Fix.REFUSE, "Kafka cannot take partitions away"
        lines.append(Difference(topic.name, "partitions", str(partitions), str(there.partitions), fix, hint))
    if wishes.replication_factor is not None and there.replicas != replicas:
        hint = "Kafka's kafka-reassign-partitions moves replicas"
        lines.append(
            Difference(topic.name, "replication factor", str(replicas), str(there.replicas), Fix.REFUSE, hint)
        )
    for key, value in topic_config(topic, there.replicas).items():
        actual = there.config.get(key, "")
        if not _satisfied(key, value, actual):
            fix = Fix.REFUSE if key in UNALTERABLE else Fix.ALTER
            lines.append(Difference(topic.name, key, value, actual, fix, UNALTERABLE.get(key, "")))
    return lines


def topic_config(topic: Topic, replicas: int) -> dict[str, str]:
    """The registry's settings, and what acks=all needs in order to mean more than the leader."""
    config = dict(topic.config)
    if replicas > 2:  # noqa: PLR2004 - of two replicas one may be down, or nothing can be written
        config.setdefault("min.insync.replicas", "2")
    return config


def _satisfied(key: str, wanted: str, actual: str) -> bool:
    if key in AT_LEAST and actual.lstrip("-").isdigit():
        return int(actual) == -1 or int(actual) >= int(wanted) != -1
    if key in AT_MOST and actual.isdigit():
        return int(actual) <= int(wanted)
    return actual == wanted


def _compare_doors(
    registry: Registry, found: Mapping[str, Found], entry: Entry, next_entry: Entry, wishes: Wishes
) -> list[Difference]:
    lines: list[Difference] = []
    for topic in registry.doors:
        id_ = entry.topic_ids.get(topic.name)
        if id_ is None or topic.name in wishes.new_generation:
            continue
        there = found.get(topic.name)
        if there is None or there.id != id_:
            state = "deleted" if there is None else "deleted and created again"
            hint = (
                f"--new-generation {topic.name} gives it new numbers; what was unread in the old one is lost"
            )
            lines.append(Difference(topic.name, "identity", "the known topic", state, Fix.REFUSE, hint))
    log_id = found[LOG].id if LOG in found else ""
    if next_entry is not entry or not log_id or entry.log != log_id:
        said = f"version {entry.version}" if entry.version else "missing"
        if next_entry is entry:
            said += ", not in every partition"
        lines.append(Difference(LOG, "doors record", f"version {next_entry.version}", said, Fix.ANNOUNCE))
    return lines
