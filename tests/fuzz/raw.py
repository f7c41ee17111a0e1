"""Bytes on a socket that are hardly HTTP, or are it in ways that few clients know."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from tests.fuzz.mutation import shaken

_LINES: Final = (
    b"GET / HTTP/1.0", b"GET / HTTP/9.9", b"GET / HTTP/2.0", b"GET /", b"get / HTTP/1.1", b"",
    b"GET  / HTTP/1.1", b"GET http://in.example.com/v1/track HTTP/1.1", b"CONNECT a:1 HTTP/1.1",
    b"CONNECT / HTTP/1.1", b"OPTIONS * HTTP/1.1", b"PRI * HTTP/2.0\r\n\r\nSM", b"POST /\xff\xfe HTTP/1.1",
    b"POST /\x00 HTTP/1.1", b"POST /v1/track?\xe9 HTTP/1.1", b"POST /v1/track#a HTTP/1.1",
    b"POST * HTTP/1.1", b"POST ? HTTP/1.1", b"POST //[ HTTP/1.1", b"POST http://[:1/ HTTP/1.1",
    b"GET /" + b"a" * 40_000 + b" HTTP/1.1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-x",
    b"M-SEARCH * HTTP/1.1", b"GET /v1/pixel/page.gif?\xff=\xff HTTP/1.1", b"GET /%zz%\x80 HTTP/1.1",
    b"POST http://a:b@c/ HTTP/1.1", b"POST http:///v1/track HTTP/1.1",
    b"POST http://x:99999999/v1/track HTTP/1.1",
)  # fmt: skip
_HEADERS: Final = (
    b"Content-Length: -1", b"Content-Length: 1\r\nContent-Length: 2",
    b"Content-Length: 99999999999999999999999", b"Content-Length: 1, 1", b"Content-Length: 0x10",
    b"Content-Length: ", b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: chunked, gzip", b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"No-Colon", b": no name", b"A b: c",
    b" folded: yes", b"X: a\r\n b", b"X: \x00", b"X: \x7f", b"\xff\xfe: \xff", b"X:" + b"y" * 40_000,
    b"Host: a\r\nHost: b", b"Expect: 200-ok",
    b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAA\r\nSec-WebSocket-Version: 13",
    b"Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA",
    b"Connection: close, keep-alive", b"Authorization: Basic \xff\xff", b"\r\nX: a", b"X: a\nY: b",
    b"X: a\rY: b", b"Content-Encoding: gzip\r\nContent-Length: 0",
)  # fmt: skip
_CHUNKS: Final = (
    b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhel", b"-5\r\nhello\r\n", b"ffffffffffffffffff\r\n", b"g\r\n",
    b"5\nhello\n0\n\n", b"5 \r\nhello\r\n0\r\n\r\n", b"0005\r\nhello\r\n0\r\n\r\n",
    b"5;" + b"a" * 20_000 + b"\r\nhello\r\n0\r\n\r\n", b"\r\n", b"0\r\nX",
    b"0\r\n" + b"X: a\r\n" * 5_000 + b"\r\n", b"1\r\n{\r\n" * 3_000, b"5\r\nhelloo\r\n0\r\n\r\n",
    b"0\r\nContent-Length: 5\r\n\r\nhello",
)  # fmt: skip


def raw(random: Random, well_formed: Callable[[], bytes]) -> list[bytes]:
    """What is sent, piece by piece. ``well_formed`` makes requests that may be spoilt here."""
    way: Callable[[Random, Callable[[], bytes]], list[bytes]] = random.choice(_WAYS)
    return way(random, well_formed)


def _spoilt(random: Random, well_formed: Callable[[], bytes]) -> list[bytes]:
    return [shaken(random, well_formed(), [])]


def _spoilt_head(random: Random, well_formed: Callable[[], bytes]) -> list[bytes]:
    head, end, body = well_formed().partition(b"\r\n\r\n")
    return [shaken(random, head, []) + end + body]


def _odd_line(random: Random, well_formed: Callable[[], bytes]) -> list[bytes]:
    _, end, rest = well_formed().partition(b"\r\n")
    return [random.choice(_LINES) + end + rest]


def _odd_headers(random: Random, well_formed: Callable[[], bytes]) -> list[bytes]:
    line, end, rest = well_formed().partition(b"\r\n")
    odd = b"\r\n".join(random.choice(_HEADERS) for _ in range(random.choice((1, 1, 3))))
    return [line + end + odd + end + rest]


def _many_headers(random: Random, well_formed: Callable[[], bytes]) -> list[bytes]:
    line, end, rest = well_formed().partition(b"\r\n")
    many = b"".join(b"X-%d: %d\r\n" % (number, number) for number in range(random.choice((90, 101, 3_000))))
    return [line + end + many + rest]


def _odd_chunks(random: Random, well_formed: Callable[[], bytes]) -> list[bytes]:
    lines = well_formed().partition(b"\r\n\r\n")[0].split(b"\r\n")
    kept = [line for line in lines if not line.lower().startswith((b"content-length", b"transfer-"))]
    return [b"\r\n".join([*kept, b"Transfer-Encoding: chunked", b"", b""]) + random.choice(_CHUNKS)]


def _halves(random: Random, well_formed: Callable[[], bytes]) -> list[bytes]:
    """A request that ends in the middle, and its sender with it."""
    data = well_formed()
    return [data[: random.randrange(len(data))]]


def _drops(random: Random, well_formed: Callable[[], bytes]) -> list[bytes]:
    """One that comes in small pieces."""
    data = well_formed()[:2_000]
    places = sorted(random.randrange(len(data) + 1) for _ in range(6))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


def _together(random: Random, well_formed: Callable[[], bytes]) -> list[bytes]:
    """Several without waiting, the last of which may be spoilt."""
    many = [well_formed() for _ in range(random.choice((2, 5, 20)))]
    return [b"".join([*many, *_spoilt(random, well_formed)])]


def _noise(random: Random, _: Callable[[], bytes]) -> list[bytes]:
    return [random.randbytes(random.choice((1, 10, 500, 40_000)))]


def _blank_lines(random: Random, well_formed: Callable[[], bytes]) -> list[bytes]:
    return [random.choice((b"\r\n", b"\n", b"\r\n" * 20_000, b"\x00", b" ")) + well_formed()]


_WAYS: Final = (
    _spoilt, _spoilt_head, _spoilt_head, _odd_line, _odd_headers, _odd_headers, _many_headers, _odd_chunks,
    _halves, _drops, _together, _noise, _blank_lines,
)  # fmt: skip


def counted(pieces: Iterable[bytes]) -> int:
    """Requests that are in it, about."""
    return max(1, b"".join(pieces).count(b" HTTP/1.1\r\n"))
