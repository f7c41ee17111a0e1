"""What tests of the snippet do in a page and see of it."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Page

from tests.e2e.snippet_server import Failing, Server

DOWN = Failing(503, {"Retry-After": "1"})
QUIET = 1.5
"""Seconds in which the snippet would have sent something, had it anything to send."""


def stored(page: Page) -> list[str]:
    names: list[str] = page.evaluate("Object.keys(localStorage)")
    return sorted(names)


def ready(page: Page) -> None:
    page.wait_for_function("Boolean(window.scorer && scorer.track)")


def track(page: Page, *names: object) -> None:
    for name in names:
        page.evaluate("name => scorer.track('Made', {name})", name)


def made(events: list[dict[str, Any]]) -> list[Any]:
    return [event["properties"]["name"] for event in events]


def data_of(server: Server, kind: str) -> list[dict[str, Any]]:
    return [one.event.data for one in server.activities if one.event.type == kind]


def quiet() -> None:
    time.sleep(QUIET)
