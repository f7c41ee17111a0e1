"""What import-linter's lists cannot say, because they would have to name every package there is."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import scorer.domain

DOMAIN = Path(scorer.domain.__file__).parent
ALLOWED = sys.stdlib_module_names | {"msgspec"}


def imported(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("module", sorted(DOMAIN.rglob("*.py")), ids=lambda path: path.name)
def test_the_domain_imports_itself_the_standard_library_and_msgspec(module: Path) -> None:
    others = {name for name in imported(module) if name.partition(".")[0] not in ALLOWED}
    assert {name for name in others if not name.startswith("scorer.domain")} == set()
