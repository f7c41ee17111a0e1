"""Vendors' SDKs of npm, and what has to arrive of the calls that all of them are asked to make."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.collecting import WRITE_KEY
from tests.support.intake import facts, read_log

if TYPE_CHECKING:
    from scorer.domain.record import Fact
    from scorer.settings import Settings

ROOT: Final = Path(__file__).resolve().parents[2]
SCRIPTS: Final = ROOT / "tests" / "clients"
MODULES: Final = ROOT / ".cache" / "clients" / "node_modules"
"""Where `make clients` puts them."""
MANY: Final = 250
"""Track calls, beside one of each call."""
_SECONDS: Final = 100


def installed() -> Path:
    """The packages; without them the test is skipped, but where every test has to be run."""
    missing = None
    if shutil.which("node") is None:
        missing = "there is no Node here (node, npm)"
    elif not MODULES.is_dir():
        missing = "the packages of npm are not installed: make clients"
    if missing is not None:
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return MODULES


def run_node(script: str, *arguments: str) -> Any:
    """What a script of ours prints, which is JSON."""
    done = subprocess.run(
        ["node", str(SCRIPTS / script), *arguments],
        env=os.environ | {"NODE_PATH": str(installed())},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def make_calls(script: str, url: str) -> list[str]:
    """Has a server's SDK make all calls; what it says has failed."""
    failures: list[str] = run_node(script, url, WRITE_KEY, str(MANY))
    return failures


def arrived(settings: Settings, *, repeated: bool = False) -> list[Fact]:
    """The facts in the log: every call as what it means, once.

    ``repeated``: the same event may be there several times, as scoring counts it once.
    """
    found = [fact for _, fact in facts(read_log(settings))]
    log = list({(fact.source, fact.id): fact for fact in found}.values())
    assert repeated or len(log) == len(found)
    assert Counter(fact.type for fact in log) == {
        "profile.updated": 2,
        "profile.linked": 1,
        "app.task_created": MANY + 1,
        "page.viewed": 1,
        "app.screen_viewed": 1,
    }
    assert len({fact.id for fact in log}) == MANY + 6
    now = time.time() * 1000
    assert all(now - 60_000 < fact.time <= now for fact in log)
    assert {fact.source for fact in log} == {"segment/web"}
    by_type = {fact.type: fact for fact in log}
    assert by_type["page.viewed"].properties == {
        "path": "/pricing",
        "page_name": "Pricing",
        "category": "Docs",
    }
    profiles = [fact for fact in log if fact.type == "profile.updated"]
    assert {"job": "CEO"} in [fact.properties for fact in profiles]
    assert {fact.account for fact in profiles} == {"@example.com", "acme"}
    return found
