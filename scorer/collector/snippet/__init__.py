"""The script that a web page loads, as it is served.

``scorer.js`` is kept by hand, and served without its comments and indentation: no tool stands between what
is reviewed and what runs (docs/decisions/0040).
"""

from __future__ import annotations

import gzip
import re
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

from scorer.collector.source import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_AGE: Final = 3600
"""Seconds for which a browser may use the script without asking again."""

_COMMENT: Final = re.compile(r"^\s*//.*\n", re.MULTILINE)
_INDENTATION: Final = re.compile(r"^\s+", re.MULTILINE)
_NO_GZIP: Final = re.compile(r"gzip\s*;\s*q=0(\.0*)?\s*(,|$)")


class Script(NamedTuple):
    plain: bytes
    gzipped: bytes
    etag: str


@lru_cache(1)
def script() -> Script:
    """Read once; the same bytes on every machine."""
    source = files("scorer.collector").joinpath("snippet", "scorer.js").read_text("utf-8")
    plain = strip(source).encode()
    return Script(plain, gzip.compress(plain, 9, mtime=0), f'"{sha256(plain).hexdigest()[:20]}"')


def strip(source: str) -> str:
    """Without comments, empty lines and indentation; line ends may mean something, and stay."""
    return _INDENTATION.sub("", _COMMENT.sub("", source))


def served(headers: Mapping[str, str]) -> Answer:
    """What is answered to a request for the script; ``headers``: the request's, names in lower case."""
    found = script()
    common = (
        ("Cache-Control", f"public, max-age={MAX_AGE}"),
        ("ETag", found.etag),
        ("Vary", "Accept-Encoding"),
        # Pages that isolate themselves load only what says that it may be loaded from elsewhere.
        ("Cross-Origin-Resource-Policy", "cross-origin"),
        ("X-Content-Type-Options", "nosniff"),
    )
    known = {one.strip().removeprefix("W/") for one in headers.get("if-none-match", "").split(",")}
    if found.etag in known:
        return Answer(304, common)
    kind = ("Content-Type", "text/javascript; charset=utf-8")
    accepted = headers.get("accept-encoding", "").lower()
    if "gzip" in accepted and _NO_GZIP.search(accepted) is None:
        return Answer(200, (*common, kind, ("Content-Encoding", "gzip")), found.gzipped)
    return Answer(200, (*common, kind), found.plain)
