"""Where in the data directory the leads' keys are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from scorer.settings import Settings


def key_stores(settings: Settings) -> Path:
    """A database in it for each process that seals or opens, named for what it does."""
    return settings.data_dir / "keys"
