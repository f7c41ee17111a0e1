"""Where a local store stands. Apart from ``store``, which can be compiled: mypyc does not know structs."""

from __future__ import annotations

import msgspec


class Meta(msgspec.Struct, array_like=True, gc=False, frozen=True):
    next: int = 0
    """The changelog offset that the store stands at: everything before is in it."""
    epoch: int = 0
    """Highest seen."""
    fence: int = -1
    """Highest log offset that any lead has taken in."""
    changelog: bytes = b""
    """Kafka's id of the changelog; empty where the broker does not say."""


encode_meta = msgspec.msgpack.Encoder().encode
decode_meta = msgspec.msgpack.Decoder(Meta).decode
