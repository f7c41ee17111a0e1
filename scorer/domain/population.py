"""The leads of one log partition: finding them, their timers, and what concerns all of them.

A change of rules or the end of an import concerns every lead. Each passes such a milestone on its next
touch, or when it is swept: as of the clock at the milestone, so it makes no difference when that is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from scorer.domain.counters import Counters
from scorer.domain.engine import evaluate, fire
from scorer.domain.lead import Lead, new_lead
from scorer.domain.model import Model, encode_model
from scorer.domain.outcomes import Outcome
from scorer.domain.record import ACCOUNT, ANNOUNCE_ALL
from scorer.domain.rules import RuleSet, build
from scorer.domain.shadowing import advance, change_rules, judge, note_live, same_live
from scorer.domain.state import Milestone, PartitionState
from scorer.domain.timers import Timer, Timers

NO_RULES: Final = build(encode_model(Model(name="none", scores=())), 0)


Joined = tuple[bytes, int, str]
"""(lead, the version with which it leaves its account, that account)."""


class Population:
    def __init__(
        self,
        state: PartitionState,
        rule_sets: dict[int, bytes],
        load: Callable[[bytes], Lead | None],
        load_timers: Callable[[int], tuple[list[Timer], int]] | None,
    ) -> None:
        self.state = state
        self.rule_sets = rule_sets
        self.leads: dict[bytes, Lead] = {}
        self.dirty: dict[bytes, Lead] = {}
        self.outcomes: list[Outcome] = []
        self.timers = Timers(load_timers)
        self.counters = Counters()
        self._load = load
        self._built: dict[int, RuleSet] = {}
        self._rules = self._rule_set(state.version)
        self._judged_at = 0

    # -- what the owner asks ------------------------------------------------------------------

    @property
    def rules(self) -> RuleSet:
        """The rule set in force; one without any rule before the first."""
        return self._rules

    @property
    def unswept(self) -> int | None:
        """The newest milestone that idle leads may not have passed; None: all have."""
        return self.state.milestones[-1].number if self.state.milestones else None

    def get(self, key: bytes) -> Lead | None:
        """A lead as it stands, without touching it."""
        return self.leads.get(key) or self.dirty.get(key) or self._load(key)

    def touch(self, key: bytes) -> bool:
        """Take an idle lead past the milestones it has not passed; False where there is no such lead."""
        lead = self._find(key)
        if lead is None:
            return False
        # A lead may be ahead: its state outlived a crash that the partition's did not.
        if lead.milestone < self.state.milestone:
            due = lead.due
            self._pass_milestones(lead, key)
            self._requeue(lead, key, due)
            self.dirty[key] = lead
        return True

    def swept(self, milestone: int) -> None:
        """Every lead has passed this milestone: it and the rule sets before it can go."""
        state = self.state
        for passed in state.milestones:
            if passed.number <= milestone and passed.version:
                state.base_version = passed.version
        state.milestones = [left for left in state.milestones if left.number > milestone]
        needed = {state.base_version, state.version, *(left.version for left in state.milestones)}
        self.rule_sets = {version: model for version, model in self.rule_sets.items() if version in needed}
        self._built = {version: rules for version, rules in self._built.items() if version in needed}

    # -- leads --------------------------------------------------------------------------------

    def _find(self, key: bytes) -> Lead | None:
        lead = self.leads.get(key)
        if lead is None and key[:1] > ACCOUNT:
            lead = self.dirty.get(key) or self._load(key)
            if lead is not None:
                self.leads[key] = lead
        return lead

    def _create(self, key: bytes) -> Lead:
        lead = self.leads[key] = new_lead(self.state.generation, self.state.milestone)
        self.counters.leads_created += 1
        return lead

    # -- milestones -----------------------------------------------------------------------------

    def _pass_milestones(self, lead: Lead, key: bytes) -> None:
        """Through every milestone the lead has not seen, in order, each as of its own clock."""
        links = lead.links
        if links is not None and links.moved:
            lead.milestone = self.state.milestone
            return
        previous = self._version_at(lead.milestone)
        for milestone in self.state.milestones:
            if milestone.number <= lead.milestone:
                continue
            before, rules = self._rule_set(previous), self._rule_set(milestone.version or previous)
            # What was due before the milestone is decided by the rules of that time.
            self._fire(before, lead, key, max(milestone.clock - before.model.grace, 0))
            as_of = max(milestone.clock - rules.model.grace, 0)
            if milestone.version:
                begins = change_rules(before, rules, lead, as_of, self.counters)
                previous = milestone.version
                if not lead.touched:
                    if lead.since and not rules.preparing and not same_live(before, rules):
                        self._evaluate(rules, lead, key, as_of, "rules", milestone.announce)
                    if begins and lead.shadow is not None:
                        judge(rules.shadow, lead.shadow, key, as_of, "rules", self.counters)
                self._passed(lead, key, rules, as_of)
            elif lead.touched == milestone.imported:
                self._evaluate(rules, lead, key, as_of, "import")
                if lead.shadow is not None:
                    judge(rules.shadow, lead.shadow, key, as_of, "import", self.counters)
            self._report(rules, lead, key)
        lead.milestone = self.state.milestone
        self._fire(self._rules, lead, key, self._judged_at)

    def _passed(self, lead: Lead, key: bytes, rules: RuleSet, as_of: int) -> None:
        """The lead has come to these rules; ``as_of``: the instant (ms) at which it has."""

    def _report(self, rules: RuleSet, lead: Lead, key: bytes, joined: Sequence[Joined] = ()) -> None:
        """Tell the lead's account what it counts there, if that has changed.

        ``joined``: those that have become part of the lead, and counted somewhere.
        """

    def _fire(self, rules: RuleSet, lead: Lead, key: bytes, until: int) -> None:
        """``fire``, and after each instant ``_report``: nothing told may depend on when it is looked at."""
        shadow, told = lead.shadow, len(self.outcomes)
        while 0 < lead.wake <= until and not lead.touched:
            fire(rules, lead, key, lead.wake, self.outcomes)
            self._report(rules, lead, key)
            if shadow is not None:
                note_live(shadow, self.outcomes, told, lead.clock, self.counters)
                told = len(self.outcomes)
        if shadow is not None:
            advance(rules.shadow, shadow, key, until, self.counters)

    def _evaluate(
        self,
        rules: RuleSet,
        lead: Lead,
        key: bytes,
        as_of: int,
        cause: str,
        announce: int = ANNOUNCE_ALL,
    ) -> None:
        told = len(self.outcomes)
        evaluate(rules, lead, key, as_of, cause, self.outcomes, announce)
        if lead.shadow is not None:
            note_live(lead.shadow, self.outcomes, told, lead.clock, self.counters)

    def _fire_account(self, due: int, key: bytes) -> None:
        """An account's timer is due."""

    def _version_at(self, number: int) -> int:
        """The rule version in force for a lead that has passed milestone ``number``."""
        version = self.state.base_version
        for milestone in self.state.milestones:
            if milestone.number <= number and milestone.version:
                version = milestone.version
        return version

    def _rule_set(self, version: int) -> RuleSet:
        if not version:
            return NO_RULES
        rules = self._built.get(version)
        if rules is None:
            rules = self._built[version] = build(self.rule_sets[version], version)
        return rules

    def _add_milestone(self, version: int, imported: int, announce: int = ANNOUNCE_ALL) -> None:
        state = self.state
        state.milestone += 1
        state.milestones.append(Milestone(state.milestone, version, imported, state.clock, announce))

    # -- timers -------------------------------------------------------------------------------

    def _requeue(self, lead: Lead, key: bytes, before: int) -> None:
        due = lead.due
        if due and due != before:
            self.timers.queue(due, key)

    def _fire_timers(self) -> None:
        timers, judged_at = self.timers, self._judged_at
        while True:
            timer = timers.take_off(judged_at)
            if timer is None:
                return
            due, key = timer
            if key[:1] == ACCOUNT:
                self._fire_account(due, key)
                continue
            lead = self._find(key)
            if lead is None or lead.due != due:
                continue  # an earlier timer has taken this one's place
            if lead.milestone < self.state.milestone:
                self._pass_milestones(lead, key)
            self.dirty[key] = lead
            if lead.touched:
                lead.wake = 0  # the import's end evaluates it
                if lead.shadow is not None:
                    lead.shadow.lead.wake = 0
                continue
            machines = lead.machines
            self._fire(self._rules, lead, key, judged_at)
            self.counters.timers += 1
            self.counters.timers_waited += judged_at - due
            self.counters.machines += lead.machines - machines
            self._requeue(lead, key, 0)
