"""The file that `scorer subject-access` writes is its owner's alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from scorer.cli.subject_access import write_for_owner
from scorer.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def test_new_or_not_it_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    for _ in range(2):
        write_for_owner(path, "short")
        assert path.read_text() == "short"
        assert path.stat().st_mode & 0o777 == 0o600
        path.write_text("longer than that")
        path.chmod(0o644)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    path, link = tmp_path / "there", tmp_path / "link"
    path.write_text("as it was")
    link.symlink_to(path)
    with pytest.raises(UserError, match="a symbolic link"):
        write_for_owner(link, "text")
    assert path.read_text() == "as it was"


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(UserError, match="no ordinary file"):
        write_for_owner(tmp_path / "pipe", "text")
    os.close(reading)
    with pytest.raises(UserError, match="No such file"):
        write_for_owner(tmp_path / "none" / "answer.json", "text")
