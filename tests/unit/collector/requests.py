"""Requests as sources get them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from scorer.collector.source import Request

NOON = 1793534400000  # 2026-11-01T12:00:00Z
BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)


def request(
    path: str = "",
    *,
    method: str = "GET",
    query: Mapping[str, str] | None = None,
    body: bytes = b"",
    received: int = NOON,
    **headers: Any,
) -> Request:
    """``headers``: with underscores for dashes; None for none."""
    given = {"user_agent": BROWSER, **headers}
    names = {name.replace("_", "-"): value for name, value in given.items() if value is not None}
    url = f"https://collect.example.com/v1/x/{path}?{urlencode(query or {}, errors='surrogatepass')}"
    return Request(method, path, query or {}, names, body, received, url, "")
