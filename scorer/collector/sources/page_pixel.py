"""The pixel of a web page without script: ``GET /v1/pixel/page.gif?key=...`` is a ``page.viewed``.

The page says who its visitor is, by ``anonymous_id`` or ``user_id``: no cookie is set. The path is ``path``,
or that of the page which the browser names (``Referer``); ``title`` and ``utm_...`` are taken too. Nothing
becomes of a visit of nobody, of crawlers and of browsers with Global Privacy Control (``Sec-GPC``).

Always a picture, at once: what is wrong is counted, not told.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from scorer.collector.machines import is_crawler, is_prefetch
from scorer.collector.picture import PICTURE
from scorer.collector.source import Activity, Item, Reading
from scorer.collector.write_key import is_one_of
from scorer.wire.cloudevents import Event

if TYPE_CHECKING:
    from scorer.collector.source import Key, Request

KIND: Final = "page"
PATH: Final = "page.gif"
TOPIC: Final = "activity.page.v1"
MAX_TEXT: Final = 1_000
"""Characters of each parameter; the rest is cut."""
WITHIN: Final = 1_000
"""ms. What one visitor's browser fetches for one page within the same second is the same visit."""

_IDENTIFIERS: Final = ("user_id", "anonymous_id")
_UTM: Final = ("source", "medium", "campaign", "term", "content")


class PagePixel:
    def __init__(self, key: Key) -> None:
        self._keys = key.secrets
        self._source = f"{KIND}/{key.name}"

    def read(self, request: Request) -> Reading:
        return Reading((self._item(request),), PICTURE, wait=False)

    def _item(self, request: Request) -> Item:
        query = request.query
        if not is_one_of(query.get("key", ""), self._keys):
            return Item((), "key: not a write key")
        headers = request.headers
        named = {name: query[name] for name in _IDENTIFIERS if query.get(name)}
        if not named or request.method != "GET" or headers.get("sec-gpc") == "1":
            return Item(())
        if is_crawler(headers) or is_prefetch(headers):
            return Item(())
        data: dict[str, Any] = {"path": query.get("path") or _path_of(headers.get("referer", ""))}
        data["title"] = query.get("title")
        utm = {name: query[f"utm_{name}"][:MAX_TEXT] for name in _UTM if query.get(f"utm_{name}")}
        told: dict[str, Any] = {name: value[:MAX_TEXT] for name, value in data.items() if value}
        if utm:
            told["utm"] = utm
        what = "\0".join((*named.values(), told.get("path", ""), str(request.received // WITHIN)))
        id_ = blake2b(what.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return Item((Activity(TOPIC, Event("1.0", id_, self._source, "page.viewed", told | named)),))


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
