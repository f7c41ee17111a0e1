"""A tracked link: ``GET /v1/link/<token>`` is an ``email.clicked`` and leads to the target in the token.

The reader is sent on at once: whether Kafka could be reached is counted, not told. What is no token of ours
leads nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scorer.collector.mail_events import activity
from scorer.collector.source import Answer, Item, Reading
from scorer.collector.tokens import Tokens

if TYPE_CHECKING:
    from scorer.collector.source import Key, Request

KIND: Final = "link"
_COMMON: Final = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Robots-Tag", "noindex, nofollow"),
    ("X-Content-Type-Options", "nosniff"),
)
NOWHERE: Final = Answer(
    404, (*_COMMON, ("Content-Type", "text/plain; charset=utf-8")), b"This link is not valid.\n"
)
"""Of a token that is none."""


class Link:
    def __init__(self, key: Key) -> None:
        """Raises ``ValueError`` for a secret that is too short."""
        self._tokens = Tokens(key.name, key.secrets)
        self._source = f"{KIND}/{key.name}"

    def read(self, request: Request) -> Reading:
        mail = self._tokens.open("link", request.path)
        if mail is None or mail.target is None:
            return Reading((Item((), "path: not a token of ours"),), NOWHERE, wait=False)
        if request.method == "GET":
            item = Item((activity("email.clicked", mail, request.path, request, self._source),))
        else:
            item = Item(())  # nobody arrives with a HEAD
        return Reading((item,), Answer(302, (*_COMMON, ("Location", mail.target))), wait=False)
