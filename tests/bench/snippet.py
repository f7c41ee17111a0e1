"""The web snippet: how much of it a browser has to fetch."""

from __future__ import annotations

from scorer.collector.snippet import script
from tests.bench.figures import report, tell


def size() -> None:
    """``snippet_gzip_bytes``: as it is served to a browser that unpacks gzip."""
    found = script()
    tell(f"the snippet: {len(found.plain):,} bytes as served, {len(found.gzipped):,} gzipped")
    report("snippet_gzip_bytes", len(found.gzipped), "B")
