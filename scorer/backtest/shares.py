"""Who has which lead: by a hash of its id, and all ids of one person together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scorer.backtest.spill import share_of


def exceptions(ties: Iterable[tuple[bytes, bytes]], shares: int) -> dict[bytes, int]:
    """Ids whose share is not the one that ``share_of`` says: it is that of the first of the person's ids.

    Union-find with path halving: R. E. Tarjan and J. van Leeuwen, "Worst-Case Analysis of Set Union
    Algorithms", JACM 31 (1984). The root is the least id in byte order.
    """
    if shares == 1:
        return {}
    parents: dict[bytes, bytes] = {}
    for one, other in ties:
        first, second = _root(parents, one), _root(parents, other)
        if first != second:
            low, high = min(first, second), max(first, second)
            parents[high] = low
    found = {}
    for key in parents:
        share = share_of(_root(parents, key), shares)
        if share != share_of(key, shares):
            found[key] = share
    return found


def followed(moved: Mapping[bytes, bytes], lead: bytes) -> bytes:
    """What a lead has become part of in the end."""
    seen = {lead}
    while (into := moved.get(lead)) is not None and into not in seen:
        lead = into
        seen.add(lead)
    return lead


def _root(parents: dict[bytes, bytes], key: bytes) -> bytes:
    parent = parents.setdefault(key, key)
    while parent != key:
        above = parents[parent]
        parents[key] = above
        key, parent = above, parents[above]
    return key
