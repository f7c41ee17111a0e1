"""Names that publishers give their events, as event types."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_TYPE: Final = 128
"""Characters of a type."""

_TYPE: Final = re.compile(r"app\.[a-z][a-z0-9]*(?:[._][a-z0-9]+)*").fullmatch
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER: Final = re.compile(r"[^a-z0-9]+")


def app_type(name: str) -> str | None:
    """``Trial Started``, ``trialStarted`` and ``app.trial_started`` are ``app.trial_started``.

    What is a type already stays as it is.
    None for a name without a letter that a type could begin with, and for one that is too long.
    """
    if len(name) > MAX_TYPE:
        return None
    if _TYPE(name):
        return name
    plain = unicodedata.normalize("NFKD", name.strip().removeprefix("app."))
    letters = "".join(one for one in plain if not unicodedata.combining(one))
    words = _OTHER.sub("_", _HUMP.sub("_", letters).lower()).strip("_")
    if not words or not words[0].isalpha():
        return None
    return f"app.{words}"
