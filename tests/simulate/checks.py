"""What must hold after every restart, and at the end, whatever has happened."""

from __future__ import annotations

from math import fsum, isclose
from typing import TYPE_CHECKING

import msgspec

from scorer.domain.account import decode_account
from scorer.domain.account_outcomes import account_view
from scorer.domain.encoded import is_member
from scorer.domain.lead import decode_lead
from scorer.domain.ledger import ledger
from scorer.domain.outcomes import score_view
from scorer.domain.partition import LogPartition
from scorer.domain.record import ACCOUNT, HOPS, Fact, Linking, Member, Merge, decode_record
from scorer.domain.state import PartitionState, decode_state, encode_state
from scorer.wire.dead_letters import origin
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import ACCOUNT_SCORE, CHANGELOG, DEAD_LETTERS, IDENTITY, LOG, OUTCOMES, SCORE
from scorer.worker.cut import CUT, STAMP_BYTES, decode_cut, epoch_of, read_stamp
from scorer.worker.score_partition import ScorePartition
from tests.reference.lead import Happening, Lead
from tests.reference.points import at_instant, grants
from tests.simulate.careful import CarefulPass
from tests.simulate.score_life import DEAD_LETTER_PARTITIONS, LOG_PARTITIONS, ScoreLife
from tests.simulate.story import ORDER_MATTERS, PROFILE, lead_of
from tests.support.intake import Written, examine
from tests.worker.score_process import in_changelog
from tests.worker.score_world import shown

if TYPE_CHECKING:
    from tests.simulate.world import World

DeadOf = tuple[str, int, int, str, bytes | None]
"""Topic, partition, offset, reason, value."""


class ViolationError(Exception):
    """An invariant does not hold. ``check`` names it."""

    def __init__(self, check: str, detail: str) -> None:
        super().__init__(check, detail)
        self.check = check
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.check}: {self.detail}"


class Told:
    """The outcomes in Kafka so far."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._read: dict[tuple[str, int], int] = {}
        self._last: dict[tuple[str, bytes], int] = {}
        self.said: set[tuple[str, bytes]] = set()

    def advance(self) -> None:
        """Nothing that the log does not give; a lead's in order, as far as they are new."""
        for topic in OUTCOMES:
            for number, careful in enumerate(self._world.careful):
                records = self._world.cluster.records(topic, number)
                read = self._read.get((topic, number), 0)
                self._read[topic, number] = len(records)
                for record in records[read:]:
                    self._one(topic, record.key or b"", record.value or b"", careful)

    def _one(self, topic: str, lead: bytes, value: bytes, careful: CarefulPass) -> None:
        outcome = (topic, value)
        if outcome in self.said:
            return
        if outcome not in careful.said:
            raise ViolationError("outcome that the log does not give", value.decode())
        place = careful.told[lead].index(outcome)
        if place < self._last.get((topic, lead), -1):
            raise ViolationError("outcomes out of order", value.decode())
        self._last[topic, lead] = place
        self.said.add(outcome)


# -- after every restart --------------------------------------------------------------------------


def check_restored(world: World, life: ScoreLife) -> None:
    """A prefix of the careful pass, or leads at or ahead of it; nothing unsaid, nothing invented."""
    for careful in world.careful:
        careful.advance()
    world.told.advance()
    for number, partition in life.agent.partitions.items():
        careful = world.careful[number]
        position = partition.machine.state.position
        where = f"{life.name}, partition {number} at {position}"
        commit = world.cluster.commits.get(number, 0)
        if position < commit and not _excused(world, life, number):
            raise ViolationError("position behind the commit", f"{where}, commit {commit}")
        if position >= len(careful.states):
            raise ViolationError("position beyond the log", where)
        if _comparable(partition.machine.state) != _comparable(decode_state(careful.states[position])):
            raise ViolationError("partition state", where)
        _check_leads(world, partition, position, where)


def _excused(world: World, life: ScoreLife, number: int) -> bool:
    """Whether the cut that was restored may lie behind the group's commit."""
    if not life.group.counts(life.name, life.known):
        return True  # frozen while taking over: the partition is somebody else's, who has gone on
    highest = -1
    for record in world.cluster.records(CHANGELOG, number):
        if epoch_of(record.headers) == life.agent.partitions[number].epoch:
            return False
        if record.key == CUT:
            position = decode_cut(record.value or b"").position
            if position < highest:
                # A take-over announced the cut that it had restored while the former owner, frozen in the
                # middle of a checkpoint, wrote a later one: both end, and the leads are ahead of the cut.
                world.count["cuts overtaken by an older one"] += 1
                return True
            highest = position
    return False


def _comparable(state: PartitionState) -> bytes:
    """Without what depends on when idle leads were swept."""
    plain = decode_state(encode_state(state))
    plain.milestones, plain.base_version, plain.sweep = [], 0, b""
    return encode_state(plain)


def _check_leads(world: World, partition: ScorePartition, position: int, where: str) -> None:
    careful = world.careful[partition.number]
    stored = dict(partition.store.leads()) | dict(partition.store.accounts())
    timers = set(partition.store.timers())
    for key, past in careful.past.items():
        at = past.place_at(position)
        raw = stored.get(key)
        if raw is None:
            if at >= 0:
                raise ViolationError("restored lead missing", f"{where}, {key.decode()}")
            continue
        wake, fence = read_stamp(raw)
        if wake and (wake, key) not in timers:
            raise ViolationError("timer missing", f"{where}, {key.decode()} at {wake}")
        if world.repriced:
            # Idle leads pass a change of the rules when they are swept, which is nowhere in the log.
            state = memoryview(raw)[STAMP_BYTES:]
            told = decode_account(state).seq if key[:1] == ACCOUNT else decode_lead(state).seq
            _check_told(world, key, told, where)
            continue
        place = past.places.get(raw)
        if place is None:
            raise ViolationError(
                "restored lead in a state it never had", f"{where}, {key.decode()}, fence {fence}"
            )
        if place < at:
            raise ViolationError(
                "restored lead behind the position", f"{where}, {key.decode()}, fence {fence}"
            )
        _check_told(world, key, past.told[place], where)
    if unknown := stored.keys() - careful.past.keys():
        raise ViolationError("restored lead that the log does not know", f"{where}, {sorted(unknown)}")


def _check_told(world: World, lead: bytes, count: int, where: str) -> None:
    """What a stored lead has told will not be told again, so it must be in Kafka."""
    careful = next(one for one in world.careful if lead in one.past)
    for outcome in careful.told.get(lead.removeprefix(ACCOUNT), [])[:count]:
        if outcome not in world.told.said:
            raise ViolationError("outcome lost", f"{where}: {outcome[1].decode()}")


# -- at the end -----------------------------------------------------------------------------------


def check_end(world: World) -> None:
    """Everything has been read and made durable, and equals the careful pass and the reference."""
    wanted: dict[bytes, bytes] = {}
    machines: list[LogPartition] = []
    for number, careful in enumerate(world.careful):
        machine, leads = careful.finish()
        machines.append(machine)
        wanted |= leads
        _check_state(world, number, machine)
    world.told.advance()
    changelog = in_changelog(world.cluster, LOG_PARTITIONS)
    if changelog != wanted:
        raise ViolationError("leads at the end", _difference(shown(changelog), shown(wanted)))
    for careful in world.careful:
        for outcome in sorted(careful.said - world.told.said):
            raise ViolationError("outcome lost", outcome[1].decode())
    _check_dead_letters(world)
    _check_sent(world)
    _check_identities(world, machines)
    _check_views(world, machines)
    _check_accounts(machines)
    _check_totals(world, machines)
    _check_clock(world)


def _check_state(world: World, number: int, machine: LogPartition) -> None:
    partition = world.owner_of(number).agent.partitions[number]
    found = decode_state(encode_state(partition.machine.state))
    wanted = decode_state(encode_state(machine.state))
    found.sweep = wanted.sweep = b""
    if found != wanted:
        raise ViolationError("partition state", f"at the end: {found} instead of {wanted}")


def _difference(found: dict[bytes, object], wanted: dict[bytes, object]) -> str:
    for key in sorted(found.keys() | wanted.keys()):
        if found.get(key) != wanted.get(key):
            return f"{key.decode()}:\n    {found.get(key)} instead of\n    {wanted.get(key)}"
    return "nothing that can be shown"


def _check_dead_letters(world: World) -> None:
    found: set[DeadOf] = set()
    for number in range(DEAD_LETTER_PARTITIONS):
        for record in world.cluster.records(DEAD_LETTERS, number):
            of = origin(record.headers)
            found.add((of.topic, of.partition, of.offset, str(of.reason), record.value))
    wanted: set[DeadOf] = {
        (topic, world.doors.partition(topic).partition, offset, str(sent.reason), sent.value)
        for (topic, offset), sent in world.doors.published.items()
        if sent.reason
    }
    for number, careful in enumerate(world.careful):
        wanted |= {(LOG, number, at, letter.reason, letter.value) for at, letter in careful.dead.items()}
    if found != wanted:
        raise ViolationError(
            "dead letters",
            f"lost {sorted(map(str, wanted - found))}, made up {sorted(map(str, found - wanted))}",
        )


def _check_sent(world: World) -> None:
    """What the score agents sent to the log is what the log makes them send, each at least once."""
    wanted = {sent for careful in world.careful for sent in careful.sent}
    found = set()
    for number in range(LOG_PARTITIONS):
        for record in world.cluster.records(LOG, number):
            if record.offset in world.careful[number].dead or not record.key or not record.value:
                continue
            told = decode_record(record.value)
            if isinstance(told, Member) or (isinstance(told, Fact | Linking) and told.door >= HOPS):
                if partition_of(record.key, LOG_PARTITIONS) != number:
                    raise ViolationError("records for the log", f"{told} in partition {number}")
                found.add((record.key, record.value))
    if found != wanted:
        raise ViolationError(
            "records for the log",
            f"lost {sorted(map(str, wanted - found))}, made up {sorted(map(str, found - wanted))}",
        )
    world.count["statements to accounts"] += sum(is_member(value) for _, value in wanted)
    world.count["leads merged"] += sum(isinstance(decode_record(value), Merge) for _, value in wanted)


def _check_accounts(machines: list[LogPartition]) -> None:
    """An account holds what its people have stated last, and nothing of anybody else."""
    stated: dict[bytes, dict[bytes, tuple[int, float, int]]] = {}
    for machine in machines:
        for key, lead in machine.leads.items():
            if lead.reported is not None and lead.reported[1]:
                version, account, points, at = lead.reported
                stated.setdefault(ACCOUNT + account.encode(), {})[key] = version, points, at
    held = {key: account for machine in machines for key, account in machine.accounts.items()}
    for key in sorted(stated.keys() | held.keys()):
        members = {} if key not in held else held[key].members
        counts = {lead: one for lead, one in members.items() if one[1] is not None}
        wanted = stated.get(key, {})
        if counts != wanted:
            raise ViolationError("people of an account", f"{key.decode()}: {counts}, stated {wanted}")


def _roots(machines: list[LogPartition]) -> dict[str, str]:
    """Lead -> what it is part of at last."""
    into = {
        key: lead.links.moved
        for machine in machines
        for key, lead in machine.leads.items()
        if lead.links is not None and lead.links.moved
    }
    roots = {}
    for machine in machines:
        for key in machine.leads:
            root = key
            while root in into:
                root = into[root]
            roots[key.decode()] = root.decode()
    return roots


def _check_identities(world: World, machines: list[LogPartition]) -> None:
    """Who was named together is one lead, and the view of who is who says so."""
    roots = _roots(machines)
    for sent in world.doors.published.values():
        if sent.fact is not None and sent.door == PROFILE:
            event = msgspec.json.decode(sent.value or b"")
            given = [("subject", event["subject"])] if "subject" in event else []
            named = {lead_of(*one) for one in [*given, *event["data"].items()]}
            if len({roots[one] for one in named}) != 1:
                raise ViolationError("one person", f"{ {one: roots[one] for one in named} }")
    for number, machine in enumerate(machines):
        newest = {record.key: record.value for record in world.cluster.records(IDENTITY, number)}
        for key, lead in machine.leads.items():
            if lead.links is not None:
                said = msgspec.json.decode(newest.get(key) or b"null")
                into = lead.links.moved.decode() or None
                if said is None or (said["data"]["into"], said["subject"]) != (into, key.decode()):
                    raise ViolationError("view of who is who", f"{key.decode()}: {said}, and it is in {into}")


def _check_views(world: World, machines: list[LogPartition]) -> None:
    """The newest view of each lead and account shows it as it stands."""
    for number, machine in enumerate(machines):
        views: dict[bytes, bytes | None] = {
            key: score_view(machine.rules, key.decode(), lead) if lead.since else None
            for key, lead in machine.leads.items()
        }
        _compare_views(world, SCORE, number, views)
        accounts = dict(account_view(machine.rules, *one) for one in machine.accounts.items())
        _compare_views(world, ACCOUNT_SCORE, number, accounts)


def _compare_views(world: World, topic: str, number: int, wanted: dict[bytes, bytes | None]) -> None:
    records = world.cluster.records(topic, number)
    newest: dict[bytes, bytes | None] = {record.key: record.value for record in records if record.key}
    for key in sorted(wanted.keys() | newest.keys()):
        found, view = newest.get(key), wanted.get(key)
        if found != view:
            raise ViolationError("view", f"{topic}, {key.decode()}: {found!r} instead of {view!r}")


def _check_totals(world: World, machines: list[LogPartition]) -> None:
    """Each lead's total by the reference: from what was published, and nothing that came after."""
    history: dict[str, list[Happening]] = {}
    several: set[str] = set()
    roots = _roots(machines)
    for _, sent in sorted(world.doors.published.items()):
        if sent.fact is not None:
            fact = sent.fact
            root = roots.get(fact.lead, fact.lead)
            if root != fact.lead:
                several.add(root)
            history.setdefault(root, []).append(Happening(fact.type, fact.time, fact.properties))
    found = {
        key.decode(): (machine, lead)
        for machine in machines
        for key, lead in machine.leads.items()
        if lead.since
    }
    if found.keys() != history.keys():
        raise ViolationError("leads that were published", f"{sorted(found)} instead of {sorted(history)}")
    for name, (machine, lead) in found.items():
        model, at = machine.rules.model, lead.clock + 5_000
        left_out = {ORDER_MATTERS} if name in several else set()
        kept = tuple(award for award in model.awards if award.id not in left_out)
        model = msgspec.structs.replace(model, awards=kept)
        made = grants(model, Lead(name, since=0, history=history[name]))
        total = at_instant(model, made, set(), at).total[0]
        value = fsum(line.value for line in ledger(machine.rules, lead, at) if line.rule not in left_out)
        if not isclose(value, total, rel_tol=1e-9, abs_tol=1e-9):
            raise ViolationError("total", f"{name}: {value}, by the reference {total}")


def _check_clock(world: World) -> None:
    """No clock record says more than had been read; not judged where the brokers' own clock has jumped."""
    if world.jumped:
        return
    log = [
        Written(number, record.offset, record.key, decode_record(record.value))
        for number in range(LOG_PARTITIONS)
        for record in world.cluster.records(LOG, number)
        if record.offset not in world.careful[number].dead
    ]
    findings = examine(log)
    if findings.ahead or findings.disorder:
        raise ViolationError("clock", "; ".join([*findings.ahead, *findings.disorder][:2]))
    for number, careful in enumerate(world.careful):
        if findings.clocks[number] != careful.clock:
            raise ViolationError(
                "clock", f"partition {number}: {careful.clock} instead of {findings.clocks[number]}"
            )
