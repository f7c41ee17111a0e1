"""Which leads are one person: what a lead knows of the others, and what it does when it hears more.

Two leads become one when something names both. The one that is known less well (an anonymous visitor
before an address, an address before a user) asks the other, which alone decides, within limits; asking
always goes upwards, so nobody ever waits for a lead that waits for him. What is heard while an answer is
awaited waits too.

    bind(a, b) -> a asks b -> b answers -> a's state goes to b, and a is nothing but a signpost to b
"""

from __future__ import annotations

from typing import Final

import msgspec

from scorer.domain.record import Answer, Ask, Bind, Erase, Linking

ANONYMOUS: Final = 0
EMAIL: Final = 1
USER: Final = 2
GIVEN: Final = 3
"""Kinds of lead ids, the better known the higher: hashes of an anonymous id, an address or a user id, and ids
that publishers have given."""
KINDS: Final = 4

WAITING: Final = 256
"""What a lead keeps until it has its answer; more is refused."""
REFUSED: Final = 32
"""Refusals that a lead remembers."""

_HASHED: Final = 28
"""Length of a hashed id."""
PREFIXES: Final = (b"a_", b"e_", b"u_")
"""Of hashed ids, by kind."""

Send = tuple[bytes, Linking]
"""(key, record): what is to be said to another lead; its ``door`` and ``offset`` are not known here."""
Limits = tuple[int, ...]
"""Kind -> how many ids of it one lead may have."""


Waiting = tuple[bytes, list[bytes] | None, bytes, int]
Arriving = tuple[bytes, int, bytes]
Parting = tuple[bytes, str]
NOBODY: Final[Parting] = (b"", "")
StoredLinks = tuple[
    bytes,
    list[bytes],
    bytes,
    list[Waiting],
    dict[bytes, int],
    list[Arriving],
    list[bytes],
    int,
    bool,
    list[bytes],
    Parting,
]
"""The arguments of ``Links``."""


class Links:
    """What a lead knows of others. Ids are lead ids, UTF-8."""

    __slots__ = (
        "arriving",
        "asked",
        "blocked",
        "erased",
        "joined",
        "members",
        "moved",
        "parting",
        "refused",
        "shunned",
        "waiting",
    )

    def __init__(
        self,
        moved: bytes = b"",
        members: list[bytes] | None = None,
        asked: bytes = b"",
        waiting: list[Waiting] | None = None,
        refused: dict[bytes, int] | None = None,
        arriving: list[Arriving] | None = None,
        joined: list[bytes] | None = None,
        erased: int = 0,
        blocked: bool = False,  # noqa: FBT001, FBT002 - stored by place
        shunned: list[bytes] | None = None,
        parting: Parting = NOBODY,
    ) -> None:
        self.moved = moved
        """The lead that this one has become part of; empty: it stands for itself."""
        self.members = members or []
        """All that have become, or been allowed to become, part of this one."""
        self.asked = asked
        """The lead whose answer is awaited; empty: none."""
        self.waiting = waiting or []
        """What came meanwhile: (lead, its members, whom it asked first, 0) of one that asks; of one that is
        named with this (lead, None, b"", received)."""
        self.refused = refused or {}
        """Lead -> version of the rules under which it did not become one with this one."""
        self.arriving = arriving or []
        """(lead, version, state) of leads that come from rules not yet in force here."""
        self.joined = joined or []
        """Those of whom all that they were has come: it counts once."""
        self.erased = erased
        """What was received until then (ms) is forgotten; 0: nothing is."""
        self.blocked = blocked
        """What is received later does not count either."""
        self.shunned = shunned or []
        """Those of whom all that they were was on its way when this was erased, or moved."""
        self.parting = parting
        """(the lead whose answer was awaited then, the request): if it is the same person, it is erased."""


def stored_links(links: Links | None) -> StoredLinks | None:
    """What is stored of them."""
    if links is None:
        return None
    return (
        links.moved,
        links.members,
        links.asked,
        links.waiting,
        links.refused,
        links.arriving,
        links.joined,
        links.erased,
        links.blocked,
        links.shunned,
        links.parting,
    )


def kind_of(lead_id: bytes) -> int:
    """ANONYMOUS, EMAIL, USER or GIVEN."""
    if len(lead_id) == _HASHED and lead_id[:2] in PREFIXES:
        return PREFIXES.index(lead_id[:2])
    return GIVEN


def yields_to(lead_id: bytes, other: bytes) -> bool:
    """Whether of two leads that are one person the first becomes part of the second."""
    mine, its = kind_of(lead_id), kind_of(other)
    return mine < its or (mine == its and lead_id < other)


def hear(key: bytes, links: Links, bind: Bind, limits: Limits, version: int, out: list[Send]) -> int:
    """``bind.other`` is the same person as the lead ``key``; returns how many links that refuses (0 or 1)."""
    if links.moved:
        out.append((links.moved, bind))
        return 0
    other = bind.other
    if links.blocked or other == key or other in links.members:
        return 0
    if other == links.asked:
        # Perhaps again because no answer ever came: a record at which our own code failed.
        out.append((other, _question(key, links)))
        return 0
    if _too_many(key, links.members, [other], limits):
        # Whatever the other one has become part of by now: it brings at least itself.
        return _refuse(links, other, version)
    if not yields_to(key, other):
        out.append((other, Bind(key, bind.received, 0, 0)))
        return 0
    if links.asked:
        return _wait(links, (other, None, b"", bind.received))
    if links.refused.get(other) == version:
        return 1
    links.asked = other
    out.append((other, _question(key, links)))
    return 0


def decide(key: bytes, links: Links, ask: Ask, limits: Limits, out: list[Send]) -> int:
    """``ask.lead`` asks to become part of the lead ``key``; returns how many links that refuses (0 or 1)."""
    if links.moved:
        out.append((links.moved, ask))
        return 0
    if links.asked and not links.blocked:
        if _wait(links, (ask.lead, ask.members, ask.asked, 0)):
            out.append(_answer(key, ask, accepted=False))
            return 1
        return 0
    if links.blocked or _too_many(key, links.members, ask.members, limits):
        out.append(_answer(key, ask, accepted=False))
        return 1
    links.members = sorted({*links.members, *ask.members})
    links.shunned = [one for one in links.shunned if one not in ask.members]
    out.append(_answer(key, ask, accepted=True))
    return 0


def answered(key: bytes, links: Links, answer: Answer, limits: Limits, version: int, out: list[Send]) -> int:
    """Go on with what waited for the answer; returns how many of those links that refuses."""
    asked, links.asked = links.asked, b""
    waiting, links.waiting = links.waiting, []
    (parting, request), links.parting = links.parting, NOBODY
    refused = 0
    if parting:
        if answer.accepted:
            # What was on its way to be one person with this is forgotten with it.
            out.append((answer.lead, Erase(links.erased, links.blocked, request, key, 0, 0)))
    elif answer.accepted:
        links.shunned = _coming(links)
        links.moved, links.members = answer.lead, []
    else:
        for one in dict.fromkeys((asked, answer.lead)):  # in an order that every process has
            _refuse(links, one, version)
    for lead, members, first, received in waiting:
        if members is None:
            refused += hear(key, links, Bind(lead, received, 0, 0), limits, version, out)
        else:
            refused += decide(key, links, Ask(lead, members, first, 0, 0), limits, out)
    return refused


def erase(key: bytes, links: Links, record: Erase, limits: Limits, out: list[Send]) -> Links | None:
    """What is left of a lead's links when the person is forgotten; None where there is nothing to forget.

    All that are the same person hear of it, and those that are found to be as soon as they are.
    """
    if links.erased >= record.at:
        # Whatever has come since is another life, and who has become part of that one may be somebody else.
        links.blocked = links.blocked or record.blocked
        if record.member in links.members:
            links.members.remove(record.member)  # it was let in between its question and its own erasure
        return None
    if links.moved:
        out.append((links.moved, msgspec.structs.replace(record, member=record.member or key)))
    if record.member and (links.moved or record.member not in links.members):
        return None
    everywhere = msgspec.structs.replace(record, member=b"")
    out.extend((member, everywhere) for member in links.members)
    named: list[Waiting] = []
    for waiting in links.waiting:
        lead, members, first, _ = waiting
        if members is None:
            named.append(waiting)
            continue
        if not _too_many(key, links.members, members, limits):
            out.append((lead, everywhere))
        out.append(_answer(key, Ask(lead, members, first, 0, 0), accepted=False))
    left = Links(asked=links.asked, waiting=named, erased=record.at)
    if links.asked:
        left.parting = links.asked, record.request
    left.blocked = links.blocked or record.blocked
    left.shunned = _coming(links)
    return left


def _coming(links: Links) -> list[bytes]:
    """Members all of whose past is still on its way."""
    return sorted({*links.members, *links.shunned} - {*links.joined})


def _question(key: bytes, links: Links) -> Ask:
    return Ask(key, [key, *links.members], links.asked, 0, 0)


def _answer(key: bytes, ask: Ask, *, accepted: bool) -> Send:
    return ask.lead, Answer(key, accepted=accepted, asked=ask.asked, door=0, offset=0)


def _wait(links: Links, one: Waiting) -> int:
    lead, members, *_ = one
    if any(lead == other[0] and members == other[1] for other in links.waiting):
        return 0
    if len(links.waiting) >= WAITING:
        return 1
    links.waiting.append(one)
    return 0


def _refuse(links: Links, other: bytes, version: int) -> int:
    links.refused.pop(other, None)
    links.refused[other] = version
    if len(links.refused) > REFUSED:
        del links.refused[next(iter(links.refused))]
    return 1


def _too_many(key: bytes, members: list[bytes], more: list[bytes], limits: Limits) -> bool:
    """Of a kind that ``more`` adds to: a limit that was lowered shuts out no other kind."""
    counts = [0] * KINDS
    known = {key, *members}
    for one in known:
        counts[kind_of(one)] += 1
    for one in more:
        if one not in known:
            known.add(one)
            kind = kind_of(one)
            counts[kind] += 1
            if counts[kind] > limits[kind]:
                return True
    return False
