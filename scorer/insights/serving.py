"""The figures over HTTP: JSON, for reading only. Each request reads the file as it is then."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec

from scorer.errors import UserError
from scorer.http_pages import PageHandler, PageServer
from scorer.insights.asking import NAMES, answer
from scorer.insights.figures import Asking
from scorer.insights.files import read_only, refused
from scorer.insights.timeline import forgotten, timeline
from scorer.logs import failed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

ROOT: Final = "/insights/"
LEADS: Final = "/insights/leads/"
AT_ONCE: Final = 8
"""Requests that are answered at a time; more wait."""
JSON: Final = "application/json"
_encode = msgspec.json.Encoder(order="sorted").encode

Reply = tuple[int, bytes]
"""HTTP status, JSON."""


class Answers:
    """What is answered, without the network."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """``clock``: seconds since 1970."""
        self._path = path
        self._clock = clock
        self._free = BoundedSemaphore(AT_ONCE)

    def get(self, target: str) -> Reply:
        """Of a request's path and query."""
        path, _, query = target.partition("?")
        try:
            with self._free:
                return self._get(path, query)
        except ValueError as error:
            return _error(400, str(error))
        except UserError as error:
            return _error(503, error.message, error.hint)
        except sqlite3.Error as error:
            return _error(503, refused(self._path, error).message)
        except Exception:  # noqa: BLE001 - whatever it is, who asked hears of it
            failed(log, "our code failed on a request")
            return _error(500, "our code failed on this request", "the log of this process says where")

    def _get(self, path: str, query: str) -> Reply:
        if path.startswith(LEADS):
            return self._lead(unquote(path.removeprefix(LEADS), errors="strict"), query)
        name = path.removeprefix(ROOT)
        if not path.startswith(ROOT) or name not in NAMES:
            known = ", ".join(f"{ROOT}{one}" for one in NAMES)
            return _error(404, f"there is no {path[:100]}", f"there are {known} and {LEADS}ID")
        words = _words(query)
        with closing(read_only(self._path)) as connection:
            asking = Asking(connection, words.get("time_zone"))
            return 200, _encode(answer(asking, name, words, int(self._clock() * 1000)))

    def _lead(self, lead: str, query: str) -> Reply:
        if not lead:
            return _error(400, "no lead id")
        for word in _words(query):
            raise ValueError(f"there is no {word} here")
        with closing(read_only(self._path)) as connection:
            found = timeline(connection, lead)
            if found is not None:
                return 200, _encode(found)
            if forgotten(connection, lead):
                return _error(410, "the person has been forgotten")
        return _error(404, "there is no such lead")


def _words(query: str) -> dict[str, str]:
    try:
        pairs = (
            parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict") if query else []
        )
    except ValueError:
        raise ValueError("the query is none: name=value, joined with &") from None
    words = dict(pairs)
    if len(words) < len(pairs):
        raise ValueError("the query gives a word twice")
    return words


def _error(status: int, message: str, hint: str | None = None) -> Reply:
    said: dict[str, Any] = {"error": message}
    return status, _encode(said if hint is None else said | {"hint": hint})


def server(answers: Answers, host: str, port: int) -> PageServer:
    """Listening, and yet to serve. Raises ``UserError`` where the port can't be had."""

    class Handler(PageHandler):
        def do_GET(self) -> None:  # noqa: N802 - http.server's name
            self.say(answers.get(self.path))

        def do_HEAD(self) -> None:  # noqa: N802 - http.server's name
            self.say(answers.get(self.path), body=False)

        def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
            """What http.server refuses by itself, any other method among it."""
            self.close_connection = True  # what else was sent is not read
            self.request_version = self.protocol_version  # which may not have been understood
            if code == HTTPStatus.NOT_IMPLEMENTED:
                self.say(_error(405, "this is for reading: GET"))
            else:
                self.say(_error(code, message or HTTPStatus(code).phrase))

        def say(self, reply: Reply, *, body: bool = True) -> None:
            status, content = reply
            headers = [("Cache-Control", "no-store")]
            if status == HTTPStatus.METHOD_NOT_ALLOWED:
                headers.append(("Allow", "GET, HEAD"))
            if self.close_connection:
                headers.append(("Connection", "close"))
            self.reply(status, JSON, content, headers, body=body)

    try:
        return PageServer((host, port), Handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{host}:{port} can't be served: {reason}", hint="--port chooses another port, 0 a free one"
        ) from error
