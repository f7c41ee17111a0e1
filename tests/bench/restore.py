"""Many leads: how fast a worker has them back, and what they take on disk, in the changelog and in memory."""

from __future__ import annotations

import shutil
import tempfile
import time
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from scorer.broker import Broker
from scorer.domain.record import NO_DOOR, Fact, encode_record
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import CHANGELOG, LOG
from tests.bench.engine import small_rules
from tests.bench.figures import report, tell
from tests.bench.road import (
    PARTITIONS,
    WorkerProcess,
    benchmark_kafka,
    prepare,
    scored_to_the_end,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorer.settings import Settings

LEADS, MANY_LEADS = 1_000_000, 5_000_000
EACH = (("page.viewed", {"path": "/pricing", "title": "Pricing"}), ("email.opened", {"kind": "nurture"}))
"""What every lead does."""
PATIENCE = 1_800.0


def figures() -> None:
    """``restore_leads_per_s`` and what a million leads take."""
    with benchmark_kafka() as bootstrap, tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder:
        settings, home = _filled(bootstrap, LEADS), Path(folder)
        _score(settings, home, LEADS)
        report("bytes_per_lead_disk", round(_size(home / "data") / LEADS), "bytes")
        warm, _ = _start(settings, home)
        report("ready_warm_s", round(warm, 2), "s")
        shutil.rmtree(home / "data")
        wiped, restored = _start(settings, home)
        tell(f"restored {restored:,.0f} records of {LEADS:,} leads in {wiped:.2f} s")
        report("restore_leads_per_s", round(LEADS / wiped), "leads/s")


def many() -> None:
    """``rss_mb_5m_leads``: the worker's memory at its peak, scoring and starting again."""
    with benchmark_kafka() as bootstrap, tempfile.TemporaryDirectory(prefix="scorer-bench-") as folder:
        settings, home = _filled(bootstrap, MANY_LEADS), Path(folder)
        peak = _score(settings, home, MANY_LEADS)
        tell(f"at most {peak:,.0f} MB while scoring")
        with WorkerProcess(settings, home, "--only", "score") as worker:
            wait_until(worker.ready, PATIENCE, "ready again")
            tell(f"at most {worker.peak_mb():,.0f} MB while starting again")
            peak = max(peak, worker.peak_mb())
            worker.stop()
        report("rss_mb_5m_leads", round(peak), "MB")


def _filled(bootstrap: str, leads: int) -> Settings:
    tell(f"filling a lead log with {len(EACH)} facts of each of {leads:,} leads")
    settings, _ = prepare(bootstrap, small_rules())
    with Broker(settings).writer() as writer:
        for key, value in _facts(leads):
            writer.append(LOG, partition_of(key, PARTITIONS), key, value)
    return settings


def _facts(leads: int) -> Iterator[tuple[bytes, bytes]]:
    now = time.time_ns() // 1_000_000
    for number in range(leads):
        # One after the other: nearly every lead is in the changelog once, as after compaction.
        for kind, properties in EACH:
            name = f"{kind}-{number}"
            digest = blake2b(name.encode(), digest_size=8).digest()
            fact = Fact(kind, now, now, NO_DOOR, -1, digest, name, "/bench", properties)
            yield b"u_%026x" % number, encode_record(fact)


def _score(settings: Settings, home: Path, leads: int) -> float:
    """All of the log, once; the worker's memory at its peak, MB."""
    tell(f"scoring {leads * len(EACH):,} facts")
    with WorkerProcess(settings, home, "--only", "score") as worker:
        wait_until(lambda: scored_to_the_end(worker, Broker(settings)), PATIENCE, "all scored", every=1.0)
        sent = worker.total("scorer_changelog_bytes_total")
        held = sum(wanted.end - wanted.start for wanted in Broker(settings).ranges(CHANGELOG).values())
        tell(f"changelog: {held:,} records, {sent / leads:.0f} bytes a lead before compaction")
        peak = worker.peak_mb()
        worker.stop()
    return peak


def _start(settings: Settings, home: Path) -> tuple[float, float]:
    """(seconds from assignment to ready, changelog records restored)."""
    with WorkerProcess(settings, home, "--only", "score") as worker:
        wait_until(worker.ready, PATIENCE, "ready again")
        seconds = worker.total("scorer_takeover_seconds")
        restored = worker.total("scorer_restored_records_total")
        worker.stop()
    return seconds, restored


def _size(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
