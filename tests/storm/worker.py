"""``scorer worker``, which dies at a chosen step: python -m tests.storm.worker ORDERS [ARGUMENTS].

ORDERS is a file that names the step, or does not exist. Each step lies between two effects of a checkpoint,
of a take-over or of the intake's commit; the process kills itself there with SIGKILL.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from scorer import cli
from scorer.storage.ports import Offload
from scorer.worker import checkpoint, score_agent, takeover
from scorer.worker.intake_agent import IntakeOwner
from scorer.worker.keeper import tied_to
from scorer.worker.outbox import Outbox
from scorer.worker.score_kafka import ScoreKafka

STEPS = (
    "cut taken",
    "outcomes acknowledged",
    "changelog under way",
    "changelog acknowledged",
    "views acknowledged",
    "store written",
    "checkpoints done",
    "commit acknowledged",
    "restored",
    "epoch under way",
    "epoch announced",
    "log appended",
    "doors committed",
)


class Orders:
    def __init__(self, path: Path) -> None:
        self._path = path

    def reached(self, step: str) -> None:
        try:
            ordered = self._path.read_text() == step
        except OSError:
            return
        if ordered:
            os.kill(os.getpid(), signal.SIGKILL)


def before(orders: Orders, owner: Any, name: str, step: str) -> None:
    original = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        orders.reached(step)
        return original(*args, **kwargs)

    setattr(owner, name, wraps(original)(wrapped))


def after_awaiting(orders: Orders, owner: Any, name: str, step: str) -> None:
    original = getattr(owner, name)

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        answer = await original(*args, **kwargs)
        orders.reached(step)
        return answer

    setattr(owner, name, wraps(original)(wrapped))


def during(orders: Orders, owner: Any, name: str, step: str) -> None:
    """While the broker has it in hand, or just after."""
    original: Callable[..., Any] = getattr(owner, name)

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        working = asyncio.ensure_future(original(*args, **kwargs))
        await asyncio.sleep(0.001)
        orders.reached(step)
        return await working

    setattr(owner, name, wraps(original)(wrapped))


def around_store(orders: Orders) -> None:
    original = score_agent.checkpoint

    async def wrapped(*args: Any, offload: Offload, **kwargs: Any) -> Any:
        async def to_store(work: Callable[[], Any]) -> Any:
            orders.reached("views acknowledged")
            answer = await offload(work)
            orders.reached("store written")
            return answer

        return await original(*args, offload=to_store, **kwargs)

    score_agent.checkpoint = wrapped  # type: ignore[assignment]


def plant(orders: Orders) -> None:
    """Only in modules that are never compiled: compiled classes can't be changed."""
    before(orders, Outbox, "flush", "cut taken")
    after_awaiting(orders, Outbox, "flush", "outcomes acknowledged")
    during(orders, checkpoint, "write", "changelog under way")
    after_awaiting(orders, checkpoint, "write", "changelog acknowledged")
    around_store(orders)
    before(orders, ScoreKafka, "commit", "checkpoints done")
    after_awaiting(orders, ScoreKafka, "commit", "commit acknowledged")
    after_awaiting(orders, takeover, "restore", "restored")
    during(orders, takeover, "write", "epoch under way")
    after_awaiting(orders, score_agent, "take_over", "epoch announced")
    before(orders, IntakeOwner, "_commit", "log appended")
    after_awaiting(orders, IntakeOwner, "_commit", "doors committed")


if __name__ == "__main__":
    if tie := tied_to(os.getppid()):
        tie()
    plant(Orders(Path(sys.argv[1])))
    sys.exit(cli.run(["worker", *sys.argv[2:]]))
