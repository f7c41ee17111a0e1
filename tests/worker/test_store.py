"""The local store, on RocksDB and in memory alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rocksdict import Options, Rdict

from scorer.errors import CannotContinue
from scorer.storage.ports import KeyValue
from scorer.storage.rocks import BUFFER_BYTES, RocksFolder
from scorer.worker.cut import epoch_headers, rules_key, stamp
from scorer.worker.store import BULK, Store
from scorer.worker.store_meta import Meta
from tests.worker.fake_kafka import FakeDisk, Kept


@pytest.fixture(params=["rocks", "memory"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyValue]:
    opened: KeyValue = RocksFolder(tmp_path).open("0") if request.param == "rocks" else FakeDisk()
    yield opened
    opened.close()


def record(offset: int, key: bytes, value: bytes | None, epoch: int = 1) -> Kept:
    return Kept(offset, key, value, epoch_headers(epoch))


def lead(wake: int = 0, fence: int = 0, rest: bytes = b"") -> bytes:
    return stamp(wake, fence) + rest


def test_persists_leads_timers_and_where_it_stands(disk: KeyValue) -> None:
    store = Store(disk)
    store.persist(
        [(b"a", lead(70)), (b"b", lead()), (rules_key(3), b"model")],
        [(True, 70, b"a"), (True, 9, b"b"), (False, 9, b"b")],
        Meta(5, 7, 3, b"log"),
    )
    again = Store(disk)
    assert again.get(b"a") == lead(70)
    assert list(again.timers()) == [(70, b"a")]
    assert again.rule_sets() == {3: b"model"}
    assert again.meta == Meta(5, 7, 3, b"log")
    assert dict(again.leads()) == {b"a": lead(70), b"b": lead()}


def test_a_value_of_none_deletes(disk: KeyValue) -> None:
    store = Store(disk)
    store.persist([(b"a", lead())], (), Meta())
    store.persist([(b"a", None)], (), Meta())
    assert store.get(b"a") is None


def test_walks_leads_in_order_and_past_system_keys(disk: KeyValue) -> None:
    store = Store(disk)
    keys = [b"a", b"ab", b"b", "ü".encode(), b"lead-1"]
    store.persist([(key, lead()) for key in keys] + [(rules_key(1), b"")], (), Meta())
    walked, cursor = [], b""
    while batch := store.leads_after(cursor, 2):
        walked += batch
        cursor = batch[-1]
    assert walked == sorted(keys)


def test_timers_come_earliest_first(disk: KeyValue) -> None:
    store = Store(disk)
    dues = [1 << 40, 3, 70_000, 2]
    store.persist((), [(True, due, b"x") for due in dues], Meta())
    assert [due for due, _ in store.timers()] == sorted(dues)


def test_absorbs_the_newest_of_each_key_and_its_timer(disk: KeyValue) -> None:
    store = Store(disk)
    store.begin(b"id", 0)
    store.absorb([record(0, b"a", lead(10, 1)), record(1, b"a", lead(20, 2)), record(2, b"b", lead(5, 9))], 3)
    store.absorb([record(3, b"b", lead(0, 10)), record(4, b"c", lead(30, 3)), record(5, b"c", None)], 6)
    store.finish()
    assert store.get(b"a") == lead(20, 2)
    assert store.get(b"c") is None
    assert list(store.timers()) == [(20, b"a")]
    assert store.meta == Meta(6, 1, 10, b"id")


def test_absorbing_onto_an_older_store_replaces_its_timers(disk: KeyValue) -> None:
    store = Store(disk)
    store.persist([(b"a", lead(10)), (b"b", lead(11))], [(True, 10, b"a"), (True, 11, b"b")], Meta(2, 1))
    store.begin(b"", 0)
    store.absorb([record(2, b"a", lead(99)), record(3, b"b", None)], 4)
    store.finish()
    assert list(store.timers()) == [(99, b"a")]


def test_remembers_only_so_many_timers_in_memory(disk: KeyValue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.worker.store.KNOWN_WAKES", 2)
    store = Store(disk)
    store.begin(b"", 0)
    store.absorb([record(n, b"%d" % n, lead(n + 1)) for n in range(5)], 5)
    store.absorb([record(n + 5, b"%d" % n, lead(n + 100)) for n in range(5)], 10)
    store.finish()
    assert list(store.timers()) == [(n + 100, b"%d" % n) for n in range(5)]


def test_ignores_lower_epochs_until_somebody_mends_the_key(disk: KeyValue) -> None:
    store = Store(disk)
    store.begin(b"", 0)
    store.absorb([record(0, b"a", lead(1), 1), record(1, b"b", lead(2), 1), record(2, b"c", lead(3), 2)], 3)
    store.absorb([record(3, b"a", lead(7), 1), record(4, b"b", None, 1), record(5, b"d", lead(4), 1)], 6)
    store.absorb([Kept(6, b"e", lead(), ())], 7)  # no worker wrote that
    assert store.get(b"a") == lead(1)
    assert store.get(b"b") == lead(2)
    assert store.get(b"d") is None
    assert store.ignored() == [b"a", b"b", b"d", b"e"]
    store.finish()

    again = Store(disk)
    again.begin(b"", 0)
    again.absorb([record(7, b"a", lead(9), 2), record(8, b"b", None, 3)], 9)
    assert again.ignored() == [b"d", b"e"]
    again.persist((), (), Meta(), healed=[b"d"])
    assert Store(disk).ignored() == [b"e"]


def test_doubts_what_compaction_may_have_taken_from_an_ignored_key(disk: KeyValue) -> None:
    """The good state of ``c`` was at offset 4, which is missing, and a former owner wrote ``c`` later."""

    def written(offset: int, key: bytes, epoch: int, at: int) -> Kept:
        return Kept(offset, key, lead(offset), epoch_headers(epoch), at)

    store = Store(disk)
    store.begin(b"", 0, cleaned_before=1_000)
    store.absorb([written(0, b"a", 2, 10), written(1, b"a", 1, 20)], 2)
    assert store.ignored() == [b"a"]
    assert store.doubtful() == []  # everything before it was read
    store.absorb([written(3, b"b", 2, 30), written(5, b"c", 1, 40), written(6, b"d", 1, 1_000)], 7)
    store.finish()
    assert store.ignored() == [b"a", b"c", b"d"]
    assert Store(disk).doubtful() == [b"c"]  # d is too young to have been compacted
    store.absorb([written(7, b"c", 1, 1_001)], 8)  # once more, and young: that clears no doubt
    assert store.doubtful() == [b"c"]
    store.absorb([written(8, b"c", 2, 1_002)], 9)
    assert store.doubtful() == []


def test_wiped_it_has_nothing(disk: KeyValue) -> None:
    store = Store(disk)
    store.persist([(b"a", lead(4))], [(True, 4, b"a")], Meta(9))
    store.wipe()
    assert store.meta is None
    assert Store(disk).meta is None
    assert not list(store.leads())
    assert not list(store.timers())


def test_what_a_restore_wrote_is_safe_before_what_follows(tmp_path: Path) -> None:
    """Bulk writes bypass the write ahead log: a crash could lose them and keep later ones."""
    disk = FakeDisk()
    store = Store(disk)
    store.begin(b"", 0)
    store.absorb([record(0, b"a", lead())], 1)
    store.finish()
    store.persist([(b"b", lead())], (), Meta(2, 1))
    disk.crash()
    assert dict(Store(disk).leads()) == {b"a": lead(), b"b": lead()}


def test_a_database_keeps_to_our_options_when_it_is_opened_again(tmp_path: Path) -> None:
    """Those it was made with must not win: cache and buffers are shared by all that are open."""

    def options() -> str:
        newest = max((tmp_path / "0").glob("OPTIONS-*"), key=lambda path: int(path.name.split("-")[1]))
        return newest.read_text()

    disk = RocksFolder(tmp_path).open("0")
    disk.bulk(on=True)
    assert "VectorRepFactory" in options()
    disk.bulk(on=False)
    assert "SkipListFactory" in options()
    disk.close()
    others = Options(raw_mode=True)
    others.set_write_buffer_size(1 << 20)
    Rdict(str(tmp_path / "0"), others, column_families={"default": others}).close()
    assert f"write_buffer_size={1 << 20}\n" in options()
    RocksFolder(tmp_path).open("0").close()
    assert f"write_buffer_size={BUFFER_BYTES}\n" in options()


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    opened = RocksFolder(tmp_path).open("3")
    with pytest.raises(CannotContinue, match="another process"):
        RocksFolder(tmp_path).open("3")
    opened.close()


def test_a_damaged_database_is_started_anew(tmp_path: Path) -> None:
    store = Store(RocksFolder(tmp_path).open("0"))
    store.persist([(b"a", lead())], (), Meta())
    store.close()
    (tmp_path / "0" / "CURRENT").write_text("nonsense")
    again = Store(RocksFolder(tmp_path).open("0"))
    assert again.meta is None
    again.close()


# -- in bulk --------------------------------------------------------------------------------------


def absorb_many(store: Store, first: int, end: int, step: int = 500) -> None:
    for start in range(first, end, step):
        following = min(start + step, end)
        records = [record(n, b"lead-%d" % (n % 900), lead(n + 1, n)) for n in range(start, following)]
        store.absorb(records, following)


def check_absorbed(store: Store, end: int) -> None:
    newest = {b"lead-%d" % (n % 900): n for n in range(end)}
    assert dict(store.leads()) == {key: lead(n + 1, n) for key, n in newest.items()}
    timers = list(store.timers())
    assert timers == sorted(timers)
    # Those of overtaken states may stay; none of the newest is missing.
    assert {(n + 1, key) for key, n in newest.items()} <= set(timers)
    assert store.meta is not None
    assert (store.meta.next, store.meta.fence) == (end, end - 1)


def test_absorbs_in_bulk_what_it_would_absorb_anyhow(disk: KeyValue) -> None:
    store = Store(disk)
    store.begin(b"id", 0)
    store.expect(BULK)
    absorb_many(store, 0, 4_000)
    store.finish()
    check_absorbed(store, 4_000)
    store.persist([(b"lead-0", lead(0, 5_000))], (), Meta(4_001, 1, 5_000, b"id"))
    assert Store(disk).get(b"lead-0") == lead(0, 5_000)


def test_a_bulk_that_was_left_in_the_middle_goes_on(disk: KeyValue) -> None:
    store = Store(disk)
    store.begin(b"id", 0)
    store.expect(BULK)
    absorb_many(store, 0, 2_000)
    store.begin(b"id", 0)  # taken away and given back
    assert store.standing == 2_000
    store.expect(BULK)
    absorb_many(store, 2_000, 4_000)
    store.finish()
    check_absorbed(store, 4_000)


def test_a_bulk_that_ended_with_its_process_stands_where_its_records_say(tmp_path: Path) -> None:
    opened = RocksFolder(tmp_path).open("0")
    store = Store(opened)
    store.begin(b"id", 0)
    store.expect(BULK)
    absorb_many(store, 0, 3_000)
    store.close()
    again = Store(RocksFolder(tmp_path).open("0"))
    check_absorbed(again, again.standing)
    again.begin(b"id", 0)
    absorb_many(again, again.standing, 4_000)
    again.finish()
    check_absorbed(again, 4_000)
    again.close()


def test_timers_in_bulk_beyond_those_remembered(disk: KeyValue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.worker.store.KNOWN_WAKES", 100)
    store = Store(disk)
    store.begin(b"id", 0)
    store.expect(BULK)
    absorb_many(store, 0, 4_000)
    store.finish()
    check_absorbed(store, 4_000)
