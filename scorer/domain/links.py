"""Which leads are one person: what a lead knows of the others, and what it does when it hears more.

Two leads become one when something names both. The one that is known less well (an anonymous visitor
before an address, an address before a user) asks the other, which alone decides, within limits; asking
always goes upwards, so nobody ever waits for a lead that waits for him. What is heard while an answer is
awaited waits too.

    bind(a, b) -> a asks b -> b answers -> a's state goes to b, and a is nothing but a signpost to b
"""

from __future__ import annotations

from typing import Final

from scorer.domain.record import Answer, Ask, Bind, Linking

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


Waiting = tuple[bytes, list[bytes] | None]
Arriving = tuple[bytes, int, bytes]
StoredLinks = tuple[bytes, list[bytes], bytes, list[Waiting], dict[bytes, int], list[Arriving]]
"""The arguments of ``Links``."""


class Links:
    """What a lead knows of others. Ids are lead ids, UTF-8."""

    __slots__ = ("arriving", "asked", "members", "moved", "refused", "waiting")

    def __init__(
        self,
        moved: bytes = b"",
        members: list[bytes] | None = None,
        asked: bytes = b"",
        waiting: list[Waiting] | None = None,
        refused: dict[bytes, int] | None = None,
        arriving: list[Arriving] | None = None,
    ) -> None:
        self.moved = moved
        """The lead that this one has become part of; empty: it stands for itself."""
        self.members = members or []
        """All that have become, or been allowed to become, part of this one."""
        self.asked = asked
        """The lead whose answer is awaited; empty: none."""
        self.waiting = waiting or []
        """What came meanwhile: (lead, its members) of one that asks, (lead, None) of one named with this."""
        self.refused = refused or {}
        """Lead -> version of the rules under which it did not become one with this one."""
        self.arriving = arriving or []
        """(lead, version, state) of leads that come from rules not yet in force here."""


def stored_links(links: Links | None) -> StoredLinks | None:
    """What is stored of them."""
    if links is None:
        return None
    return links.moved, links.members, links.asked, links.waiting, links.refused, links.arriving


def kind_of(lead_id: bytes) -> int:
    """ANONYMOUS, EMAIL, USER or GIVEN."""
    if len(lead_id) == _HASHED and lead_id[:2] in PREFIXES:
        return PREFIXES.index(lead_id[:2])
    return GIVEN


def yields_to(lead_id: bytes, other: bytes) -> bool:
    """Whether of two leads that are one person the first becomes part of the second."""
    mine, its = kind_of(lead_id), kind_of(other)
    return mine < its or (mine == its and lead_id < other)


def hear(key: bytes, links: Links, other: bytes, limits: Limits, version: int, out: list[Send]) -> int:
    """``other`` is the same person as the lead ``key``; returns how many links that refuses (0 or 1)."""
    if links.moved:
        out.append((links.moved, Bind(other, 0, 0)))
        return 0
    if other == key or other in links.members or other == links.asked:
        return 0
    if _too_many(key, links.members, [other], limits):
        # Whatever the other one has become part of by now: it brings at least itself.
        return _refuse(links, other, version)
    if not yields_to(key, other):
        out.append((other, Bind(key, 0, 0)))
        return 0
    if links.asked:
        return _wait(links, other, None)
    if links.refused.get(other) == version:
        return 1
    links.asked = other
    out.append((other, Ask(key, [key, *links.members], 0, 0)))
    return 0


def decide(
    key: bytes, links: Links, lead: bytes, members: list[bytes], limits: Limits, out: list[Send]
) -> int:
    """``lead`` asks to become part of the lead ``key``; returns how many links that refuses (0 or 1)."""
    if links.moved:
        out.append((links.moved, Ask(lead, members, 0, 0)))
        return 0
    if links.asked:
        if _wait(links, lead, members):
            out.append((lead, Answer(key, accepted=False, door=0, offset=0)))
            return 1
        return 0
    if _too_many(key, links.members, members, limits):
        out.append((lead, Answer(key, accepted=False, door=0, offset=0)))
        return 1
    links.members = sorted({*links.members, *members})
    out.append((lead, Answer(key, accepted=True, door=0, offset=0)))
    return 0


def answered(key: bytes, links: Links, answer: Answer, limits: Limits, version: int, out: list[Send]) -> int:
    """Go on with what waited for the answer; returns how many of those links that refuses."""
    asked, links.asked = links.asked, b""
    waiting, links.waiting = links.waiting, []
    refused = 0
    if answer.accepted:
        links.moved, links.members = answer.lead, []
    else:
        for one in dict.fromkeys((asked, answer.lead)):  # in an order that every process has
            _refuse(links, one, version)
    for lead, members in waiting:
        if members is None:
            refused += hear(key, links, lead, limits, version, out)
        else:
            refused += decide(key, links, lead, members, limits, out)
    return refused


def _wait(links: Links, lead: bytes, members: list[bytes] | None) -> int:
    if (lead, members) in links.waiting:
        return 0
    if len(links.waiting) >= WAITING:
        return 1
    links.waiting.append((lead, members))
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
