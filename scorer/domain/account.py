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

from scorer.domain.lead import OPEN, newer
from scorer.domain.model import Accounts
from scorer.domain.reading import TOLERANCE
from scorer.domain.record import ANNOUNCE_ALL

Membership = tuple[int, float | None, int]
"""(version, points, the lead's clock then); points None: it has left."""

LEFT: Final = 4_096
"""Members that have left and are remembered: after a crash, what they stated before comes again."""
SETTLING: Final = 60_000
"""ms of the clock that people have to state what they count by new rules, before the account is judged."""
STEEP: Final = 64
"""Half-lives between the landmark and the clock after which it is moved."""
FORMAT: Final = 1


class Account:
    """Times are ms since 1970."""

    __slots__ = (
        "announce",
        "clock",
        "due",
        "fading",
        "fence",
        "landmark",
        "members",
        "milestone",
        "seq",
        "settling",
        "status",
        "told",
        "weights",
    )

    def __init__(
        self,
        fence: int,
        milestone: int,
        seq: int,
        status: int,
        clock: int,
        due: int,
        settling: int,
        landmark: int,
        members: dict[bytes, Membership],
        told: int,
        announce: int,
    ) -> None:
        self.fence = fence
        """As of a lead."""
        self.milestone = milestone
        self.seq = seq
        """Outcomes emitted so far."""
        self.status = status
        """OPEN or QUALIFIED, as of a lead."""
        self.clock = clock
        """The newest instant at which a member reported, or at which time was looked at."""
        self.due = due
        """When time alone takes the account below the exit, or when it has settled; 0: never."""
        self.settling = settling
        """Until then new rules have not been stated by everybody, and nothing is told; 0: it has settled."""
        self.landmark = landmark
        """Origin of the weights."""
        self.members = members
        """Lead id -> what it counts."""
        self.told = told
        """The status that whoever listens knows: another one where rules brought it about, and were not to
        announce it."""
        self.announce = announce
        """Until it has settled: the quietest policy (``record.Rules.announce``) of the rules that it has come
        to."""
        self.weights: dict[bytes, float] | None = None
        """Lead id -> its points as of the landmark; computed when they are asked for, and not stored."""
        self.fading: int | None = None
        """The half-life (ms) that the weights belong to."""


def new_account(milestone: int = 0) -> Account:
    return Account(-1, milestone, 0, OPEN, 0, 0, 0, 0, {}, OPEN, ANNOUNCE_ALL)


_Stored = tuple[Literal[1], int, int, int, int, int, int, int, int, dict[bytes, Membership], int, int]
_encode = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(_Stored).decode


def encode_account(account: Account) -> bytes:
    """msgpack: an array of ``FORMAT`` and the fields in the order of ``Account``'s arguments."""
    return _encode(stored_account(account))


def decode_account(encoded: bytes | memoryview) -> Account:
    """The inverse of ``encode_account``.

    Raises ``lead.NewerFormat``, and ``msgspec.MsgspecError`` on anything else that is none.
    """
    try:
        arguments: Any = _decode(encoded)[1:]
    except msgspec.ValidationError as error:
        raise newer(encoded, FORMAT) or error from None
    return Account(*arguments)


def stored_account(account: Account) -> tuple[Any, ...]:
    """What is stored of it; two accounts in the same state give equal tuples."""
    return (
        FORMAT,
        account.fence,
        account.milestone,
        account.seq,
        account.status,
        account.clock,
        account.due,
        account.settling,
        account.landmark,
        account.members,
        account.told,
        account.announce,
    )


# -- members ------------------------------------------------------------------------------------------


def note(account: Account, lead: bytes, membership: Membership, most: int) -> bool:
    """Keep what a member counts; False where the account has too many members to take another."""
    members = account.members
    _, points, at = membership
    if points is None:
        # Those that have left stand last, in the order in which they did.
        members.pop(lead, None)
        members[lead] = membership
        _forget(account)
    else:
        known = members.get(lead)
        if (known is None or known[1] is None) and people(account) >= most:
            return False
        members[lead] = membership
    if account.weights is not None:
        if points is None:
            account.weights.pop(lead, None)
        else:
            account.weights[lead] = _weight(points, at - account.landmark, account.fading)
    return True


def _forget(account: Account) -> None:
    if len(account.members) <= LEFT:
        return
    gone = [lead for lead, (_, points, _) in account.members.items() if points is None]
    for lead in gone[: max(0, len(gone) - LEFT)]:
        del account.members[lead]


def people(account: Account) -> int:
    """Members that count."""
    if account.weights is not None:
        return len(account.weights)
    return sum(1 for _, points, _ in account.members.values() if points is not None)


# -- points -------------------------------------------------------------------------------------------


def advance(rules: Accounts | None, account: Account, clock: int) -> None:
    """Time has come to ``clock``."""
    account.clock = max(account.clock, clock)
    half_life = None if rules is None else rules.half_life
    if not account.landmark or (half_life and account.clock - account.landmark > STEEP * half_life):
        account.landmark = account.clock
        account.weights = None


def score(rules: Accounts, account: Account, at: int) -> float:
    """The account's score at an instant (ms), its clock or later."""
    return faded(rules, _weight_of_all(rules, account), at - account.landmark)


def counting(rules: Accounts, account: Account, at: int, most: int) -> list[tuple[float, bytes]]:
    """(points at an instant, lead id) of those that count most, the most first."""
    top = _counting(rules, _weights(rules, account), most)
    return [(faded(rules, weight, at - account.landmark), lead) for weight, lead in top]


def faded(rules: Accounts, points: float, ms: int) -> float:
    """What points are worth so long after they were reported."""
    return _weight(points, -ms, rules.half_life)


def falls_below(rules: Accounts, account: Account) -> int:
    """The first ms, at the account's clock or later, at which its score is below the exit; 0: never."""
    weight, landmark = _weight_of_all(rules, account), account.landmark

    def lies_below(at: int) -> bool:
        return below(rules, faded(rules, weight, at - landmark))

    if lies_below(account.clock):
        return account.clock
    least = rules.exit - TOLERANCE
    if rules.half_life is None or least <= 0:
        return 0
    at = max(account.clock, landmark + int(rules.half_life * log2(weight / least)))
    while not lies_below(at):
        at += 1
    while at > account.clock and lies_below(at - 1):
        at -= 1
    return at


def above(rules: Accounts, value: float) -> bool:
    return value > rules.enter + TOLERANCE


def below(rules: Accounts, value: float) -> bool:
    return value < rules.exit - TOLERANCE


def _weight(points: float, ms: int, half_life: int | None) -> float:
    """Points moved forward in time, or back where ``ms`` is negative."""
    if half_life is None or not ms:
        return points
    factor: float = 2.0 ** (ms / half_life)
    return points * factor


def _weights(rules: Accounts, account: Account) -> dict[bytes, float]:
    weights = account.weights
    if weights is None or account.fading != rules.half_life:
        weights = {}
        for lead, (_, points, at) in account.members.items():
            if points is not None:
                weights[lead] = _weight(points, at - account.landmark, rules.half_life)
        account.weights, account.fading = weights, rules.half_life
    return weights


def _weight_of_all(rules: Accounts, account: Account) -> float:
    weights = _weights(rules, account)
    if rules.combine == "sum":
        return fsum(weights.values())  # exact, so the same in whatever order they came
    return fsum(weight for weight, _ in _counting(rules, weights, rules.best))


def _counting(rules: Accounts, weights: dict[bytes, float], most: int) -> list[tuple[float, bytes]]:
    if rules.combine != "sum":
        most = min(most, rules.best) if rules.combine == "best" else 1
    return nlargest(most, [(weight, lead) for lead, weight in weights.items()])
