"""Bodies that come compressed, unpacked within a bound: a few KB of gzip can say gigabytes."""

from __future__ import annotations

import zlib
from typing import Final

from scorer.collector.source import RefusedError

_GZIP: Final = 16 + zlib.MAX_WBITS
_WINDOWS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before it was compressed; raises ``RefusedError``.

    ``encoding``: the header, "" or ``identity`` for none. ``limit``: bytes that it may have then.
    """
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return body
    window = _WINDOWS.get(name)
    if window is None:
        raise RefusedError(415, "encoding_unknown", "Content-Encoding: gzip and deflate are understood")
    unpacker = zlib.decompressobj(window)
    try:
        plain = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise RefusedError(400, "encoding_broken", "the body is not what Content-Encoding says") from None
    if len(plain) > limit:
        raise too_large(limit)
    if not unpacker.eof:
        raise RefusedError(400, "encoding_broken", "the compressed body ends too early")
    if unpacker.unused_data:
        raise RefusedError(400, "encoding_broken", "something follows the compressed body")
    return plain


def too_large(limit: int) -> RefusedError:
    return RefusedError(413, "too_large", f"a request's body has at most {limit} bytes, unpacked")
