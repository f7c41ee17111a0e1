"""Leads that are found to be one person, whatever partitions they are in: see ``scorer.domain.links``.

What one partition has to say to another goes through the log, like everything else that changes a lead. It
carries where it comes from (``record.HOPS``), so that what is sent again after a crash changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from scorer.domain.encoded import encode_number, sent_on
from scorer.domain.engine import ATTRIBUTES, adopt_at_once, fire
from scorer.domain.lead import Lead, Reported, decode_lead, encode_lead, new_lead
from scorer.domain.links import Links, Send, answered, decide, erase, hear
from scorer.domain.merging import merge
from scorer.domain.outcomes import erased, merged
from scorer.domain.population import Joined, Population
from scorer.domain.record import (
    HOPS,
    SENT_EACH,
    Answer,
    Ask,
    Bind,
    Erase,
    Linking,
    Merge,
    Posting,
    encode_record,
)
from scorer.domain.rules import RuleSet
from scorer.domain.shadowing import advance, begin, change_rules, judge, note_live, unite
from scorer.domain.state import PartitionState
from scorer.domain.timers import Timer

SETTLED: Final = 60_000
"""ms of the clock after an erasure within which what was said before it still tells who is who, so that all
of the person is found. Whatever comes later than that is a repetition."""

Sent = tuple[bytes, bytes]
"""A record for the lead log, for the partition of its key: (lead id, value)."""


class Joining(Population):
    """A population some of whose leads become part of others, here or elsewhere."""

    def __init__(
        self,
        state: PartitionState,
        rule_sets: dict[int, bytes],
        load: Callable[[bytes], Lead | None],
        load_timers: Callable[[int], tuple[list[Timer], int]] | None,
        number: int,
    ) -> None:
        super().__init__(state, rule_sets, load, load_timers)
        self.sends: list[Sent] = []
        """For other partitions of the log, or this one."""
        self.linked: set[bytes] = set()
        """Leads of which something new is known who they are."""
        self._hop: Final = HOPS + (state.generation << 16) + number
        self._hop_encoded: Final = encode_number(self._hop)
        self._place = 0  # of the next record that is sent

    def _forward(self, target: bytes, fact: bytes, offset: int) -> None:
        """Nothing of the signpost changes: what is read again is sent again, and dropped where it arrives."""
        self.counters.forwarded += 1
        self.sends.append((target, sent_on(fact, self._hop_encoded, encode_number(offset * SENT_EACH))))

    def _hear(self, lead: Lead, key: bytes, record: Linking, offset: int) -> None:
        """Do what a record at an offset says about who a lead is."""
        due = lead.due
        if lead.milestone < self.state.milestone:
            self._pass_milestones(lead, key)
        if lead.links is None:
            lead.links = Links()
        lead.fence = offset
        self._place = offset * SENT_EACH
        lead = self._follow(lead, lead.links, key, record)
        self._report(self._rules, lead, key)
        self.dirty[key] = lead
        self.linked.add(key)
        if lead.due != due:
            self._requeue(lead, key, due)

    def _follow(self, lead: Lead, links: Links, key: bytes, record: Linking) -> Lead:
        """Do what the record says; returns what the lead is then."""
        limits, version = self._rules.limits, self.state.version
        out: list[Send] = []
        refused = 0
        if isinstance(record, Bind):
            if record.received <= links.erased < self.state.clock - SETTLED:
                self.counters.shunned += 1
                return lead
            refused = hear(key, links, record, limits, version, out)
        elif isinstance(record, Ask):
            refused = decide(key, links, record, limits, out)
        elif isinstance(record, Answer):
            # Accepted is accepted: a replay under other rules need not have come to ask by itself. But an
            # answer to what was asked before the person was forgotten binds nobody.
            awaited = record.asked == links.asked or (record.accepted and not links.erased)
            before = bool(links.moved)
            if awaited and not before:
                refused = answered(key, links, record, limits, version, out)
                if links.moved:
                    lead = self._move(lead, key, links)
        elif isinstance(record, Erase):
            left = erase(key, links, record, limits, out)
            if left is not None:
                lead = self._erase(lead, key, left, record)
        elif links.moved:
            out.append((links.moved, record))
            if record.lead in links.shunned:
                links.shunned.remove(record.lead)
        else:
            self._arrive(lead, key, links, record)
        self.counters.refused += refused
        for target, one in out:
            self._send(target, one)
        return lead

    def _arrive(self, lead: Lead, key: bytes, links: Links, record: Merge) -> None:
        """All that a lead was has come: it counts once, and not what the person has been forgotten with."""
        if record.lead in links.shunned:
            links.shunned.remove(record.lead)
            self._report(self._rules, lead, key, _counted(record.lead, decode_lead(record.state)))
        elif record.lead in links.joined or any(one[0] == record.lead for one in links.arriving):
            self.counters.duplicates += 1
        else:
            decode_lead(record.state)  # raises now rather than when rules change
            links.arriving.append((record.lead, record.version, record.state))
            self._let_in(lead, key, links, self._rules, self._judged_at)

    def _erase(self, lead: Lead, key: bytes, links: Links, record: Erase) -> Lead:
        """What is left of a lead: its number, so that no outcome's id comes again, and who is not counted."""
        left = new_lead(lead.generation, lead.milestone)
        left.fence, left.seq, left.links, left.clock = lead.fence, lead.seq, links, record.at
        left.reported = lead.reported  # and counts no more
        if self._rules.shadow is not None:
            begin(self._rules, self._rules.shadow, left, 0, self.counters)
        self.outcomes.append(erased(left, key.decode(), record, blocked=links.blocked))
        self.leads[key] = left
        self.counters.erased += 1
        return left

    def _shuns(self, links: Links, record: Posting) -> bool:
        """Whether a fact is one that the person has been forgotten with, or that is never to count."""
        shuns = links.blocked or record.received <= links.erased
        if shuns:
            self.counters.shunned += 1
        return shuns

    def _move(self, lead: Lead, key: bytes, links: Links) -> Lead:
        """Send all that the lead was to what it has become part of; returns the signpost that is left."""
        left = new_lead(lead.generation, lead.milestone)
        left.fence, left.seq, left.links = lead.fence, lead.seq, links
        left.clock, left.reported = lead.clock, _gone(lead)
        if lead.since:
            told = len(self.outcomes)
            fire(self._rules, lead, key, self._judged_at, self.outcomes)
            if lead.shadow is not None:
                note_live(lead.shadow, self.outcomes, told, lead.clock, self.counters)
                advance(self._rules.shadow, lead.shadow, key, self._judged_at, self.counters)
            self.outcomes.append(merged(self._rules, lead, key.decode(), links.moved.decode()))
            left.seq = lead.seq
            lead.links = Links(joined=links.joined) if links.joined else None
            self._send(links.moved, Merge(key, self.state.version, encode_lead(lead), 0, 0))
        for one in links.arriving:
            self._send(links.moved, Merge(*one, 0, 0))
        links.arriving, links.joined = [], []
        self.leads[key] = left
        self.counters.merged += 1
        return left

    def _let_in(self, lead: Lead, key: bytes, links: Links, rules: RuleSet, as_of: int) -> None:
        """Take in the leads that have come, unless they come from rules later than these."""
        here = [one for one in links.arriving if one[1] <= rules.version]
        if not here:
            return
        links.arriving = [one for one in links.arriving if one[1] > rules.version]
        joined = {*links.joined}
        counted: list[Joined] = []
        for name, since, state in here:
            other = decode_lead(state)
            joined.add(name)
            if other.links is not None:
                joined.update(other.links.joined)
            counted += _counted(name, other)
            self._catch_up(other, since, rules)
            merge(rules, lead, other, ATTRIBUTES)
            if other.touched in self.state.imports and not lead.touched:
                lead.touched = other.touched
            if rules.shadow is not None:
                unite(rules.shadow, lead, other, ATTRIBUTES, self.counters)
        links.joined = sorted(joined)
        if lead.since and not lead.touched:
            self._evaluate(rules, lead, key, as_of, "merge")
            if lead.shadow is not None:
                judge(rules.shadow, lead.shadow, key, as_of, "merge", self.counters)
        self._report(rules, lead, key, counted)

    def _catch_up(self, lead: Lead, version: int, until: RuleSet) -> None:
        """Take a lead that has come from another partition from the rules of that version to these.

        At once: the rules in between are forgotten when all leads here have passed them, and when that is
        must make no difference.
        """
        if version < until.version:
            begun = {slot: at for slot, (brought, at) in self.state.begun.items() if brought > version}
            adopt_at_once(until, lead, begun)
            change_rules(until, until, lead, lead.judged, self.counters)

    def _send(self, target: bytes, record: Linking) -> None:
        sent = msgspec.structs.replace(record, door=self._hop, offset=self._place)
        self.sends.append((target, encode_record(sent)))
        self._place += 1

    def _passed(self, lead: Lead, key: bytes, rules: RuleSet, as_of: int) -> None:
        links = lead.links
        if links is not None and links.arriving:
            self._let_in(lead, key, links, rules, as_of)


def _counted(name: bytes, lead: Lead) -> list[Joined]:
    """Where a lead that has become part of another has counted until now."""
    told = lead.reported
    return [(name, told[0] + 1, told[1])] if told is not None and told[1] else []


def _gone(lead: Lead) -> Reported | None:
    """What a lead that becomes part of another has stated: the one that takes it in says that it leaves."""
    told = lead.reported
    return None if told is None else (told[0] + 1, "", 0.0, 0)
