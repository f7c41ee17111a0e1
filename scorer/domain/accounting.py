"""Accounts within a partition: what their members report, what time does to them, what is said of them.

A lead reports to its account through the log, like everything that one partition tells another. A report
says what the lead counts from now on and has a version that rises with each, so it may come twice, and what
comes late changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Final

from scorer.domain.account import (
    SETTLING,
    Account,
    above,
    advance,
    below,
    faded,
    falls_below,
    new_account,
    note,
    score,
)
from scorer.domain.account_outcomes import ACCOUNT_DISQUALIFIED, ACCOUNT_QUALIFIED, account_outcome
from scorer.domain.joining import Joining
from scorer.domain.lead import DISQUALIFIED, OPEN, QUALIFIED, Lead
from scorer.domain.model import Accounts
from scorer.domain.person import account_of
from scorer.domain.population import Joined
from scorer.domain.reading import total
from scorer.domain.record import ACCOUNT, ANNOUNCE_ALL, ANNOUNCE_NONE, Member, encode_record
from scorer.domain.rules import RuleSet
from scorer.domain.state import PartitionState
from scorer.domain.timers import Timer

STEP: Final = 0.01
"""Points by which what a lead counts must differ from what its account believes, to be reported."""


class Accounting(Joining):
    """Leads that report to accounts, and accounts, wherever the others are."""

    def __init__(
        self,
        state: PartitionState,
        rule_sets: dict[int, bytes],
        load: Callable[[bytes], Lead | None],
        load_timers: Callable[[int], tuple[list[Timer], int]] | None,
        number: int,
        load_account: Callable[[bytes], Account | None] | None,
    ) -> None:
        super().__init__(state, rule_sets, load, load_timers, number)
        self.accounts: dict[bytes, Account] = {}
        """By key: ``ACCOUNT`` and the id."""
        self.dirty_accounts: dict[bytes, Account] = {}
        self._load_account = load_account

    # -- leads ------------------------------------------------------------------------------------

    def _report(self, rules: RuleSet, lead: Lead, key: bytes, joined: Sequence[Joined] = ()) -> None:
        accounts = rules.model.accounts
        told = lead.reported
        nowhere = (accounts is None and lead.since) or (told is None and lead.company is None)
        if not joined and (nowhere or lead.touched):
            return
        version, before, points, at = told or (0, "", 0.0, 0)
        account = account_of(lead) if lead.since else ""
        if before and before != account:
            version += 1
            self._tell(before, Member(key, version, None, lead.clock))
            lead.reported = version, "", 0.0, 0
            before = ""
        instead: list[tuple[bytes, int]] = []
        if account and accounts is not None and not lead.touched:
            counts = 0.0 if lead.status == DISQUALIFIED else max(0.0, total(rules, lead, lead.clock))
            instead = [(one, last) for one, last, where in joined if where == account]
            fresh = before != account or abs(counts - faded(accounts, points, lead.clock - at)) >= STEP
            if fresh or instead:
                version += 1
                self._tell(account, Member(key, version, counts, lead.clock, instead))
                lead.reported = version, account, counts, lead.clock
        for one, last, where in joined:
            if not instead or where != account:
                self._tell(where, Member(one, last, None, lead.clock))

    def _tell(self, account: str, report: Member) -> None:
        self.sends.append((ACCOUNT + account.encode(), encode_record(report)))

    # -- accounts ---------------------------------------------------------------------------------

    def account(self, key: bytes) -> Account | None:
        """An account as it stands, without touching it."""
        account = self.accounts.get(key) or self.dirty_accounts.get(key)
        if account is None and self._load_account is not None:
            account = self._load_account(key)
        return account

    def _take_report(self, key: bytes, record: Member, offset: int) -> bool:
        """False where the record can't be one."""
        if len(key) < 2 or key[:1] != ACCOUNT or not isfinite(record.points or 0.0):  # noqa: PLR2004
            return False
        account = self._find_account(key)
        if account is None:
            account = self.accounts[key] = new_account(self.state.milestone)
            self.counters.accounts_created += 1
        elif offset <= account.fence:
            self.counters.skipped += 1
            return True
        known = account.members.get(record.lead)
        if known is not None and record.version <= known[0]:
            self.counters.duplicates += 1
            return True
        wake = account.due
        if account.milestone < self.state.milestone:
            self._pass_milestones_of_account(account, key)
        rules, accounts = self._rules, self._rules.model.accounts
        advance(accounts, account, max(record.at, self._judged_at))
        before = 0.0 if accounts is None else score(accounts, account, account.clock)
        most = Accounts().people if accounts is None else accounts.people
        for lead, version in record.instead_of:
            last = account.members.get(lead)
            if last is None or version > last[0]:
                note(account, lead, (version, None, record.at), most)
        if not note(account, record.lead, (record.version, record.points, record.at), most):
            self.counters.members_refused += 1
        self._settle_account(rules, account, key, "activity", before)
        account.fence = offset
        self._changed_account(account, key, wake)
        return True

    def _find_account(self, key: bytes) -> Account | None:
        account = self.accounts.get(key)
        if account is None:
            account = self.account(key)
            if account is not None:
                self.accounts[key] = account
        return account

    def _settle_account(
        self, rules: RuleSet, account: Account, key: bytes, cause: str, before: float | None
    ) -> None:
        """Move the account to where its score says, and tell it.

        ``before``: its score at its clock without what is being applied. What time alone has done by then
        waits for its timer; None: it is the timer's turn.
        """
        accounts = rules.model.accounts
        if accounts is None or account.settling:
            account.due = account.settling
            return
        value = score(accounts, account, account.clock)
        if account.status != QUALIFIED:
            if above(accounts, value):
                self._turn(rules, accounts, account, key, QUALIFIED, cause)
        elif below(accounts, value):
            if before is not None and below(accounts, before):
                return  # the timer that is due tells it, and nothing may put it off
            self._turn(rules, accounts, account, key, OPEN, cause)
        account.due = falls_below(accounts, account) if account.status == QUALIFIED else 0

    def _turn(
        self, rules: RuleSet, accounts: Accounts, account: Account, key: bytes, status: int, cause: str
    ) -> None:
        """It has come to a status; told unless rules were to bring it about silently, or it is known."""
        account.status = status
        quiet = account.announce == ANNOUNCE_NONE or (account.announce and status != QUALIFIED)
        if status != account.told and not quiet:
            account.told = status
            kind = ACCOUNT_QUALIFIED if status == QUALIFIED else ACCOUNT_DISQUALIFIED
            self.outcomes.append(account_outcome(rules, accounts, account, key, kind, cause))

    def _pass_milestones_of_account(self, account: Account, key: bytes) -> None:
        """What people count by the new rules they state one after the other: judged when that has settled."""
        previous = self._version_at(account.milestone)
        for milestone in self.state.milestones:
            if milestone.number <= account.milestone or not milestone.version:
                continue
            before, rules = self._rule_set(previous), self._rule_set(milestone.version)
            if rules.preparing:
                previous = milestone.version
                continue
            self._wake_account(before, account, key, max(milestone.clock - before.model.grace, 0))
            accounts = rules.model.accounts
            advance(accounts, account, milestone.clock - rules.model.grace)
            former = before.model.accounts
            if accounts is not None or former is not None:
                account.announce = max(account.announce, milestone.announce)
            if accounts is not None:
                account.settling = account.due = max(account.clock, milestone.clock) + SETTLING
            elif former is not None:
                account.settling = account.due = 0
                if account.status == QUALIFIED:
                    self._turn(before, former, account, key, OPEN, "rules")
                account.announce = ANNOUNCE_ALL
            previous = milestone.version
        account.milestone = self.state.milestone
        self._wake_account(self._rules, account, key, self._judged_at)

    def _wake_account(self, rules: RuleSet, account: Account, key: bytes, judged_at: int) -> None:
        while 0 < account.due <= judged_at:
            cause = "rules" if account.settling else "time"
            advance(rules.model.accounts, account, account.due)
            account.settling = account.due = 0
            self._settle_account(rules, account, key, cause, None)
            account.announce = ANNOUNCE_ALL

    def _changed_account(self, account: Account, key: bytes, wake: int) -> None:
        self.dirty_accounts[key] = account
        if account.due and account.due != wake:
            self.timers.queue(account.due, key)

    # -- what the population asks -----------------------------------------------------------------

    def touch(self, key: bytes) -> bool:
        """As for leads."""
        if key[:1] != ACCOUNT:
            return super().touch(key)
        account = self._find_account(key)
        if account is None:
            return False
        if account.milestone < self.state.milestone:
            wake = account.due
            self._pass_milestones_of_account(account, key)
            self._changed_account(account, key, wake)
        return True

    def _fire_account(self, due: int, key: bytes) -> None:
        account = self._find_account(key)
        if account is None or account.due != due:
            return  # an earlier timer has taken this one's place
        if account.milestone < self.state.milestone:
            self._pass_milestones_of_account(account, key)
        self._wake_account(self._rules, account, key, self._judged_at)
        self.counters.timers += 1
        self._changed_account(account, key, 0)
