"""Sends the story's acts to the collector when they are due, and hears what has become of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from scorer.demo.story import Act, Story
from scorer.errors import UserError

if TYPE_CHECKING:
    from scorer.demo.lanes import Answer, Lanes
    from scorer.demo.senders import Senders, Sent

LATE_AT_MOST = 200
"""Acts sent in one go, so that the display stays alive when they have piled up."""
BAD_REQUEST = 400


class Publisher:
    """All publishers of a story. ``speed`` 2 tells it in half the time.

    ``taken`` is called for each event that the collector has answered with success, ``refused`` with the
    code for each that it refused and was to refuse.
    """

    def __init__(
        self,
        story: Story,
        senders: Senders,
        lanes: Lanes,
        speed: float,
        taken: Callable[[], None],
        refused: Callable[[str], None],
    ) -> None:
        self._story = story
        self._senders = senders
        self._lanes = lanes
        self._speed = speed
        self._taken = taken
        self._refused = refused
        self._acts = story.acts()
        self._next: Act | None = None
        self._started = 0.0

    def start(self) -> None:
        """The story begins now."""
        self._started = time.monotonic()
        self._next = next(self._acts)

    def publish_due(self) -> None:
        """Sends what is due, and hears of what was sent.

        Raises ``UserError`` where something is refused that should not be, or taken that should not be.
        """
        now = (time.monotonic() - self._started) * self._speed
        for _ in range(LATE_AT_MOST):
            if self._next is None or self._next.at > now:
                break
            self._send(self._next)
            self._next = next(self._acts)
        answers = self._lanes.answers
        while answers:
            self._heard(*answers.popleft())

    def _send(self, act: Act) -> None:
        moment = int(time.time() * 1000)
        if act.person is None or act.trace is None:
            self._lanes.send(act.nonsense, self._senders.nonsense(act.nonsense, moment))
        else:
            self._lanes.send(act.person.user_id, self._senders.sent(act.person, act.trace, moment))

    def _heard(self, request: Sent, answer: Answer) -> None:
        failed = bool(answer.refused) or answer.status >= BAD_REQUEST
        if request.nonsense is not None and failed != request.nonsense:
            what = f"{request.method} {request.path.partition('?')[0]}"
            did = f"answered {answer.status}: {answer.words}" if failed else "took what is nonsense"
            raise UserError(f"the collector {did}", hint=f"the demonstration sent {what}", exit_code=1)
        if failed:
            self._refused(answer.refused[0] if answer.refused else str(answer.status))
        else:
            self._taken()
