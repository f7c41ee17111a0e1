"""The pixel of an e-mail: ``GET /v1/pixel/<token>.gif`` is an ``email.opened``.

Always a picture, at once: whether the token was good and Kafka could be reached is counted, not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scorer.collector.mail_events import activity
from scorer.collector.picture import PICTURE
from scorer.collector.source import Item, Reading
from scorer.collector.tokens import Tokens

if TYPE_CHECKING:
    from scorer.collector.source import Key, Request

KIND: Final = "pixel"
_SUFFIX: Final = ".gif"


class Pixel:
    def __init__(self, key: Key) -> None:
        """Raises ``ValueError`` for a secret that is too short."""
        self._tokens = Tokens(key.name, key.secrets)
        self._source = f"{KIND}/{key.name}"

    def read(self, request: Request) -> Reading:
        token = request.path.removesuffix(_SUFFIX)
        mail = self._tokens.open("pixel", token)
        if mail is None:
            item = Item((), "path: not a token of ours")
        elif request.method != "GET":
            item = Item(())  # nobody sees the picture of a HEAD
        else:
            item = Item((activity("email.opened", mail, token, request, self._source),))
        return Reading((item,), PICTURE, wait=False)
