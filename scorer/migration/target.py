"""The place where the log begins anew: topics made ready before anything is copied, and opened at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scorer.broker import Broker
from scorer.domain.clock import pack
from scorer.domain.record import Clock, Doors, decode_record, encode_record
from scorer.errors import UserError
from scorer.rules_apply import mark_complete
from scorer.wire.cluster import Cluster
from scorer.wire.moved import COMES_FROM, Marks, Place, encode_place, place_of
from scorer.wire.registry import CHANGELOG, LOG, RULES, RULES_COMPLETE, RULES_KEY, Registry
from scorer.wire.topic_plan import Wishes
from scorer.wire.topics import apply_topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scorer.migration.settled import Source
    from scorer.settings import Settings

ELSEWHERE = "choose another prefix"


class Target(NamedTuple):
    settings: Settings
    broker: Broker
    place: Place
    doors: Doors
    starts: list[int]
    """Of each partition of the log, the offset where it begins."""


class _There(NamedTuple):
    """What is there already."""

    topics: set[str]
    log: str
    """Kafka's id of the lead log; empty: there is none."""
    marks: Marks
    complete: bool
    """Rules are in force."""
    rules: bool
    """There are any."""


def arrived(source: Source, settings: Settings, registry: Registry) -> tuple[Place, bool]:
    """(the place, whether it has been opened for use after this source's log was moved there).

    Changes nothing. Raises ``UserError`` where something else is there, which must not be overwritten.
    """
    there = _look(settings, registry)
    place = place_of(settings, there.log)
    if there.log and there.log == source.log:
        raise UserError(
            "that is the installation itself", hint="--to-prefix or --to-bootstrap says where to move it"
        )
    comes_from = there.marks.comes_from
    if comes_from is not None and comes_from.log == source.log:
        return place, there.complete
    if there.complete or there.rules or comes_from is not None:
        raise UserError(
            f"there is an installation already: {place}",
            hint=f"{ELSEWHERE}; nothing was changed",
            exit_code=1,
        )
    if there.log and (used := _used(Broker(settings))):
        raise UserError(
            f"{used} of {place} has been written to", hint=f"{ELSEWHERE}; nothing was changed", exit_code=1
        )
    return place, False


def make_ready(
    source: Source,
    settings: Settings,
    registry: Registry,
    counts: Mapping[str, int],
    tell: Callable[[str], None],
) -> Target:
    """Create the topics, with an empty log that begins with the doors and with the rules in force.

    What an interrupted run has left is deleted first, the doors excepted. ``counts``: partitions by topic;
    where nothing is said, as many as the source has. Raises ``UserError``.
    """
    cluster, broker = Cluster(settings.kafka), Broker(settings)
    there = _look(settings, registry)
    if there.marks.comes_from is not None:
        # The mark goes last: without it nobody would know what the others are.
        ours = [topic.name for topic in registry.topics.values() if topic.role != "door"]
        tell("deleting what an interrupted run has left")
        cluster.delete([broker.name(name) for name in ours if name != RULES])
        cluster.delete([broker.name(RULES)])
    before = {} if there.marks.comes_from is None and there.log else {LOG: source.broker.partitions(LOG)}
    before |= {door: source.broker.partitions(door) for door in source.doors if door not in there.topics}
    doors = apply_topics(settings, registry, Wishes(partitions=before | dict(counts)), tell).doors
    log = cluster.ids([broker.name(LOG)])[broker.name(LOG)]
    with broker.writer() as writer:
        writer.append(RULES, 0, COMES_FROM, encode_place(place_of(source.settings, source.log)))
    return Target(settings, broker, place_of(settings, log), doors, _begin(source, broker, cluster, doors))


def _begin(source: Source, broker: Broker, cluster: Cluster, doors: Doors) -> list[int]:
    """Let the log begin behind offset 0, as one does whose beginning has expired: so it is understood by all
    that read it (replay, backtest, rebuild, explain) that leads had a past before it, and until when.

    The clock is no lie about the new doors: it stands where it stood, whatever they hold.
    """
    starts = {number: wanted.end for number, wanted in broker.ranges(LOG).items()}
    cluster.truncate(broker.name(LOG), starts)
    newest, through = source.rules.newest, max(state.clock for state in source.states.values())
    first = [Clock(pack({door.number: through for door in doors.doors})), doors]
    records = [*first, *([] if newest is None else [newest])]
    with broker.writer() as writer:
        for number in starts:
            for record in records:
                writer.append(LOG, number, None, encode_record(record))
    return [starts[number] for number in sorted(starts)]


def copy_rules(source: Source, target: Target) -> None:
    """All versions, so that numbers go on; none is in force yet."""
    with target.broker.writer() as writer:
        for version, rules in sorted(source.rules.versions.items()):
            writer.append(RULES, 0, RULES_KEY + b"%d" % version, encode_record(rules))


def open_for_use(source: Source, settings: Settings) -> None:
    """The last step: from now on workers and collectors begin."""
    with Broker(settings).writer() as writer:
        mark_complete(writer, *source.rules.complete)


def _look(settings: Settings, registry: Registry) -> _There:
    broker = Broker(settings)
    names = {broker.name(name): name for name in registry.topics}
    ids = {names[full]: one for full, one in Cluster(settings.kafka).ids(list(names)).items()}
    marks, complete, rules = Marks(), False, False
    if RULES in ids:
        for record in broker.read(RULES, 0, broker.range(RULES, 0)):
            marks.take(record.key, record.value)
            complete = complete or record.key == RULES_COMPLETE
            rules = rules or (record.key or b"").startswith(RULES_KEY)
    rules = rules and marks.comes_from is None
    return _There(set(ids), ids.get(LOG, ""), marks, complete, rules)


def _used(broker: Broker) -> str:
    """A topic that holds more than `scorer topics apply` has written; empty: there is none."""
    try:
        if any(end for _, end in broker.ranges(CHANGELOG).values()):
            return CHANGELOG
    except UserError:
        pass  # a half-made set of topics, which will be completed
    for number, wanted in broker.ranges(LOG).items():
        for record in broker.read(LOG, number, wanted):
            try:
                if isinstance(decode_record(record.value or b""), Doors):
                    continue
            except msgspec.MsgspecError:
                pass
            return LOG
    return ""
