"""deploy/helm/scorer/README.md, from the comments and defaults of values.yaml (`make chart-readme`)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

CHART = Path(__file__).resolve().parents[2] / "deploy" / "helm" / "scorer"
HEAD = """\
# The chart's values

Made from values.yaml by `make chart-readme`. How to install, upgrade and size it: docs/deploy.md.

| value | default | what it means |
|---|---|---|
"""


class Value(NamedTuple):
    name: str
    """Such as kafka.sasl.mechanism."""
    default: Any
    """None also for a group of values, which has lines of its own."""
    group: bool
    meaning: str


def values(text: str) -> Iterator[Value]:
    """In the file's order. A comment belongs to the line after it."""
    path: list[tuple[int, str]] = []
    said: list[str] = []
    loaded = yaml.safe_load(text)
    for line in text.splitlines():
        if not line.strip():
            said = []
        elif (comment := re.fullmatch(r"\s*# (.*)", line)) is not None:
            said.append(comment[1])
        elif (key := re.match(r"(\s*)(\w+):(.*)", line)) is not None:
            indent = len(key[1])
            path = [(at, name) for at, name in path if at < indent] + [(indent, key[2])]
            if "resources" not in [name for _, name in path[:-1]]:
                names = [name for _, name in path]
                found = loaded
                for name in names:
                    found = found[name]
                group = not key[3].strip() and key[2] != "resources"
                yield Value(".".join(names), found, group, " ".join(said))
            said = []


def page(text: str) -> str:
    rows = []
    for value in values(text):
        if value.group and not value.meaning:
            continue
        default = "" if value.group else f"`{_shown(value.default)}`"
        rows.append(f"| `{value.name}` | {default} | {value.meaning} |\n")
    return HEAD + "".join(rows)


def _shown(default: Any) -> str:
    return yaml.safe_dump(default, default_flow_style=True, width=1000).removesuffix("...\n").strip()


if __name__ == "__main__":
    sys.stdout.write(page((CHART / "values.yaml").read_text()))
