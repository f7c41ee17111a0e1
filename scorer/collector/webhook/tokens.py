"""Tokens that count once: what was signed with one is remembered for as long as it is valid."""

from __future__ import annotations

from hashlib import blake2b
from heapq import heappop, heappush
from typing import Final

from scorer.collector.source import RefusedError

_BYTES: Final = 16


class Tokens:
    """At most ``most`` tokens, each with the digest of the body it came with.

    When there are more, the oldest is forgotten, and from then on nothing unknown that is as old is taken: a
    bound on memory that no number of requests, and no clock set back, turns into a second use.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._bodies: dict[bytes, bytes] = {}
        self._by_age: list[tuple[int, bytes]] = []
        self._floor = -1
        """ms: what was signed then or earlier is known or refused."""

    def __len__(self) -> int:
        return len(self._bodies)

    def use(self, token: bytes, body: bytes, at: int, expired: int) -> None:
        """Raises ``RefusedError`` for a token that came with another body, or that may have.

        With the same body it is a delivery tried again, because the first try was not answered with success:
        the same event, that counts once by its id. ``at``: when it was signed, ms; the caller refuses
        what was signed before ``expired``.
        """
        self._forget(expired)
        name = blake2b(token, digest_size=_BYTES).digest()
        digest = blake2b(body, digest_size=_BYTES).digest()
        known = self._bodies.get(name)
        if known is not None:
            if known != digest:
                raise RefusedError(406, "replayed", "the token has come with another body")
            return
        if at <= self._floor:
            raise RefusedError(406, "replayed", "the token is too old to know whether it has been used")
        self._bodies[name] = digest
        heappush(self._by_age, (at, name))
        while len(self._bodies) > self._most:
            self._drop()

    def _forget(self, expired: int) -> None:
        while self._by_age and self._by_age[0][0] < expired:
            self._drop()

    def _drop(self) -> None:
        at, name = heappop(self._by_age)
        del self._bodies[name]
        self._floor = at
