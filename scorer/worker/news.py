"""What a score worker says of its partitions: a line for all of them, however many there are."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping

from scorer.worker.owned import Owned

log = logging.getLogger(__name__)


def spans(numbers: Iterable[int]) -> str:
    """Partitions for people to read: ``0-3, 7``; ``none``."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(f"{first}-{last}" if first < last else f"{first}" for first, last in found) or "none"


def assigned(wanted: Collection[int], before: Collection[int]) -> None:
    """The group has given us these partitions; ``before``: those that we had."""
    new, gone = sorted(set(wanted) - set(before)), sorted(set(before) - set(wanted))
    log.info(
        "assigned partitions: %s (new: %s; no longer: %s)",
        spans(wanted),
        spans(new),
        spans(gone),
        extra={"partitions": sorted(wanted), "new": new, "revoked": gone},
    )


def taken_over(positions: Mapping[int, int], seconds: float) -> None:
    """They are restored and read on. ``positions``: partition -> next offset of the log."""
    log.info(
        "scoring partitions %s, %.2f s after they were assigned",
        spans(positions),
        seconds,
        extra={
            "positions": {str(number): at for number, at in sorted(positions.items())},
            "seconds": seconds,
        },
    )


def given_back(positions: Mapping[int, int]) -> None:
    """Everything applied is durable, and nothing more is applied before the next assignment."""
    if positions:
        log.info(
            "paused partitions %s after their last checkpoint: a rebalance, or the end",
            spans(positions),
            extra={"positions": {str(number): at for number, at in sorted(positions.items())}},
        )


class RulesNews:
    """Says which rules are in force when that changes, and in how many of our partitions."""

    def __init__(self) -> None:
        self._told: tuple[int, int, int] | None = None

    def look(self, owned: Mapping[int, Owned]) -> None:
        """To be called now and then, not for each record."""
        versions = [one.partition.machine.state.version for one in owned.values() if one.partition.running]
        newest = max(versions, default=0)
        if not newest:
            return
        having = versions.count(newest)
        if self._told == (newest, having, len(versions)):
            return
        whole = having == len(versions)
        told, self._told = self._told, (newest, having, len(versions))
        if told is not None and told[0] == newest and not whole:
            return  # on its way: the last partition to get there is news again
        log.info(
            "rules version %d is in force in %d of %d partitions",
            newest,
            having,
            len(versions),
            extra={"rules_version": newest, "having": having, "partitions": len(versions)},
        )
