"""The scorer command with a bug of our own in its engine: python -m tests.integration.poisoned_worker IDS ...

IDS, joined with commas, are those of the facts that it fails on; the command's own arguments follow.
"""

from __future__ import annotations

import sys

from scorer.cli import main
from scorer.domain import partition
from tests.worker.score_faults import plant

if __name__ == "__main__":
    bad = frozenset(sys.argv.pop(1).split(","))
    plant(bad.__contains__, lambda name, value: setattr(partition, name, value))
    main()
