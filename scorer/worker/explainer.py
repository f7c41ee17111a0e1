"""Why a lead stands where it does, asked of any worker: ``GET /leads/ID``.

A worker that does not own the lead asks the one that does, and follows a lead to what it has become part
of. Asked with ``?here``, a worker answers for its own partitions only, and redirects where a lead has moved.
"""

from __future__ import annotations

import asyncio
import time
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from scorer.domain.explaining import decode_explanation, encode_explanation, explain
from scorer.domain.outcomes import instant
from scorer.wire.asking import (
    BAD,
    ENDLESS,
    FORGOTTEN,
    FOUND,
    HERE,
    HOPS,
    MOVED,
    NOT_NOW,
    UNKNOWN,
    UNREACHABLE,
    Connections,
    Reply,
    lead_of,
    path_of,
)

if TYPE_CHECKING:
    from scorer.domain.lead import Lead
    from scorer.domain.rules import RuleSet

LONGEST = 256
"""Characters of a lead id."""
PATIENCE = 3.0
"""Seconds for which an answer is tried to be had while partitions change hands."""
AGAIN = 0.1
LOOK, ASK_OWNER = 1.0, 2.0
"""Seconds for a look at our own leads, and for the answer of another worker."""
AT_ONCE = 32
"""Requests that are answered at a time; more are refused."""


class Standing(NamedTuple):
    """A lead as its owner has it."""

    lead: Lead | None
    """A copy; None: there is none of that id."""
    rules: RuleSet
    partition: int
    clock: int
    """C, ms."""


class NotHere(Exception):  # noqa: N818 - where to look, not an error
    """Another worker owns the partition, or it is being restored."""

    def __init__(self, partition: int, owner: str) -> None:
        """``owner``: its address; empty: nobody's, as far as is known."""
        super().__init__(partition)
        self.partition = partition
        self.owner = owner


class Leads(Protocol):
    """A score app's leads."""

    def standing(self, key: bytes) -> Standing:
        """On its event loop. Raises ``NotHere``."""

    def elsewhere(self, key: bytes) -> NotHere | None:
        """None: the lead is ours, if it exists. On any thread."""


class Explainer:
    """Answers on any thread; leads are looked at on the loop of whoever made it."""

    def __init__(self, leads: Leads) -> None:
        self._leads = leads
        self._loop = asyncio.get_running_loop()
        self._slots = BoundedSemaphore(AT_ONCE)
        self._others = Connections(ASK_OWNER)

    def answer(self, path: str, query: str) -> Reply:
        """``path``: all of it, percent-encoded."""
        if not self._slots.acquire(blocking=False):
            return _refused(NOT_NOW, "too many requests at a time", "try again")
        try:
            return self._answer(path, query)
        finally:
            self._slots.release()

    def close(self) -> None:
        """Hang up; nothing is to be asked any more."""
        self._others.close()

    def _answer(self, path: str, query: str) -> Reply:
        lead_id = lead_of(path)
        if not 0 < len(lead_id) <= LONGEST or min(lead_id) < " ":
            return _refused(BAD, "no lead id", "1 to 256 characters of UTF-8, percent-encoded")
        if query != HERE:
            return self._anywhere(lead_id)
        try:
            return self._here(lead_id)
        except NotHere as elsewhere:
            return _refused(NOT_NOW, f"partition {elsewhere.partition} is not here", "ask another worker")

    def _anywhere(self, asked: str) -> Reply:
        lead_id, hops = asked, 0
        deadline = time.monotonic() + PATIENCE
        while True:
            found = self._of_owner(lead_id)
            if found.status == MOVED and hops < HOPS:
                hops += 1
                lead_id = found.moved_to
            elif found.status == NOT_NOW and time.monotonic() < deadline:
                time.sleep(AGAIN)
            elif found.status == FOUND and lead_id != asked:
                explanation = replace(decode_explanation(found.body), asked=asked)
                return Reply(FOUND, encode_explanation(explanation))
            elif found.status == MOVED:
                return _refused(ENDLESS, f"{asked} does not come to an end in {HOPS} steps", "report it")
            else:
                return found

    def _of_owner(self, lead_id: str) -> Reply:
        try:
            return self._here(lead_id)
        except NotHere as elsewhere:
            number, owner = elsewhere.partition, elsewhere.owner
        if not owner:
            hint = "try again; each worker needs an address of its own (SCORER_ADVERTISED_URL)"
            return _refused(NOT_NOW, f"no worker can be asked about partition {number} now", hint)
        try:
            return self._others.ask(owner, lead_id)
        except (*UNREACHABLE, ValueError) as error:
            problem = f"the owner of partition {number} does not answer: {type(error).__name__}"
            return _refused(
                NOT_NOW, problem, f"it should be at {owner}: SCORER_ADVERTISED_URL of that worker"
            )

    def _here(self, lead_id: str) -> Reply:
        key = lead_id.encode()
        if (elsewhere := self._leads.elsewhere(key)) is not None:
            raise elsewhere  # without waiting for the loop
        looking = asyncio.run_coroutine_threadsafe(self._look(key), self._loop)
        try:
            lead, rules, partition, clock = looking.result(LOOK)
        except TimeoutError:
            looking.cancel()
            return _refused(NOT_NOW, "the worker is busy", "try again")
        links = None if lead is None else lead.links
        if links is not None and links.moved:
            return Reply(MOVED, b"{}", links.moved.decode())
        if lead is None or not lead.since:
            if links is not None and links.erased:
                return _refused(FORGOTTEN, "forgotten, as the person asked", instant(links.erased))
            return _refused(UNKNOWN, "there is no such lead", "lead ids are case-sensitive")
        at = max(lead.clock, clock - rules.model.grace)
        return Reply(
            FOUND, encode_explanation(explain(rules, lead, key, at, partition=partition, clock=clock))
        )

    async def _look(self, key: bytes) -> Standing:
        return self._leads.standing(key)


def headers(reply: Reply) -> dict[str, str]:
    """What HTTP says beside the status."""
    if reply.status == MOVED:
        return {"Location": path_of(reply.moved_to)}
    return {"Retry-After": "1"} if reply.status == NOT_NOW else {}


def _refused(status: int, problem: str, hint: str) -> Reply:
    return Reply(status, msgspec.json.encode({"error": problem, "hint": hint}))
