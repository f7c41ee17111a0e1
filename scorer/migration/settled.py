"""Whether an installation is at rest, so that its log can begin anew elsewhere without loss or repetition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scorer.broker import Broker, Range
from scorer.domain.clock import pack
from scorer.domain.record import Clock, encode_record
from scorer.domain.rules import build
from scorer.domain.state import PartitionState, decode_state
from scorer.errors import UserError
from scorer.rules_apply import read
from scorer.wire.cluster import Cluster
from scorer.wire.registry import CHANGELOG, LOG
from scorer.worker.cut import CUT, Cut, decode_cut, epoch_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from scorer.rules_apply import Stored
    from scorer.settings import Settings
    from scorer.wire.registry import Registry

SHOWN = 5
"""Partitions or doors that are named."""
TRIED = 100
"""Records of ours, at most, that an interrupted run may have left in a partition."""
NOTHING: Final = encode_record(Clock(pack({})))
"""A record that changes nothing, to try whether the log takes one."""
SCORE_IT = "`scorer worker --only score` does that and takes in nothing new; stop it when it is done"
ALL_PARTS = "start `scorer worker` for some seconds, then `scorer worker --only score` until all is scored"


class Obstacle(NamedTuple):
    """What is still under way."""

    what: str
    hint: str


class Source(NamedTuple):
    """An installation whose log is to begin anew elsewhere."""

    settings: Settings
    broker: Broker
    cluster: Cluster
    doors: tuple[str, ...]
    log: str
    """Kafka's id of the lead log."""
    ends: dict[int, int]
    """Partition -> where it ends."""
    rules: Stored
    cuts: dict[int, Cut]
    """Of each partition of the log, the newest."""
    states: dict[int, PartitionState]
    """What is in them."""
    obstacles: list[Obstacle]
    """Empty: it is at rest."""


def look(settings: Settings, registry: Registry) -> Source:
    """Reads little and changes nothing; raises ``UserError`` without Kafka or topics."""
    broker, cluster = Broker(settings), Cluster(settings.kafka)
    doors = tuple(door.name for door in registry.doors)
    logs = broker.ranges(LOG)
    log = cluster.ids([broker.name(LOG)])[broker.name(LOG)]
    rules = read(broker)
    cuts = newest_cuts(broker)
    states = {number: decode_state(cut.state) for number, cut in cuts.items()}
    obstacles = [
        *members(settings, cluster),
        *unread(broker, settings, doors),
        *_rules(rules),
        *_unscored(broker, logs, cuts, log),
        *_unfinished(states, rules),
    ]
    ends = {number: wanted.end for number, wanted in logs.items()}
    return Source(settings, broker, cluster, doors, log, ends, rules, cuts, states, obstacles)


def newest_cuts(broker: Broker) -> dict[int, Cut]:
    """Partition -> its newest cut, where the changelog ends with one, as it does after each checkpoint."""
    cuts = {}
    for number, (start, end) in broker.ranges(CHANGELOG).items():
        for record in broker.read(CHANGELOG, number, Range(max(start, end - 1), end), headers=True):
            if record.key == CUT and record.value is not None:
                cut = decode_cut(record.value)
                if cut.epoch == epoch_of(list(record.headers.items())):
                    cuts[number] = cut
    return cuts


def refuse(obstacles: Collection[Obstacle], what: str) -> None:
    """Raises ``UserError`` that names all of them, if there are any."""
    if obstacles:
        lines = [f"  {one.what}: {one.hint}" for one in obstacles]
        raise UserError("\n".join([what, *lines]), exit_code=1)


def members(settings: Settings, cluster: Cluster) -> Iterable[Obstacle]:
    """Workers that are at work."""
    groups = [f"{settings.topic_prefix}{settings.app_id}-{part}" for part in ("intake", "score")]
    for group, count in cluster.members(groups).items():
        if count:
            workers = "a worker is" if count == 1 else f"{count} workers are"
            hint = "stop them; one that keeps a name, or was killed, is gone after its session timeout"
            yield Obstacle(f"{workers} in the group {group}", hint)


def unread(broker: Broker, settings: Settings, doors: Collection[str]) -> Iterable[Obstacle]:
    """Doors that hold what intake has not taken in."""
    left: list[str] = []
    for door in doors:
        committed = broker.committed(f"{settings.app_id}-intake", door)
        for number, (start, end) in broker.ranges(door).items():
            count = end - max(start, committed.get(number, -1))
            if count > 0:
                left.append(f"{door}[{number}] ({count:,} records)")
    if left:
        what = f"not read to the end: {_some(left)}"
        yield Obstacle(what, f"let publishers write to the new doors, then {ALL_PARTS}")


def _rules(rules: Stored) -> Iterable[Obstacle]:
    newest = rules.newest
    if newest is None:
        yield Obstacle("no rules are in force", "there is nothing to move: begin under the new prefix")
    elif rules.half_written or rules.displaced:
        yield Obstacle(
            f"version {newest.version} of the rules is not in every partition",
            f"`scorer rules apply` with the same file completes it; then {SCORE_IT}",
        )
    elif build(newest.model, newest.version).preparing:
        yield Obstacle(
            "rules are being rebuilt", "`scorer rules apply --rebuild` again, with workers running"
        )


def _unscored(broker: Broker, logs: dict[int, Range], cuts: dict[int, Cut], log: str) -> Iterable[Obstacle]:
    broken = [str(number) for number in logs if number not in cuts]
    if broken:
        what = f"partition {_some(broken)}: the changelog does not end with a finished checkpoint"
        yield Obstacle(what, f"start a worker and stop it cleanly; {SCORE_IT}")
    other = [str(number) for number, cut in cuts.items() if cut.log and cut.log != log.encode()]
    if other:
        yield Obstacle(
            f"partition {_some(other)}: scored from another log than the one that is there",
            "a worker says what to do",
        )
    late = [
        f"{number} ({logs[number].end - cut.position:,} records)"
        for number, cut in cuts.items()
        if not _only_tried(broker, number, Range(cut.position, logs[number].end))
    ]
    if late:
        yield Obstacle(f"not scored to its end: the lead log's partition {_some(late)}", SCORE_IT)


def _only_tried(broker: Broker, number: int, left: Range) -> bool:
    """Whether nothing is left to score but what an interrupted run has tried the log with."""
    if left.end - left.start > TRIED or left.end < left.start:
        return False
    return all(record.value == NOTHING for record in broker.read(LOG, number, left))


def _unfinished(states: dict[int, PartitionState], rules: Stored) -> Iterable[Obstacle]:
    version = 0 if rules.newest is None else rules.newest.version
    if imports := {number for state in states.values() for number in state.imports}:
        what = "an import is open" if len(imports) == 1 else f"{len(imports)} imports are open"
        yield Obstacle(what, f"`scorer import` again, with the same file; then {SCORE_IT}")
    unswept = [str(number) for number, state in states.items() if state.milestones]
    if unswept:
        what = f"partition {_some(unswept)}: not every lead has passed the newest rules or the import"
        yield Obstacle(what, SCORE_IT)
    older = [str(number) for number, state in states.items() if state.version != version]
    if older and version:
        what = f"partition {_some(older)}: version {version} of the rules is not in force"
        yield Obstacle(what, SCORE_IT)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
