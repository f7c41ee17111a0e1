"""Appending where nobody else may: the owner of a partition finds out when somebody does."""

from __future__ import annotations

from collections.abc import Sequence

from scorer.worker.ports import Headers, Lane, Outgoing
from scorer.worker.supervise import CannotContinue


async def append(
    lane: Lane, where: str, expected: int, records: Sequence[Outgoing], headers: Headers | None = None
) -> int:
    """Append and wait until acknowledged; returns the next offset.

    ``where`` names the topic partition, ``expected`` is its next offset as far as we know. Raises
    ``CannotContinue`` when the records went elsewhere: then somebody else writes as well, and each of the
    two finds out.
    """
    for run in await lane.send(records, headers):
        if run.base != expected:
            raise CannotContinue(
                f"another writer: {where} took our records at offset {run.base} instead of {expected}",
                "it heals by itself: who owns the partition now sends the good states again",
            )
        expected += run.records
    return expected
