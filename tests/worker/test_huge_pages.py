"""Memory in huge pages: what is gathered and what is left alone."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from scorer.worker.huge_pages import HUGE, MADV_COLLAPSE, HugePages, scattered

START = 0x7F00_0000_0000
KIB_PER_HUGE = HUGE >> 10


def mapping(
    start: int, end: int, resident: int, huge: int = 0, flags: str = "rw-p", name: str = "", inode: int = 0
) -> list[str]:
    """As in proc(5); sizes in huge pages."""
    return [
        f"{start:x}-{end:x} {flags} 00000000 00:00 {inode} {name}".rstrip(),
        f"Size:           {(end - start) >> 10} kB",
        f"Rss:            {resident * KIB_PER_HUGE} kB",
        f"AnonHugePages:  {huge * KIB_PER_HUGE} kB",
        "VmFlags: rd wr mr mw me ac sd",
    ]


def test_whole_huge_pages_of_a_filled_mapping() -> None:
    smaps = mapping(START + 4096, START + 4 * HUGE + 4096, 4)
    assert scattered(smaps) == [(START + HUGE, START + 4 * HUGE)]


@pytest.mark.parametrize(
    "smaps",
    [
        mapping(START, START + 4 * HUGE, 1),
        mapping(START, START + 4 * HUGE, 4, huge=4),
        mapping(START, START + 4 * HUGE, 4, flags="r--p"),
        mapping(START, START + 4 * HUGE, 4, flags="rw-s"),
        mapping(START, START + 4 * HUGE, 4, inode=77, name="/data/file"),
        mapping(START, START + 4 * HUGE, 4, name="[stack]"),
        mapping(START + 4096, START + HUGE, 1),
    ],
    ids=["hardly filled", "huge already", "not writable", "shared", "a file", "a stack", "too small"],
)
def test_what_is_left_alone(smaps: list[str]) -> None:
    assert scattered(smaps) == []


def test_the_heap_and_several_mappings() -> None:
    smaps = mapping(START, START + HUGE, 1, name="[heap]") + mapping(START + 8 * HUGE, START + 10 * HUGE, 2)
    assert scattered(smaps) == [(START, START + HUGE), (START + 8 * HUGE, START + 10 * HUGE)]


def test_gathers_when_memory_has_grown_and_not_again_before(tmp_path: Path) -> None:
    def resident(huge_pages: int) -> None:
        pages = huge_pages * HUGE // mmap.PAGESIZE
        (tmp_path / "statm").write_text(f"{2 * pages} {pages} 0 1 0 1 0\n")

    advised: list[tuple[int, int, int]] = []
    pages = HugePages(tmp_path, lambda *advice: advised.append(advice))
    (tmp_path / "smaps").write_text("\n".join(mapping(START, START + 2 * HUGE, 2)) + "\n")
    resident(100)
    assert pages.worth_it
    assert pages.gather() == 2 * HUGE
    assert advised == [(START, 2 * HUGE, mmap.MADV_HUGEPAGE), (START, 2 * HUGE, MADV_COLLAPSE)]
    resident(110)
    assert not pages.worth_it
    resident(120)
    assert pages.worth_it


def test_a_system_without_proc_is_left_in_peace(tmp_path: Path) -> None:
    assert not HugePages(tmp_path, lambda *_: None).worth_it


def test_on_this_system_it_does_no_harm() -> None:
    kept = [{number: str(number)} for number in range(20_000)]
    HugePages().gather()
    assert all(one[number] == str(number) for number, one in enumerate(kept))
