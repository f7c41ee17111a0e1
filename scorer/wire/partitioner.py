"""Which partition of the lead log, and so of everything behind it, a lead lives in."""

from __future__ import annotations

from zlib import crc32


def partition_of(lead: bytes, partitions: int) -> int:
    """The lead's partition, 0 to ``partitions`` - 1.

    Every writer of the lead log passes this number explicitly: Kafka clients' own partitioners
    disagree with each other, and a lead that is split in two has two scores.
    """
    return crc32(lead) % partitions
