from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from scorer.collector.child import decode_settings, encode_settings
from scorer.collector.process import check
from scorer.errors import UserError
from scorer.settings import Settings


def test_a_child_has_its_parents_settings() -> None:
    settings = Settings(
        bootstrap="a:1,b:2",
        collector_keys=Path("keys.yaml"),
        collector_whole_addresses=True,
        huge_pages=False,
        instance=None,
        checkpoint_interval=0.25,
    )
    line = msgspec.json.decode(msgspec.json.encode(encode_settings(settings)))
    assert decode_settings(line) == settings


def test_what_can_not_work_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="SCORER_COLLECTOR_KEYS is not set"):
        check(Settings())
    with pytest.raises(UserError, match="SCORER_COLLECTOR_PROCESSES is less than 1"):
        check(Settings(collector_keys=tmp_path, collector_processes=0))
