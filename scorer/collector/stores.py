"""The databases in which the collector's processes keep the leads' keys, one each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scorer.storage.places import key_stores
from scorer.wire.sealing import field_names

if TYPE_CHECKING:
    from scorer.settings import Settings

_NAME: Final = re.compile(r"collector-(\d+)").fullmatch


def store_name(number: int) -> str:
    return f"collector-{number}"


def remove_unused(settings: Settings) -> None:
    """Those of processes that are no more: nobody would delete from them what the topic forgets."""
    count = settings.collector_processes if field_names(settings.sealed_fields, "SCORER_SEALED_FIELDS") else 0
    unused = [
        path
        for path in sorted(key_stores(settings).glob("collector-*"))
        if (found := _NAME(path.name)) and int(found[1]) >= count
    ]
    if unused:
        from scorer.storage.rocks import remove  # noqa: PLC0415 - loads RocksDB

        for path in unused:
            remove(path)
