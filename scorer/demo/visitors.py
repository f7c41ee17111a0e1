"""What the page asks of the demonstration: where its visitor stands, and the scheduler's part in a demo."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from scorer.demo.standing import BUSY, NOBODY, standing
from scorer.domain.explaining import decode_explanation
from scorer.wire.asking import FOUND, UNKNOWN, UNREACHABLE, ask
from scorer.wire.dead_letters import Rejected

if TYPE_CHECKING:
    from scorer.demo.board import Board
    from scorer.demo.lanes import Lanes
    from scorer.demo.roster import Roster
    from scorer.demo.senders import Senders

PATIENCE = 5.0
"""Seconds for a worker's answer."""


class Visitors:
    """``worker``: where it answers, such as http://127.0.0.1:9464."""

    def __init__(self, worker: str, roster: Roster, board: Board, senders: Senders, lanes: Lanes) -> None:
        self._worker = worker
        self._roster = roster
        self._board = board
        self._senders = senders
        self._lanes = lanes

    def standing(self, visitor: str) -> dict[str, Any]:
        """The lead of an anonymous id, or what it has become part of; from the worker's memory."""
        try:
            lead = self._roster.lead_of("anonymous_id", visitor)
            reply = ask(self._worker, lead, timeout=PATIENCE)
            if reply.status == UNKNOWN:
                return NOBODY
            if reply.status != FOUND:
                return BUSY
            one = decode_explanation(reply.body)
        except Rejected:
            return NOBODY
        except (*UNREACHABLE, msgspec.MsgspecError):
            return BUSY
        rows = [self._board.rows.get(name) for name in {lead, one.lead, *one.members}]
        seen = {moment for row in rows if row is not None for moment in row.seen}
        return standing(one, sorted(seen, reverse=True))

    def meeting(self, what: str, email: str) -> None:
        """A demo was booked, moved or cancelled: one message, or the two of a move."""
        now = int(time.time() * 1000)
        for made in {"book": (True,), "move": (False, True), "cancel": (False,)}[what]:
            sent = self._senders.booking(email, "demo", now, made=made, moved=what == "move")
            self._lanes.send(email, sent._replace(nonsense=None))
