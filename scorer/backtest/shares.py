"""Which ids are one person's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scorer.backtest.spill import bucket_of


def joined(ties: Iterable[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    """The first of each person's ids in byte order -> all others, for those who have several.

    Union-find with path halving: R. E. Tarjan and J. van Leeuwen, "Worst-Case Analysis of Set Union
    Algorithms", JACM 31 (1984).
    """
    parents: dict[bytes, bytes] = {}
    for one, other in ties:
        first, second = _root(parents, one), _root(parents, other)
        if first != second:
            low, high = min(first, second), max(first, second)
            parents[high] = low
    found: dict[bytes, list[bytes]] = {}
    for key in parents:
        root = _root(parents, key)
        if root != key:
            found.setdefault(root, []).append(key)
    return found


def moves(ties: Iterable[tuple[bytes, bytes]], buckets: int) -> list[dict[bytes, int]]:
    """For each bucket the ids whose records belong into another one: that of the person's first id."""
    found: list[dict[bytes, int]] = [{} for _ in range(buckets)]
    if buckets > 1:
        for first, others in joined(ties).items():
            bucket = bucket_of(first, buckets)
            for key in others:
                own = bucket_of(key, buckets)
                if own != bucket:
                    found[own][key] = bucket
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
