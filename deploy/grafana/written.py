"""The dashboards as JSON, the same bytes on every machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import collector, marketing, overview, worker

FOLDER: Final = Path(__file__).parent / "dashboards"
BOARDS: Final = (overview.BOARD, worker.BOARD, collector.BOARD, marketing.BOARD)


def texts() -> dict[str, str]:
    """Name of a file -> what is to be in it."""
    return {
        f"{board.uid}.json": json.dumps(
            board.build(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False
        )
        + "\n"
        for board in BOARDS
    }


def boards() -> list[dict[str, Any]]:
    """As Grafana reads them."""
    return [json.loads(text) for text in texts().values()]


def stale() -> list[str]:
    """What there is to do about the folder, a line each."""
    wanted = texts()
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    return [
        f"{FOLDER / name}: not what the sources say; run make dashboards"
        for name in sorted(wanted.keys() | found.keys())
        if wanted.get(name) != found.get(name)
    ]
