"""Requests made of samples: well formed for an HTTP parser, whatever their content is.

Each has to be answered, with a status that the OpenAPI document knows for its path.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from functools import cache
from random import Random
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote

from tests.fuzz.mutation import mutated, shaken
from tests.fuzz.samples import CRM_KEY, ORIGIN, SITE_KEY, WRITE_KEY, Sample, basic, mailgun

METHODS: Final = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "PROPFIND")
KINDS: Final = (
    "application/json", "application/json; charset=utf-8", "text/plain", "text/plain;charset=UTF-8", "",
    "application/cloudevents+json", "application/cloudevents-batch+json",
    "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/octet-stream",
    "application/json; charset=utf-16", "*/*", "a", 'application/json; charset="', "; ;", "\xe9",
)  # fmt: skip
AUTHORIZATIONS: Final = (
    "", "Basic", "Basic ", "Bearer", f"Bearer {CRM_KEY}", basic(WRITE_KEY), basic(CRM_KEY), basic("nobody"),
    basic(WRITE_KEY).replace("Basic", "bAsIc"), basic(WRITE_KEY) + "=", "Basic \xff", "Digest a=b",
    f"Bearer {WRITE_KEY}", f"Bearer {SITE_KEY} ", "Basic " + "A" * 3_000,
)  # fmt: skip
HEADERS: Final = (
    ("Origin", (ORIGIN, "null", "https://evil.example", "https://a.example.com", "\xff", "")),
    ("User-Agent", ("", "Mozilla/5.0", "Googlebot/2.1", "curl/8.5.0", "\xff\xfe", "x" * 2_000)),
    ("X-Forwarded-For", ("1.2.3.4", "::1, 2.3.4.5", "nobody", ",,", "1.2.3.4:80", "fe80::1%eth0")),
    ("Sec-GPC", ("1", "0", "")),
    ("Sec-Purpose", ("prefetch", "")),
    ("Referer", ("https://www.example.com/pricing?a=1", "https://[", "/", "\xff")),
    ("If-None-Match", ('""', "*", 'W/"a"', "\xff")),
    ("Accept-Encoding", ("gzip", "br;q=1", "*", "")),
    ("Access-Control-Request-Method", ("POST", "TRACE", "")),
    ("Access-Control-Request-Headers", ("authorization,content-type", "*", "\xff")),
    ("Expect", ("100-continue",)),
    ("Connection", ("keep-alive", "close", "upgrade")),
    ("Upgrade", ("websocket", "h2c")),
    ("Cookie", ("a=b", "\xff")),
    ("X-Hub-Signature-256", ("sha256=", "sha256=00", "md5=aa", "\xff")),
    ("Host", ("", "a.example:99999", "[::1]", "\xff")),
    ("Range", ("bytes=0-", "bytes=-1")),
)
PATHS: Final = (
    "/v1/hooks/", "/v1/hooks/nobody", "/v1/hooks/main/a/b", "/v1/pixel/", "/v1/pixel/.gif",
    "/v1/pixel/a.b.gif", "/v1/pixel/opens.AAAA.gif", "/v1/link/", "/v1/link/clicks.AAAA",
    "/v1/link/clicks." + "A" * 5_000, "/v1", "//", "/%00", "/v1/%74rack", "/v1/track/", "/v1/track%2f",
    "/v1/../v1/track", "/v1/hooks/%ff", "/v1/pixel/%F0%9F%92%A5.gif", "/*", "/v1/scorer.js?a=b", "/metrics",
    "/v1/hooks/main?%=&=&&a=%zz;b", "/v1/track?" + "a=b&" * 500, "/a" * 1_000,
    "/v1/pixel/page.gif?key=%ff&anonymous_id=%00",
    "/v1/pixel/page.gif?key=" + SITE_KEY + "&anonymous_id=" + "%F0%9F" * 99,
)  # fmt: skip


class Asked(NamedTuple):
    """One request."""

    data: bytes
    method: str
    statuses: frozenset[int]
    """Those that are documented."""
    closes: bool
    """Whether there may be no other behind it."""


class Documented:
    """The statuses of a path and a method, as the document that is served has them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._exact: dict[str, dict[str, frozenset[int]]] = {}
        self._below: list[tuple[str, str, dict[str, frozenset[int]]]] = []
        for path, operations in document["paths"].items():
            known = {
                method.upper(): frozenset(map(int, operation["responses"]))
                for method, operation in operations.items()
            }
            if "GET" in known:
                known["HEAD"] = known["GET"]
            if "{" in path:
                self._below.append((path.partition("{")[0], path.rpartition("}")[2], known))
            else:
                self._exact[path] = known

    def statuses(self, method: str, path: str) -> frozenset[int]:
        path = unquote(path.partition("?")[0])
        known = self._exact.get(path)
        if known is None:
            known = next((told for start, _, told in self._below if path.startswith(start)), None)
        if known is None:
            return frozenset({404})
        found = known.get(method)
        if found is None:
            return frozenset({204, 405}) if method == "OPTIONS" else frozenset({405})
        # A path that is nearly one with a name in it, and a method that only some of its kind know.
        return found | {404, 405} if path not in self._exact else found


def asked(random: Random, sample: Sample, others: list[bytes], known: Documented, now: int) -> Asked:
    """A request of a sample, more or less as it should be. ``now``: ms."""
    body = mutated(random, sample.body, others) if sample.body else b""
    path, method = sample.path, sample.method
    if path.startswith("/v1/hooks/mailgun") and random.random() < 0.9:
        body = mailgun(body)
    headers = {"Host": "in.example.com", **sample.sign(body, now)}
    if sample.kind:
        headers["Content-Type"] = sample.kind
    if random.random() < 0.25:
        path, method = _elsewhere(random, path, method)
    if method != "POST" and random.random() < 0.8:
        body = b""
    if random.random() < 0.25:
        _with_odd_headers(random, headers)
    if body and random.random() < 0.1:
        body, headers["Content-Encoding"] = _packed(random, body)
    statuses = known.statuses(method, path)
    closes = headers.get("Connection") in {"close", "upgrade"} or "Upgrade" in headers or "Expect" in headers
    return Asked(_written(random, method, path, headers, body), method, statuses, closes)


def _elsewhere(random: Random, path: str, method: str) -> tuple[str, str]:
    chance = random.random()
    if chance < 0.3:
        return random.choice(PATHS), method
    if chance < 0.5:
        return path, random.choice(METHODS)
    if chance < 0.8:
        spoilt = shaken(random, path.encode(), [])
        return "/" + quote(spoilt.lstrip(b"/"), safe="/?&=.-_%~+"), method
    return path + random.choice(("/", "?", "?a=b&a=c", "%20", "//", "?from=a%2Cb", ".gif")), method


def _with_odd_headers(random: Random, headers: dict[str, str]) -> None:
    for _ in range(random.choice((1, 1, 3))):
        chance = random.random()
        if chance < 0.2:
            headers["Content-Type"] = random.choice(KINDS)
        elif chance < 0.4:
            headers["Authorization"] = random.choice(AUTHORIZATIONS)
        elif chance < 0.5 and len(headers) > 2:
            headers.pop(random.choice([name for name in headers if name != "Host"]))
        elif chance < 0.6:
            name = random.choice(list(headers))
            letters = shaken(random, headers[name].encode("latin-1", "replace"), [])
            headers[name] = "".join(chr(one) for one in letters if one >= 32 and one != 127).strip()
        else:
            name, values = random.choice(HEADERS)
            headers[name] = random.choice(values)


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * 9_000_000, 1)


def _packed(random: Random, body: bytes) -> tuple[bytes, str]:
    chance = random.random()
    if chance < 0.5:
        return gzip.compress(body, 1), "gzip"
    if chance < 0.6:
        return zlib.compress(body), "deflate"
    if chance < 0.7:
        return gzip.compress(body, 1)[: -random.randrange(1, 12)], "gzip"
    if chance < 0.8:
        return shaken(random, gzip.compress(body, 1), []), "x-gzip"
    if chance < 0.85:
        return _bomb(), "gzip"
    if chance < 0.9:
        return gzip.compress(body, 1) * 2, "gzip"
    return body, random.choice(("gzip", "br", "identity", "gzip, gzip", "\xff", "deflate"))


def _written(random: Random, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body and random.random() < 0.15:
        lines.append("Transfer-Encoding: chunked")
        return _head(lines) + _chunked(random, body)
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return _head(lines) + body


def _head(lines: list[str]) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _chunked(random: Random, body: bytes) -> bytes:
    parts = []
    while body:
        size = random.choice((1, 7, 100, 5_000, len(body)))
        part, body = body[:size], body[size:]
        extension = b";a=b" if random.random() < 0.1 else b""
        parts.append(b"%x%s\r\n%s\r\n" % (len(part), extension, part))
    trailer = b"X-Checksum: 1\r\n" if random.random() < 0.1 else b""
    return b"".join(parts) + b"0\r\n" + trailer + b"\r\n"
