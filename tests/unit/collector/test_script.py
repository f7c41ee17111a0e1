"""The script as it is served; what it does in a browser is in tests/e2e/test_snippet.py."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import scorer.collector.snippet as package
from scorer.collector.snippet import script, served, strip

SOURCE = Path(package.__file__).with_name("scorer.js").read_text("utf-8")
MOST = 4_096
"""Bytes of the gzipped script: the issue's bar."""


def test_it_is_small() -> None:
    assert len(script().gzipped) < MOST
    assert gzip.decompress(script().gzipped) == script().plain


def test_no_comment_is_served_and_nothing_else_is_left_out() -> None:
    kept = [
        line.strip() for line in SOURCE.splitlines() if line.strip() and not line.strip().startswith("//")
    ]
    assert script().plain.decode().split("\n") == [*kept, ""]


def test_what_stripping_would_spoil_is_not_in_it() -> None:
    assert "`" not in SOURCE  # text over several lines
    assert "/*" not in SOURCE
    assert strip("a\n  // b\n\n    c // d\n") == "a\nc // d\n"


def test_nothing_newer_than_es2017() -> None:
    code = script().plain.decode()
    assert not re.search(
        r"\?\?|\?\.[a-z(\[]|catch \{|\.\.\.\w+ *\}|\.flat\(|\.at\(|replaceAll|#[a-z]\w*\(", code
    )


def test_it_asks_no_other_host() -> None:
    assert re.findall(r"https?://|//[a-z]+\.", script().plain.decode()) == []


def test_how_it_is_served() -> None:
    plain = served({})
    assert (plain.status, plain.body) == (200, script().plain)
    headers = dict(plain.headers)
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert headers["Vary"] == "Accept-Encoding"
    assert "max-age" in headers["Cache-Control"]
    packed = served({"accept-encoding": "br, gzip"})
    assert (packed.body, dict(packed.headers)["Content-Encoding"]) == (script().gzipped, "gzip")
    assert served({"accept-encoding": "gzip;q=0, br"}).body == script().plain
    for known in (headers["ETag"], f"W/{headers['ETag']}", f'"other", {headers["ETag"]}'):
        again = served({"if-none-match": known})
        assert (again.status, again.body) == (304, b"")
    assert served({"if-none-match": '"other"'}).status == 200
