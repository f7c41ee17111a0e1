"""What the image is made of, and what is known of it: never more than has been found out."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.named import ROOT

LOCK = ROOT / "requirements" / "runtime.txt"
PIP_AUDIT = """\
#!{python}
import json, pathlib, sys
lock = pathlib.Path(sys.argv[-1]).read_text()
source = next(word.partition("=")[2] for word in sys.argv if word.startswith("--vulnerability-service"))
answers = json.loads({answers!r})[source]
names = [line.partition("==")[0] for line in lock.splitlines() if "==" in line]
if answers == "crash":
    sys.exit("could not resolve the host")
told = [{{"name": name, "version": "1", **answers.get(name, answers["*"])}} for name in names]
print("No known vulnerabilities found", file=sys.stderr)
print(json.dumps({{"dependencies": told, "fixes": []}}))
"""
CLEAN: dict[str, Any] = {"vulns": []}
FLAW: dict[str, Any] = {"vulns": [{"id": "X-1", "fix_versions": ["2"]}]}
SKIPPED: dict[str, Any] = {"skip_reason": "not found"}


def bill() -> str:
    return subprocess.run(
        [sys.executable, ROOT / "tools" / "sbom"], capture_output=True, text=True, check=True
    ).stdout


def test_the_bill_names_every_locked_package_once() -> None:
    document = json.loads(bill())
    listed = [(one["name"], one["version"]) for one in document["components"] if one["type"] == "library"]
    locked = re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK.read_text(), re.MULTILINE)
    assert len(locked) > 30
    assert sorted(listed) == sorted(locked)
    (image,) = [one for one in document["components"] if one["type"] == "container"]
    assert (
        f"ARG PYTHON={image['version'].removesuffix('-slim-bookworm')}\n" in (ROOT / "Dockerfile").read_text()
    )


def test_the_bill_is_the_same_each_time_and_names_no_host() -> None:
    text = bill()
    assert text == bill()
    assert "://" not in text
    refs = [one["bom-ref"] for one in json.loads(text)["components"]]
    assert len(set(refs)) == len(refs)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock.txt"
    path.write_text(f"one==1 --hash=sha256:{'0' * 64}\ntwo==1 --hash=sha256:{'0' * 64}\n")
    return path


def audit(folder: Path, lock: Path, answers: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    fake = folder / "pip-audit"
    fake.write_text(PIP_AUDIT.format(python=sys.executable, answers=json.dumps(answers)))
    fake.chmod(0o755)
    command = [sys.executable, ROOT / "tools" / "audit", fake, lock]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_where_nobody_can_be_asked_nothing_is_called_safe(tmp_path: Path, lock: Path) -> None:
    done = audit(tmp_path, lock, {"pypi": {"*": SKIPPED}, "osv": "crash"})
    assert done.returncode == 3
    assert "NOT AUDITED" in done.stderr
    assert done.stdout == ""


def test_a_source_that_knows_of_nothing_is_not_believed(tmp_path: Path, lock: Path) -> None:
    assert audit(tmp_path, lock, {"pypi": {"*": CLEAN}, "osv": {"*": CLEAN}}).returncode == 3


def test_a_clean_audit_says_how_many_were_asked_about(tmp_path: Path, lock: Path) -> None:
    done = audit(tmp_path, lock, {"pypi": "crash", "osv": {"*": CLEAN, "jinja2": FLAW}})
    assert done.returncode == 0
    assert "2 of 2 packages audited by osv, 0 vulnerable" in done.stdout


def test_what_is_found_is_listed(tmp_path: Path, lock: Path) -> None:
    done = audit(tmp_path, lock, {"pypi": {"*": CLEAN, "jinja2": FLAW, "two": FLAW}, "osv": "crash"})
    assert done.returncode == 1
    assert "two 1: X-1, fixed in 2" in done.stdout


def test_a_package_that_was_left_out_is_no_clean_audit(tmp_path: Path, lock: Path) -> None:
    done = audit(tmp_path, lock, {"pypi": {"*": CLEAN, "jinja2": FLAW, "two": SKIPPED}, "osv": "crash"})
    assert done.returncode == 3
    assert "NOT AUDITED: two" in done.stderr
