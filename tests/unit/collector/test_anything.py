"""Whatever is asked, the answer is one of those that are documented, and never a fault of ours."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.collector.openapi import document, pages
from scorer.collector.routes import CALLS
from tests.unit.collector.asking import BASIC, CRM_KEY, REGISTRY, WRITE_KEY, Asked, Reply

PATHS = ["/v1/events", "/v1/snippet", "/v1/hooks/web", "/v1/pixel/a.b.gif", "/v1/link/x", "/openapi.json"]
SHOWN = pages(REGISTRY)
DOCUMENTED = document(REGISTRY)["paths"]
_json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["batch", "type", "event", "userId", "data", "id", "writeKey", "context"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)
_headers = st.dictionaries(
    st.sampled_from(
        ["content-type", "content-encoding", "content-length", "authorization", "origin", "host", "x-a"]
    ),
    st.sampled_from(
        [
            "gzip",
            "application/json",
            "application/cloudevents-batch+json",
            f"Bearer {CRM_KEY}",
            BASIC["authorization"],
            "Basic",
            "https://www.example.com",
            "-1",
            "9" * 5_000,
            "\xff",
        ]
    )
    | st.text(st.characters(max_codepoint=255, min_codepoint=32), max_size=12),
    max_size=4,
)


@settings(max_examples=400)
@given(
    path=st.sampled_from([*PATHS, *(f"/v1/{call}" for call in CALLS)])
    | st.text(max_size=20).map("/".__add__),
    query=st.text(st.characters(max_codepoint=126, min_codepoint=33), max_size=20),
    body=st.binary(max_size=100) | _json.map(lambda value: json.dumps(value).encode()),
    headers=_headers | st.just(BASIC),
    method=st.sampled_from(["POST", "GET", "HEAD", "OPTIONS", "PUT", "\N{SNOWMAN}"]),
)
def test_no_request_is_too_strange(path: str, query: str, body: bytes, headers: Any, method: str) -> None:
    async def ask() -> Reply:
        asked = Asked(pages=SHOWN)
        return await asked(path.replace("?", "") + ("?" + query if query else ""), body, headers, method)

    reply = asyncio.run(ask())
    assert reply.status in {200, 204, 400, 401, 403, 404, 405, 413, 415}
    assert WRITE_KEY.encode() not in str(reply.headers).encode() + reply.body
    if method == "POST" and "post" in DOCUMENTED.get(path, {}):
        assert str(reply.status) in DOCUMENTED[path]["post"]["responses"]
