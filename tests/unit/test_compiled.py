"""What runs for every event runs compiled: no module of the engine is forgotten."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_module_of_the_engine_is_compiled() -> None:
    listed = set(re.findall(r'"domain/(\w+)"', (ROOT / "tools" / "compile").read_text("utf-8")))
    ordinary = {
        path.stem
        for path in (ROOT / "scorer" / "domain").glob("*.py")
        if "msgspec.Struct" not in path.read_text("utf-8") and path.stem != "__init__"
    }
    assert listed == ordinary
