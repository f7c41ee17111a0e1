"""What is read of an outcome: see ``scorer.domain.messages``."""

from __future__ import annotations

import msgspec


class _Data(msgspec.Struct, gc=False):
    stage: str = ""


class Told(msgspec.Struct, gc=False):
    time: str
    data: _Data


decode_told = msgspec.json.Decoder(Told).decode
