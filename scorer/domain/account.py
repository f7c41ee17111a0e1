"""An account: the company that leads belong to, and what its people count together.

A member counts with the points that it had when it last reported, which fade from then on as the rules
say. All fade alike, so between two reports the whole only falls, and when it falls below the exit is known
to the millisecond.
"""

from __future__ import annotations

from heapq import nlargest
from math import fsum, log2
from typing import Any, Final, Literal

import msgspec

from scorer.domain.lead import OPEN
from scorer.domain.model import Accounts
from scorer.domain.reading import TOLERANCE

Membership = tuple[int, float | None, int]
"""(version, points, the lead's clock then); points None: it has left."""

LEFT: Final = 256
"""Members that have left and are remembered, so that an old report of theirs brings none of them back."""
FORMAT: Final = 1


class Account:
    """Times are ms since 1970."""

    __slots__ = ("clock", "fence", "generation", "members", "milestone", "seq", "status", "wake")

    def __init__(
        self,
        fence: int,
        generation: int,
        milestone: int,
        seq: int,
        status: int,
        clock: int,
        wake: int,
        members: dict[bytes, Membership],
    ) -> None:
        self.fence = fence
        """As of a lead."""
        self.generation = generation
        self.milestone = milestone
        self.seq = seq
        """Outcomes emitted so far."""
        self.status = status
        """OPEN or QUALIFIED, as of a lead."""
        self.clock = clock
        """The newest instant at which a member reported, or at which time was looked at."""
        self.wake = wake
        """When time alone takes the account below the exit; 0: never."""
        self.members = members
        """Lead id -> what it counts."""


def new_account(generation: int = 0, milestone: int = 0) -> Account:
    return Account(-1, generation, milestone, 0, OPEN, 0, 0, {})


_Stored = tuple[Literal[1], int, int, int, int, int, int, int, dict[bytes, Membership]]
_encode = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(_Stored).decode


def encode_account(account: Account) -> bytes:
    """msgpack: an array of ``FORMAT`` and the fields in the order of ``Account``'s arguments."""
    return _encode(stored_account(account))


def decode_account(encoded: bytes | memoryview) -> Account:
    """The inverse of ``encode_account``; raises ``msgspec.MsgspecError`` on anything else."""
    arguments: Any = _decode(encoded)[1:]
    return Account(*arguments)


def stored_account(account: Account) -> tuple[Any, ...]:
    """What is stored of it; two accounts in the same state give equal tuples."""
    return (
        FORMAT,
        account.fence,
        account.generation,
        account.milestone,
        account.seq,
        account.status,
        account.clock,
        account.wake,
        account.members,
    )


def note(account: Account, lead: bytes, membership: Membership, most: int) -> bool:
    """Keep what a member counts; False where the account has too many members to take another."""
    members = account.members
    known = members.get(lead)
    if membership[1] is not None and (known is None or known[1] is None) and people(account) >= most:
        return False
    if membership[1] is None:
        # Those that have left stand last, in the order in which they did.
        members.pop(lead, None)
        members[lead] = membership
        gone = [one for one, (_, points, _) in members.items() if points is None]
        for one in gone[: max(0, len(gone) - LEFT)]:
            del members[one]
    else:
        members[lead] = membership
    return True


def people(account: Account) -> int:
    """Members that count."""
    return sum(1 for _, points, _ in account.members.values() if points is not None)


def counting(rules: Accounts, account: Account, at: int) -> list[tuple[float, bytes]]:
    """(points at an instant, lead id) of the members that count, the most first; all, or the best few."""
    worth = [
        (faded(rules, points, at - since), lead)
        for lead, (_, points, since) in account.members.items()
        if points is not None
    ]
    if rules.combine == "sum":
        return sorted(worth, key=_most_first)
    return nlargest(rules.best if rules.combine == "best" else 1, worth, key=_by_points)


def score(rules: Accounts, account: Account, at: int) -> float:
    """The account's score at an instant (ms), its clock or later."""
    return fsum(points for points, _ in counting(rules, account, at))


def faded(rules: Accounts, points: float, ms: int) -> float:
    """What points are worth so long after they were reported."""
    half_life = rules.half_life
    if half_life is None or ms <= 0:
        return points
    fading: float = 2.0 ** (-ms / half_life)
    return points * fading


def falls_below(rules: Accounts, account: Account) -> int:
    """The first ms, at the account's clock or later, at which its score is below the exit; 0: never."""
    value = score(rules, account, account.clock)
    if below(rules, value):
        return account.clock
    if rules.half_life is None or rules.exit <= TOLERANCE:
        return 0
    at = account.clock + int(rules.half_life * log2(value / rules.exit))
    while not below(rules, score(rules, account, at)):
        at += 1
    while at > account.clock and below(rules, score(rules, account, at - 1)):
        at -= 1
    return at


def above(rules: Accounts, value: float) -> bool:
    return value > rules.enter + TOLERANCE


def below(rules: Accounts, value: float) -> bool:
    return value < rules.exit - TOLERANCE


def _by_points(one: tuple[float, bytes]) -> tuple[float, bytes]:
    return one


def _most_first(one: tuple[float, bytes]) -> tuple[float, bytes]:
    return -one[0], one[1]
