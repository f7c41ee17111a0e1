"""The smallest picture there is, and how it is answered."""

from __future__ import annotations

from base64 import b64decode
from typing import Final

from scorer.collector.source import Answer

GIF: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
"""1x1, transparent."""
PICTURE: Final = Answer(
    200,
    (
        ("Content-Type", "image/gif"),
        ("Cache-Control", "no-store"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    ),
    GIF,
)
"""Of every pixel, whatever is wrong with the request: what is wrong is counted, not told."""
