"""Whether a request's write key is the one that it says."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def is_one_of(given: str, secrets: Sequence[bytes]) -> bool:
    """In a time that does not tell how much of it was right."""
    encoded = given.encode("utf-8", "surrogatepass")
    return sum(compare_digest(encoded, secret) for secret in secrets) > 0
