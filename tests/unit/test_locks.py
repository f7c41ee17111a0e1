"""What is installed is pinned by what it contains; from where is its installer's business."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NPM = json.loads((ROOT / "tests" / "clients" / "package-lock.json").read_text())
PIP = sorted((ROOT / "requirements").glob("*.txt"))


def test_packages_of_npm_have_hashes_and_no_address() -> None:
    packages = [one for name, one in NPM["packages"].items() if name]
    assert len(packages) > 100
    for package in packages:
        assert "resolved" not in package
        assert package["integrity"].startswith("sha512-")


def test_what_is_asked_of_npm_is_exact() -> None:
    asked = json.loads((ROOT / "tests" / "clients" / "package.json").read_text())["dependencies"]
    for name, version in asked.items():
        assert NPM["packages"][f"node_modules/{name}"]["version"] == version


@pytest.mark.parametrize("lock", PIP, ids=lambda path: path.name)
def test_packages_of_pip_have_hashes_and_no_address(lock: Path) -> None:
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert "--hash=sha256:" in "".join(lines)
    assert not [line for line in lines if "://" in line or "--index" in line or "--find-links" in line]
