"""Which web pages may use a key: CORS as https://fetch.spec.whatwg.org/#http-cors-protocol has it.

Keys of browsers list their origins; a browser is told of its own and of no other. A preflight carries no
key, so it is allowed for an origin of any key, and the request itself then for one of its own key's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

ANY: Final = "*"
MAX_AGE: Final = b"7200"
"""Seconds that browsers remember a preflight; none of them takes more."""
VARY: Final = (b"vary", b"Origin")
_ALLOWED: Final = (
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"authorization, content-type, content-encoding"),
    (b"access-control-max-age", MAX_AGE),
)
_ORIGIN: Final = re.compile(
    r"(?P<scheme>https?)://(?P<any>\*\.)?(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?P<port>:[0-9]{1,5})?"
).fullmatch
_DEFAULT_PORTS: Final = {("http", ":80"), ("https", ":443")}


class Origins:
    """Origins as a keys file lists them: ``https://www.example.com``, ``https://*.example.com`` or ``*``."""

    def __init__(self, listed: Iterable[str]) -> None:
        """Raises ``ValueError`` for what is no origin."""
        self._exact: set[str] = set()
        self._below: list[tuple[str, str]] = []
        self.any = False
        for one in listed:
            if one == ANY:
                self.any = True
                continue
            found = _ORIGIN(one.lower())
            if found is None:
                raise ValueError(one)
            scheme, host, port = found["scheme"], found["host"], found["port"] or ""
            if (scheme, port) in _DEFAULT_PORTS:
                port = ""  # as browsers write it
            if found["any"]:
                self._below.append((f"{scheme}://", f".{host}{port}"))
            else:
                self._exact.add(f"{scheme}://{host}{port}")

    def __bool__(self) -> bool:
        return self.any or bool(self._exact) or bool(self._below)

    def __contains__(self, origin: str) -> bool:
        if self.any or origin in self._exact:
            return True
        return any(origin.startswith(scheme) and _below(origin, scheme, end) for scheme, end in self._below)

    def __or__(self, other: Origins) -> Origins:
        both = Origins(())
        both.any = self.any or other.any
        both._exact = self._exact | other._exact
        both._below = self._below + other._below
        return both


def _below(origin: str, scheme: str, end: str) -> bool:
    """A host below the one that is listed, and nothing but a host."""
    host = origin[len(scheme) : -len(end)]
    return origin.endswith(end) and re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", host) is not None


def told(origin: str) -> Headers:
    """Headers of an answer to a page of this origin, which is one of the key's."""
    return [(b"access-control-allow-origin", origin.encode("latin-1")), VARY]


def preflight(origins: Origins, origin: str) -> Headers:
    """Of the answer to a preflight; without the decisive one for an origin of no key."""
    return [*told(origin), *_ALLOWED] if origin in origins else [VARY]
