"""What a request says of who made it: a reader's program, or a machine that reads for nobody.

Only what is certain by itself. Proxies that fetch a picture when the mail is opened (GoogleImageProxy,
YahooMailProxy) are told by the property ``user_agent``, and rules decide about them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_USER_AGENT: Final = 256
"""Characters of it that an activity keeps."""

_CRAWLER: Final = re.compile(
    # CUBOT makes telephones.
    r"(?<!cu)bot\b|crawler|spider|slurp|facebookexternalhit|whatsapp/|skypeuripreview|embedly|ia_archiver"
    r"|lighthouse|pingdom|uptime"
).search
_SCANNER: Final = re.compile(
    r"barracuda|proofpoint|mimecast|ironport|fireeye|trellix|trend ?micro|symantec|messagelabs|sophos"
    r"|forcepoint|safelinks|urldefense|scanner|link ?check|validator"
    r"|python-|aiohttp|httpx|curl/|wget/|^java/|go-http-client|okhttp|libwww|httpclient|axios|node-fetch"
    r"|undici|ruby"
).search
_PREFETCH: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_PREFETCHED: Final = re.compile(r"prefetch|preview").search
_MAIL_PRIVACY: Final = "mozilla/5.0"
"""All that Apple's Mail Privacy Protection says; it fetches every picture of every mail, read or not."""


def user_agent(headers: Mapping[str, str]) -> str:
    """As the request says it, cut."""
    return headers.get("user-agent", "").strip()[:MAX_USER_AGENT]


def is_machine(headers: Mapping[str, str]) -> bool:
    """Whether a mail's picture or link was surely fetched by a machine; ``headers``: names in lower case."""
    return _is_machine(user_agent(headers)) or is_prefetch(headers)


def is_prefetch(headers: Mapping[str, str]) -> bool:
    """Whether a browser or proxy fetches ahead of anybody's asking, and says so."""
    return any(name in headers and _PREFETCHED(headers[name].lower()) for name in _PREFETCH)


def is_crawler(headers: Mapping[str, str]) -> bool:
    """Whether a page was read by a search engine or the like, which says so."""
    return _is_crawler(user_agent(headers))


# Few programs make most requests, and looking for so many words takes as long as all the rest.
@lru_cache(4_096)
def _is_machine(agent: str) -> bool:
    plain = agent.lower()
    return plain in {"", _MAIL_PRIVACY} or _is_crawler(agent) or _SCANNER(plain) is not None


@lru_cache(4_096)
def _is_crawler(agent: str) -> bool:
    return _CRAWLER(agent.lower()) is not None
