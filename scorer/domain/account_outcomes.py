"""What the system says of an account: as of a lead, with a number of its own."""

from __future__ import annotations

from typing import Final

from scorer.domain.account import Account, counting, people, score
from scorer.domain.lead import QUALIFIED
from scorer.domain.lifecycle import OPEN_STAGE, QUALIFIED_STAGE, STAGES
from scorer.domain.messages import AccountData, AccountMember, AccountViewData
from scorer.domain.model import Accounts
from scorer.domain.outcomes import TOP, Outcome, event_of, rounded
from scorer.domain.record import ACCOUNT
from scorer.domain.rules import RuleSet

ACCOUNT_QUALIFIED: Final = "account.qualified"
ACCOUNT_DISQUALIFIED: Final = "account.disqualified"
ACCOUNT_SCORE: Final = "account.score"


def account_outcome(
    rules: RuleSet, accounts: Accounts, account: Account, key: bytes, kind: str, cause: str
) -> Outcome:
    """Emit: raises the account's sequence number and reads its score at its clock. ``key``: as in the log."""
    account.seq += 1
    name = key[len(ACCOUNT) :]
    lines = counting(accounts, account, account.clock, TOP)
    total_ = rounded(score(accounts, account, account.clock))
    data = AccountData(account.seq, total_, people(account), _members(lines), cause, rules.fingerprint)
    event = event_of(f"{name.decode()}:{account.seq}", kind, name.decode(), account.clock, data)
    return Outcome(f"{kind}.v1", name, event, cause=cause, number=account.seq)


def account_view(rules: RuleSet, key: bytes, account: Account) -> tuple[bytes, bytes | None]:
    """(key, value) of ``account.score.v1``: the latest score, at the account's clock; None: nobody counts."""
    name, accounts = key[len(ACCOUNT) :], rules.model.accounts
    count = people(account)
    if accounts is None or not count:
        return name, None
    lines = counting(accounts, account, account.clock, TOP)
    data = AccountViewData(
        rounded(score(accounts, account, account.clock)),
        count,
        _members(lines),
        STAGES[QUALIFIED_STAGE if account.status == QUALIFIED else OPEN_STAGE],
        account.seq,
        account.fence,
        rules.fingerprint,
    )
    return name, event_of(
        f"{name.decode()}@{account.fence}", ACCOUNT_SCORE, name.decode(), account.clock, data
    )


def _members(lines: list[tuple[float, bytes]]) -> list[AccountMember]:
    return [AccountMember(lead.decode(), rounded(points)) for points, lead in lines]
