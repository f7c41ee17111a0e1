"""Python's memory in huge pages, where Linux has them.

A lead is a dozen small objects spread over the heap, and every event touches another lead: with pages of
4 KiB most of what an event costs is finding memory, not arithmetic. Python asks for its memory in pieces that
are too small for huge pages (2 MiB), so they are gathered into such afterwards. See
docs/decisions/0021-huge-pages.md.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

HUGE = 2 << 20
"""Bytes."""
MADV_COLLAPSE = 25  # linux/mman.h, since Linux 6.1; Python has no name for it
GROWN = 32 << 20
"""Bytes of growth that are worth another look; it costs some 0.3 ms per huge page gathered."""

FILLED = 0.75
"""The share of a mapping that has to be in memory."""

Advise = Callable[[int, int, int], object]
"""madvise(2): address, bytes, advice."""


class HugePages:
    """Gather now and then; nothing happens where nothing has grown, or where the system has no such pages."""

    def __init__(self, folder: Path = Path("/proc/self"), advise: Advise | None = None) -> None:
        """``folder``: of the process in proc(5)."""
        self._folder = folder
        self._advise = advise or _madvise()
        self._gathered = 0  # resident bytes when it was done last

    @property
    def worth_it(self) -> bool:
        """Whether enough memory has come to since the last time."""
        return self._advise is not None and self._resident() - self._gathered >= GROWN

    def gather(self) -> int:
        """Returns the bytes that were gathered. May take a second, most of it without Python's lock."""
        advise = self._advise
        if advise is None:
            return 0
        gathered = 0
        for start, end in scattered((self._folder / "smaps").read_text().splitlines()):
            advise(start, end - start, mmap.MADV_HUGEPAGE)
            advise(start, end - start, MADV_COLLAPSE)
            gathered += end - start
        self._gathered = self._resident()
        return gathered

    def _resident(self) -> int:
        try:
            return int((self._folder / "statm").read_text().split()[1]) * mmap.PAGESIZE
        except OSError:
            return 0


def scattered(smaps: Iterable[str]) -> list[tuple[int, int]]:
    """(start, end) of mappings to gather, whole huge pages only: anonymous, well filled, not yet huge.

    ``smaps``: lines of proc(5). What is hardly filled stays as it is, since gathering fills the holes: the
    stacks of threads are such mappings.
    """
    found = []
    start = end = resident = 0
    for line in smaps:
        name, _, rest = line.partition(" ")
        if not name.endswith(":"):
            fields = rest.split()
            start = end = 0
            if fields[0] == "rw-p" and fields[3] == "0" and fields[4:] in ([], ["[heap]"]):
                first, last = (int(address, 16) for address in name.split("-"))
                start, end = -(-first // HUGE) * HUGE, last // HUGE * HUGE
        elif name == "Rss:":
            resident = int(rest.split()[0]) << 10
        elif name == "AnonHugePages:" and start < end:
            huge = int(rest.split()[0]) << 10
            if resident >= FILLED * (end - start) and resident - huge >= HUGE:
                found.append((start, end))
    return found


def _madvise() -> Advise | None:
    if sys.platform != "linux" or not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int
    # Whatever it answers (a kernel without them, a mapping that is gone by now) is no reason to stop.
    advise: Advise = madvise
    return advise
