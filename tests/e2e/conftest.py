"""A real Chromium, started once for all tests of a module; and demonstrations, ended with their test.

Not of a process: while Playwright's synchronous interface is open, asyncio's loop counts as running, and no
test that needs one of its own can have it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.demo_running import Demo
from tests.e2e.snippet_server import PLAIN, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail("there is no Chromium here: make chromium", pytrace=False)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP {PLAIN} 127.0.0.1"],
        )
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser's profile, new."""
    context = chromium.new_context()
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def server() -> Iterator[Server]:
    # The same tests against a collector that runs already and has the key: SCORER_TEST_COLLECTOR=http://...
    found = Server(os.environ.get("SCORER_TEST_COLLECTOR"))
    yield found
    found.close()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    running: list[Demo] = []
    folder = tmp_path / "tmp"
    folder.mkdir()

    def start(*arguments: str, columns: int = 0, rows: int = 0) -> Demo:
        running.append(Demo(folder, *arguments, columns=columns, rows=rows))
        return running[-1]

    yield start
    for one in running:
        one.close()
