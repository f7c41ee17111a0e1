"""From what the server hands over to what a source reads."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from scorer.collector.source import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_QUERY: Final = 100
"""Fields."""
KEPT_BITS: Final = {4: 24, 6: 48}
"""Of an address that is truncated."""


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """Names in lower case; repeated ones joined with ", "."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def query_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """The first value of each; raises ``RefusedError``."""
    raw = scope["query_string"]
    if not raw:
        return {}
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_QUERY)
    except ValueError:
        raise RefusedError(400, "bad_query", f"a query has at most {MAX_QUERY} fields") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def url_of(scope: Mapping[str, Any], host: str, public: str) -> str:
    """As the sender addressed it. ``public``: scheme and host that senders see, if they see others."""
    base = public or f"{scope['scheme']}://{host}"
    query = scope["query_string"]
    return f"{base}{scope['raw_path'].decode('latin-1')}{'?' + query.decode('latin-1') if query else ''}"


def sender(scope: Mapping[str, Any], forwarded: str, proxies: int) -> str:
    """The sender's address, "" if unknown.

    ``forwarded``: X-Forwarded-For, of which each of the ``proxies`` in front of us has added the last.
    """
    if proxies:
        hops = [one.strip() for one in forwarded.split(",")]
        return hops[-proxies] if len(hops) >= proxies else ""
    client = scope.get("client")
    return client[0] if client else ""


@lru_cache(4096)
def truncated(address: str) -> str:
    """Without what tells one household from another: IPv4 to 24 bits, IPv6 to 48; "" for what is none."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    return str(ip_network((found, KEPT_BITS[found.version]), strict=False).network_address)


@lru_cache(4096)
def whole(address: str) -> str:
    """As it is; "" for what is none."""
    try:
        return str(ip_address(address))
    except ValueError:
        return ""
