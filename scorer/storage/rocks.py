"""RocksDB behind the ``KeyValue`` port: one database per partition, memory shared by all of them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rocksdict import (
    BlockBasedOptions,
    BottommostLevelCompaction,
    Cache,
    CompactOptions,
    DBCompressionType,
    MemtableFactory,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from scorer.errors import CannotContinue

log = logging.getLogger(__name__)

READ_CACHE_BYTES = 64 << 20
WRITE_BUFFER_BYTES = 96 << 20
"""Over all partitions; RocksDB writes out the oldest buffer beyond it."""
BUFFER_BYTES = 16 << 20
"""Of one partition."""
BLOOM_BITS = 10.0
LOG_FILES = 2
BULK_BUFFER_BYTES = 32 << 20
WITHOUT_END = 1 << 30  # files that nobody waits for


class Rocks:
    """One open database."""

    def __init__(self, path: Path, options: Options, bulk_options: Options) -> None:
        self._path = path
        self._options = options
        self._bulk_options = bulk_options
        self._db = self._open(options)
        self._unlogged = WriteOptions()
        self._unlogged.disable_wal = True
        self.get = self._db.get

    def _open(self, options: Options) -> Rdict:
        self._path.mkdir(parents=True, exist_ok=True)
        # Said twice: of a database that exists, rocksdict takes the options that it finds there for better
        # than ours, and then the cache and the buffers would not be those that all share.
        families = {"default": options}
        try:
            return Rdict(str(self._path), options, column_families=families)
        except Exception as error:  # RocksDB's errors have no type of their own
            if "lock" in str(error).lower():
                raise CannotContinue(
                    f"{self._path} is in use by another process",
                    "each worker and each collector needs a data directory of its own: SCORER_DATA_DIR",
                ) from error
            log.warning("%s can't be opened, starting it anew: %s", self._path, error)
        shutil.rmtree(self._path)
        self._path.mkdir()
        return Rdict(str(self._path), options, column_families=families)

    def batch(self) -> WriteBatch:
        return WriteBatch(raw_mode=True)

    def write(self, batch: Any, *, log: bool = True) -> None:
        if log:
            self._db.write(batch)
        else:
            self._db.write(batch, self._unlogged)

    def flush(self) -> None:
        self._db.flush()

    def bulk(self, *, on: bool) -> None:
        self._db.flush()
        self._db.close()
        self._db = self._open(self._bulk_options if on else self._options)
        self.get = self._db.get

    def keys(self, start: bytes) -> Iterator[bytes]:
        keys: Iterator[bytes] = self._db.keys(from_key=start)
        return keys

    def items(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        items: Iterator[tuple[bytes, bytes]] = self._db.items(from_key=start)
        return items

    def wipe(self) -> None:
        self._db.close()
        shutil.rmtree(self._path)
        self._db = self._open(self._options)
        self.get = self._db.get

    def purge(self) -> None:
        """What was deleted or overwritten is in none of the files when this returns. Rewrites all of them."""
        self._db.flush()  # and with it goes the write ahead log
        options = CompactOptions()
        options.set_bottommost_level_compaction(BottommostLevelCompaction.force_optimized())
        self._db.compact_range(None, None, compact_opt=options)

    def close(self) -> None:
        self._db.close()


class RocksFolder:
    """Opens databases below a folder. The bounds on memory hold for all of them together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache = Cache(READ_CACHE_BYTES)
        self._buffers = WriteBufferManager(WRITE_BUFFER_BYTES, allow_stall=False)

    def open(self, name: str) -> Rocks:
        """A damaged database is emptied; raises ``CannotContinue`` when another process has it open."""
        return Rocks(self._folder / name, self._options(), self._bulk_options())

    def _options(self) -> Options:
        options = Options(raw_mode=True)
        options.create_if_missing(True)  # noqa: FBT003 - RocksDB's interface
        options.set_compression_type(DBCompressionType.lz4())
        options.set_write_buffer_size(BUFFER_BYTES)
        options.set_write_buffer_manager(self._buffers)
        options.set_keep_log_file_num(LOG_FILES)
        table = BlockBasedOptions()
        table.set_block_cache(self._cache)
        table.set_bloom_filter(BLOOM_BITS, block_based=False)
        options.set_block_based_table_factory(table)
        return options

    def _bulk_options(self) -> Options:
        """What comes is appended, and sorted by other threads when it is written to disk, once."""
        options = self._options()
        options.set_memtable_factory(MemtableFactory.vector())
        options.set_allow_concurrent_memtable_write(False)
        options.set_write_buffer_size(BULK_BUFFER_BYTES)
        options.set_disable_auto_compactions(True)
        options.set_level_zero_slowdown_writes_trigger(WITHOUT_END)
        options.set_level_zero_stop_writes_trigger(WITHOUT_END)
        return options


def remove(path: Path) -> bool:
    """Deletes a database that nobody uses any more; False where another process has it open."""
    try:
        Rdict.destroy(str(path))
    except Exception as error:  # noqa: BLE001 - RocksDB's errors have no type of their own
        log.warning("%s can't be deleted: %s", path, error)
        return False
    shutil.rmtree(path, ignore_errors=True)
    return True
