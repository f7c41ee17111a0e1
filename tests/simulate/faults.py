"""What goes wrong, and when: drawn from the seed before anything runs."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, NamedTuple

from faust.types import TP

from scorer.wire.registry import CHANGELOG, LOG, SCORE
from tests.simulate.group import SESSION
from tests.simulate.score_life import LOG_PARTITIONS, ScoreLife

if TYPE_CHECKING:
    from tests.simulate.world import Machine, World

LEAST_CRASHES = 5
COMPACTION_LAG = 10 * SESSION
"""Seconds: what the worker demands of min.compaction.lag.ms."""

KINDS: dict[str, int] = {
    "kill": 42,
    "kill in the changelog": 12,
    "kill in the log": 10,
    "freeze": 12,
    "rebalance": 8,
    "compact": 6,
    "refuse a send": 4,
    "lose an answer": 3,
    "slow calls": 6,
    "leave": 6,
    "forget a commit": 4,
    "jump of the brokers' clock": 1,
    "deliver twice": 3,
}
"""With the weights by which they are drawn."""


class Fault(NamedTuple):
    at: float
    """s since the simulation began."""
    kind: str
    machine: int
    calls: int
    """The effects that the process has left."""
    amount: float
    """0 to 1: how long, or how much."""


def draw(rng: random.Random, ends: float, machines: int) -> list[Fault]:
    count = rng.randrange(28, 56)
    kinds = rng.choices(list(KINDS), list(KINDS.values()), k=count)
    plan = [
        Fault(rng.uniform(0.0, ends), kind, rng.randrange(machines), rng.randrange(40), rng.random())
        for kind in kinds
    ]
    return sorted(plan)


async def inject(world: World, plan: list[Fault]) -> None:
    """Returns when everything planned has been set going, and there were crashes enough."""
    for fault in plan:
        if fault.at > world.loop.time():
            await asyncio.sleep(fault.at - world.loop.time())
        strike(world, fault)
    while world.crashes < LEAST_CRASHES:
        strike(world, Fault(0.0, "kill", world.rng.randrange(len(world.machines)), 3, 0.0))
        await asyncio.sleep(2.0)


def strike(world: World, fault: Fault) -> None:
    machine = world.machines[fault.machine]
    life = machine.life
    match fault.kind:
        case "kill":
            machine.doom(fault.calls)
        case "kill in the changelog":
            world.machines[fault.machine % 2].doom(fault.calls % 6, CHANGELOG)
        case "kill in the log":
            # Slowly, so that commits and clock records may overtake what is on its way.
            machine = world.machines[2 + fault.machine % (len(world.machines) - 2)]
            if machine.life is not None:
                machine.life.slow_down(5.0, LOG)
            machine.doom(fault.calls % 8, LOG)
        case "freeze" if life:
            life.frozen_for = 0.5 + fault.amount * 3 * SESSION
            # Every other time where it makes a zombie: with something on its way to the changelog, or views.
            inside = fault.calls % 2 and isinstance(life, ScoreLife)
            life.freezer.set(fault.calls // 4, (SCORE, CHANGELOG)[fault.calls // 2 % 2] if inside else "")
        case "rebalance":
            world.count["rebalances asked for"] += 1
            world.score_group.rebalance() if fault.amount < 0.6 else world.intake_group.rebalance()
        case "compact":
            # The lag is long against any leap of a broker's clock; here leaps are long, to tell more.
            until = world.brokers_time() - world.leapt - 1000 * COMPACTION_LAG
            world.count["records compacted away"] += world.cluster.compact(
                CHANGELOG, fault.calls % LOG_PARTITIONS, until
            )
        case "refuse a send" if life:
            life.refusals.set(fault.calls // 4)
        case "lose an answer" if life:
            life.lost_answers.set(fault.calls // 4)
        case "slow calls" if life:
            life.slow_down(fault.amount * 5.0)
        case "leave" if life:
            _leave(world, machine)
        case "forget a commit":
            _forget(world, fault)
        case "jump of the brokers' clock":
            _jump(world, fault.amount)
        case "deliver twice" if isinstance(life, ScoreLife):
            life.again = True


def _leave(world: World, machine: Machine) -> None:
    if machine.life is not None:
        world.note(machine.life.name, "is asked to stop")
        machine.life.leaving = True
        machine.life.rejoin.set()


def _forget(world: World, fault: Fault) -> None:
    if fault.calls % 2:
        if world.cluster.commits.pop(fault.calls // 2 % LOG_PARTITIONS, None) is not None:
            world.count["commits forgotten"] += 1
    else:
        tps: list[TP] = list(world.doors.numbers)
        if world.doors.commits.pop(tps[fault.calls // 2 % len(tps)], None) is not None:
            world.count["door commits forgotten"] += 1


def _jump(world: World, amount: float) -> None:
    """Ahead by up to a minute, or back by up to half of one."""
    jump = round(90_000 * (amount - 1 / 3))
    world.skew += jump
    world.leapt += max(0, jump)
    world.jumped = True
    world.count["jumps of the brokers' clock"] += 1
    world.note("brokers", f"clock jumps by {jump} ms")
