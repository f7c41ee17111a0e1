"""The data directory: what stands in files, and what RocksDB keeps in a way that files don't show."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from scorer.domain.lead import encode_lead, new_lead
from scorer.domain.links import Links
from scorer.people.disk import InUse, Unread, databases, entries, files, found_in
from scorer.people.proving import LEFTOVER, NOTHING, UNSEEN, Finding, is_stub, on_disk
from scorer.people.texts import Texts
from scorer.storage.rocks import RocksFolder
from scorer.wire.sealing import key_name
from scorer.worker.cut import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scorer.domain.lead import Lead

TEXT = "anna@example.com"
TEXTS = Texts([("email 1", TEXT)])
ID = b"e_0onj93c5msh39v92uhev5njluo"


@contextmanager
def bar(_label: str, _total: int | None) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


def looked(folder: Path) -> dict[str, Finding]:
    found = on_disk(folder, {ID}, TEXTS, bar)
    return {one.place.removeprefix(str(folder)): one for one in found}


def state(**changes: object) -> bytes:
    lead = new_lead()
    lead.links = Links(erased=1_000)
    for name, value in changes.items():
        setattr(lead, name, value)
    return stamp(0, 0) + encode_lead(lead)


def fill(folder: Path, **values: bytes) -> RocksFolder:
    rocks = RocksFolder(folder / "leads")
    database = rocks.open("0")
    batch = database.batch()
    for key, value in values.items():
        batch.put(key.encode(), value)
    database.write(batch)
    database.flush()
    database.close()
    return rocks


def test_a_text_across_two_chunks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.people.disk._CHUNK", 7)
    path = tmp_path / "some.log"
    path.write_bytes(b"x" * 20 + TEXT.upper().encode() + b"y" * 20)
    assert found_in(path, TEXTS, lambda _: None) == {"email 1"}
    assert found_in(tmp_path / "gone", TEXTS, lambda _: None) == set()
    assert looked(tmp_path)["/some.log"].state == LEFTOVER


@pytest.mark.parametrize("chunk", range(1, 25))
def test_a_number_is_whole_wherever_a_chunk_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("scorer.people.disk._CHUNK", chunk)
    path = tmp_path / "some.log"
    texts = Texts([("user-id 1", "4711")])
    for content, wanted in (
        (b"x" * 20 + b"47112" + b"x" * 20 + b"14711" + b"y" * 20 + b"747112", set()),
        (b"x" * 20 + b"4711" + b"x" * 20, {"user-id 1"}),
        (b"x" * 20 + b"4711", {"user-id 1"}),
        (b"x" * 20 + b"%204711" + b"x" * 9, {"user-id 1"}),
    ):
        path.write_bytes(content)
        assert found_in(path, texts, lambda _: None) == wanted, content


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(Unread, match="Is a directory"):  # as root everything else can be read
        found_in(tmp_path, TEXTS, lambda _: None)


def test_a_folder_that_cannot_be_listed_is_among_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").write_bytes(b"x")
    (tmp_path / "closed").mkdir()
    os.mkfifo(tmp_path / "pipe")
    real = os.scandir

    def scandir(folder: str) -> object:
        if str(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(folder))
        return real(folder)

    monkeypatch.setattr("os.scandir", scandir)
    assert files(tmp_path) == [tmp_path / "closed", tmp_path / "one"]


def test_a_database_that_cannot_be_opened_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "CURRENT").write_bytes(b"nonsense")
    with pytest.raises(Unread, match="RocksDB"):
        list(entries(tmp_path))


def test_what_is_compressed_is_found(tmp_path: Path) -> None:
    # Like its neighbours but for the end, so that compression tears it apart.
    filling = {f"x{number}": f"anna@example.org {number}".encode() * 50 for number in range(200)}
    fill(tmp_path, **filling, xx=b"anna@example.org" * 40 + TEXT.encode() + b"anna@example.org" * 40)
    found = looked(tmp_path)
    assert (found["/leads/0 (records)"].state, found["/leads/0 (records)"].detail) == (LEFTOVER, "email 1")


def test_states_are_judged_as_in_the_changelog(tmp_path: Path) -> None:
    for number, (value, wanted) in enumerate(
        [
            (state(), NOTHING),
            (state(since=2_000, attributes={"role": (2_000, "boss")}), NOTHING),  # a new life
            (state(attributes={"role": (1, "boss")}), LEFTOVER),
            (state(links=None, since=1), LEFTOVER),
        ]
    ):
        folder = tmp_path / str(number)
        fill(folder, **{f"k{ID.decode()}": value})
        assert looked(folder)["/leads/0 (records)"].state == wanted, number


def test_a_database_in_use_is_not_looked_at_and_not_harmed(tmp_path: Path) -> None:
    rocks = fill(tmp_path, xx=TEXT.encode())
    database = rocks.open("0")
    [path] = databases(tmp_path)
    # A lock is the process's own, so somebody else has to try.
    code = (
        "import sys; from pathlib import Path; from scorer.people.disk import InUse, entries\n"
        "try: list(entries(Path(sys.argv[1])))\n"
        "except InUse: print('in use')"
    )
    command = [sys.executable, "-c", code, str(path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "in use\n"
    database.close()
    assert [entry.value for entry in entries(path)] == [TEXT.encode()]


def test_in_use_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, xx=b"y")

    def busy(_: Path) -> Iterator[object]:
        raise InUse
        yield

    monkeypatch.setattr("scorer.people.proving.entries", busy)
    assert looked(tmp_path)["/leads/0 (records)"].state == UNSEEN


def test_without_a_directory_it_says_so(tmp_path: Path) -> None:
    assert looked(tmp_path / "none")[""].state == UNSEEN


@pytest.mark.parametrize(
    "changes",
    [
        {"since": 1},
        {"sums": [1.0]},
        {"masses": {1: 1.0}},
        {"attributes": {"role": (1, "boss")}},
        {"seen": b"x" * 12},
        {"sealed": {"name": (1, b"l", b"s")}},
        {"company": (1, "acme", 0, "")},
        {"clicks": [(b"m", b"l", 1, None)]},
        {"links": Links()},
        {"links": Links(erased=1, members=[b"a"])},
        {"links": Links(erased=1, moved=b"a")},
    ],
)
def test_whatever_is_kept_makes_it_no_stub(changes: dict[str, object]) -> None:
    lead: Lead = new_lead()
    lead.links = Links(erased=1)
    lead.seq = 7
    assert is_stub(lead)
    for name, value in changes.items():
        setattr(lead, name, value)
    assert not is_stub(lead)


def test_a_data_key_that_a_worker_still_has_is_left_over(tmp_path: Path) -> None:
    for lead, wanted in ((b"somebody", NOTHING), (ID, LEFTOVER)):
        disk = RocksFolder(tmp_path / lead.decode()).open("intake")
        batch = disk.batch()
        batch.put(b"k" + key_name(lead, b"12345678"), b"wrapped")
        disk.write(batch)
        disk.close()
        [found] = [one for place, one in looked(tmp_path / lead.decode()).items() if "(records)" in place]
        assert found.state == wanted
