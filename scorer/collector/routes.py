"""Which path is what, and which key a request uses."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Final, NamedTuple

from scorer.collector.answers import key_in
from scorer.collector.origins import Origins
from scorer.collector.rates import Bucket
from scorer.collector.sources import KINDS, Mount

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scorer.collector.keys import PublisherKey
    from scorer.collector.source import Answer

CALLS: Final = ("identify", "track", "page", "screen", "group", "alias", "batch", *"itpsgab", "import")
POST: Final = ("POST",)
GET: Final = ("GET", "HEAD")
METHODS: Final = {
    Mount.SEGMENT: POST,
    Mount.EVENTS: POST,
    Mount.SNIPPET: POST,
    Mount.HOOK: ("POST", "GET"),
    Mount.PIXEL: GET,
    Mount.PAGE_PIXEL: GET,
    Mount.LINK: GET,
}
FOR_BROWSERS: Final = frozenset({Mount.SEGMENT, Mount.EVENTS, Mount.SNIPPET})
"""Where a page's script may send to, so that it matters which page."""
SCRIPT: Final = "/v1/scorer.js"
HOOKS: Final = "/v1/hooks/"
PIXELS: Final = "/v1/pixel/"
LINKS: Final = "/v1/link/"


class Route(NamedTuple):
    mount: str
    path: str
    """What the source is told."""
    name: str = ""
    """The key's, where the path says it."""


_EXACT: Final = {
    **{f"/v1/{call}": Route(Mount.SEGMENT, call) for call in CALLS},
    Mount.EVENTS: Route(Mount.EVENTS, ""),
    Mount.SNIPPET: Route(Mount.SNIPPET, ""),
    Mount.PAGE_PIXEL: Route(Mount.PAGE_PIXEL, "page.gif"),
}


def route_of(path: str) -> Route | None:
    """None: there is nothing there."""
    found = _EXACT.get(path)
    if found is not None:
        return found
    if path.startswith(HOOKS):
        name, _, rest = path[len(HOOKS) :].partition("/")
        return Route(Mount.HOOK, rest, name) if name else None
    if path.startswith(PIXELS):
        token = path[len(PIXELS) :]
        return Route(Mount.PIXEL, token, token.removesuffix(".gif").rpartition(".")[0])
    if path.startswith(LINKS):
        token = path[len(LINKS) :]
        return Route(Mount.LINK, token, token.rpartition(".")[0])
    return None


class Publisher:
    """One key at work in one process."""

    def __init__(self, key: PublisherKey, now: float, processes: int) -> None:
        self.key = key
        self.name = key.name
        self.kind = key.kind
        self.read = key.source.read
        self.scopes = key.scopes
        self.origins = key.origins
        self.largest = key.largest
        self.bucket = (
            None if key.rate is None else Bucket(key.rate / processes, max(1.0, key.burst / processes), now)
        )


class KeyRing:
    """Finds the key of a request."""

    def __init__(self, keys: Iterable[PublisherKey], now: float, processes: int) -> None:
        self._by_name: dict[tuple[str, str], Publisher] = {}
        self._by_secret: dict[tuple[str, bytes], Publisher] = {}
        self._by_header: dict[tuple[str, str], Publisher] = {}
        self.unknown: dict[str, Answer] = {
            kind.mount: kind.unknown for kind in KINDS.values() if kind.unknown is not None
        }
        """What a request of no key is answered, where that is no error to be told."""
        self.origins = {mount: Origins(()) for mount in METHODS}
        """Of all keys of a mount."""
        self.largest = dict.fromkeys(METHODS, 0)
        """Bytes that a body may have, of any key of a mount."""
        self.publishers: list[Publisher] = []
        for key in keys:
            publisher = Publisher(key, now, processes)
            mount = key.about.mount
            self.publishers.append(publisher)
            self._by_name[mount, key.name] = publisher
            for secret in key.secrets:
                self._by_secret[mount, secret] = publisher
                self._by_header[mount, f"Basic {b64encode(secret + b':').decode()}"] = publisher
                self._by_header[mount, f"Bearer {secret.decode('latin-1')}"] = publisher
            self.origins[mount] |= key.origins
            self.largest[mount] = max(self.largest[mount], key.largest)
            if key.about.unknown is not None:
                self.unknown[mount] = key.about.unknown

    def named(self, route: Route) -> Publisher | None:
        return self._by_name.get((route.mount, route.name))

    def authorized(self, mount: str, header: str) -> Publisher | None:
        """``header``: Authorization, Basic with the key as user name, or Bearer."""
        found = self._by_header.get((mount, header))
        if found is not None or header[:6].lower() != "basic ":
            return found
        try:
            user = b64decode(header[6:].strip(), validate=True).partition(b":")[0]
        except ValueError:  # not base64, or not even ASCII
            return None
        return self._by_secret.get((mount, user))

    def secret(self, mount: str, text: str) -> Publisher | None:
        return self._by_secret.get((mount, text.encode("utf-8", "surrogatepass")))

    def in_body(self, mount: str, body: bytes) -> Publisher | None:
        """A key that the body itself names."""
        given = key_in(body)
        return None if given is None else self.secret(mount, given)
