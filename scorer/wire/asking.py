"""Asking a worker about a lead, over HTTP."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

LEADS: Final = "/leads/"
ANY_ADDRESS: Final = ("", "0.0.0.0", "::")  # noqa: S104 - recognised, not listened on
HOPS: Final = 16
"""Leads followed from one to what it has become part of; a user's is reached in three."""
HERE: Final = "here"
"""Query of one worker to another: answer for your own partitions only."""
FOUND, MOVED, BAD, UNKNOWN, FORGOTTEN, ENDLESS, NOT_NOW = 200, 308, 400, 404, 410, 500, 503
"""HTTP statuses of the answers."""
UNREACHABLE: Final = (OSError, HTTPException)
"""What ``ask`` raises where there is no answer."""


class Reply(NamedTuple):
    status: int
    body: bytes
    """JSON."""
    moved_to: str = ""
    """The lead that it has become part of, with status 308."""


def ask(address: str, lead_id: str, *, timeout: float, here: bool = False) -> Reply:
    """Raises ``UNREACHABLE``, and ``ValueError`` for an address that is none. ``timeout``: s."""
    connection = _connection(address, timeout)
    try:
        return _ask(connection, address, lead_id, here=here)
    finally:
        connection.close()


class Connections:
    """Workers that are asked often: each connection is used again. From any thread."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._idle: dict[str, list[HTTPConnection]] = {}

    def ask(self, address: str, lead_id: str) -> Reply:
        """For the partitions of that worker only. Raises like ``ask``."""
        idle = self._idle.setdefault(address, [])
        while True:
            try:
                connection, used = idle.pop(), True
            except IndexError:
                connection, used = _connection(address, self._timeout), False
            try:
                reply = _ask(connection, address, lead_id, here=True)
            except BaseException as error:
                connection.close()
                if used and isinstance(error, ConnectionError):
                    continue  # it has been idle for too long
                raise
            idle.append(connection)
            return reply

    def close(self) -> None:
        for idle in self._idle.values():
            while idle:
                idle.pop().close()


def _connection(address: str, timeout: float) -> HTTPConnection:
    parts = check_address(address)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=timeout)


def _ask(connection: HTTPConnection, address: str, lead_id: str, *, here: bool) -> Reply:
    query = f"?{HERE}" if here else ""
    connection.request("GET", f"{urlsplit(address).path.rstrip('/')}{path_of(lead_id)}{query}")
    response = connection.getresponse()
    body = response.read()
    return Reply(response.status, body, lead_of(response.headers.get("Location", "")))


def check_address(address: str) -> SplitResult:
    """Raises ``ValueError``."""
    wrong = f"{address}: no address such as http://worker-1:9464"
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(wrong) from None
    if not good:
        raise ValueError(wrong)
    return parts


def path_of(lead_id: str) -> str:
    return LEADS + quote(lead_id, safe="")


def lead_of(path: str) -> str:
    """The inverse; empty where it is none."""
    if not path.startswith(LEADS):
        return ""
    try:
        return unquote(path[len(LEADS) :], errors="strict")
    except UnicodeDecodeError:
        return ""
