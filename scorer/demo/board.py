"""What the display shows: leads, outcomes and counters, as the topics have told them so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scorer.demo import phrases
from scorer.domain.record import PROFILE_UPDATED, Fact

RATE_WINDOW = 5.0  # seconds
NEWS_KEPT = 60
SEEN_KEPT = 30


@dataclass
class Row:
    """One lead. Times are ms since 1970, UTC."""

    lead: str
    name: str
    total: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    band: str = ""
    stage: str = ""
    did: str = ""
    did_at: int = 0
    seen: tuple[tuple[int, str], ...] = ()
    """(when, what) of its newest activities, oldest first; replaced as a whole: another thread reads it."""
    changed_at: int = 0
    change: float = 0.0
    """What the newest change of the total was."""
    scored: bool = False


@dataclass(frozen=True)
class News:
    """An outcome, in words."""

    at: int
    """When it was read from its topic, ms since 1970."""
    qualified: bool
    name: str
    total: float
    why: str
    terms: str


@dataclass
class Counters:
    """How many records each part of the road has seen."""

    taken: int = 0
    refused: int = 0
    log: int = 0
    imported: int = 0
    qualified: int = 0
    disqualified: int = 0


class Board:
    """Takes in what the topics say; the display reads it. ``now`` is ms since 1970, given by the caller."""

    def __init__(self, name_of: Callable[[str], str] = str) -> None:
        self.name_of = name_of
        """The name that a lead id is shown by."""
        self.rows: dict[str, Row] = {}
        self.news: deque[News] = deque(maxlen=NEWS_KEPT)
        self.counters = Counters()
        self.reasons: dict[str, int] = {}
        """Refused requests by the reason told."""
        self.page = ""
        """Where the page is, once it is open to visitors."""
        self.step = ""
        """What the start is busy with; empty when everything runs."""
        self.headline: News | None = None
        """The first lead that qualified."""
        self._sent: deque[int] = deque()

    def published(self, now: int) -> None:
        """The collector has taken an event."""
        self.counters.taken += 1
        self._sent.append(now)

    def rate(self, now: int) -> float:
        """Events per second into the collector, over the last seconds."""
        while self._sent and self._sent[0] < now - RATE_WINDOW * 1000:
            self._sent.popleft()
        return len(self._sent) / RATE_WINDOW

    def fact(self, lead: str, fact: Fact) -> None:
        """A fact was read from the lead log."""
        self.counters.log += 1
        row = self._row(lead)
        if fact.type == PROFILE_UPDATED:
            return
        words = phrases.did(fact.type, fact.properties)
        row.seen = (*row.seen, (fact.time, words))[-SEEN_KEPT:]
        if fact.time >= row.did_at:
            row.did, row.did_at = words, fact.time

    def score(self, event: Mapping[str, Any], now: int) -> None:
        """A ``lead.score.v1`` event was read."""
        row, data = self._row(event["subject"]), event["data"]
        change = data["total"] - row.total
        if not row.scored or abs(change) >= phrases.WORTH_A_WORD:
            row.change, row.changed_at = change, now
        row.scored = True
        row.total, row.parts = data["total"], data["parts"]
        row.band, row.stage = data["band"], data["stage"]

    def gone(self, lead: str) -> None:
        """A lead has become part of another."""
        self._row(lead).scored = False

    def outcome(self, event: Mapping[str, Any], now: int) -> News:
        """A ``lead.qualified.v1`` or ``lead.disqualified.v1`` event was read."""
        data = event["data"]
        qualified = event["type"] == "lead.qualified"
        news = News(
            at=now,
            qualified=qualified,
            name=self._row(event["subject"]).name,
            total=data["total"],
            why=phrases.why(data),
            terms=phrases.terms(phrases.together(data["top"], rise=qualified)),
        )
        if news.qualified:
            self.counters.qualified += 1
            self.headline = self.headline or news
        else:
            self.counters.disqualified += 1
        self.news.append(news)
        return news

    def refused(self, reason: str) -> None:
        """The collector has refused a request."""
        self.counters.refused += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def ranking(self) -> list[Row]:
        """The leads that have a score, highest first."""
        return sorted(
            (row for row in self.rows.values() if row.scored), key=lambda row: (-row.total, row.lead)
        )

    def _row(self, lead: str) -> Row:
        row = self.rows.get(lead)
        if row is None:
            row = self.rows[lead] = Row(lead, self.name_of(lead))
        return row
