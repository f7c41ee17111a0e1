"""What docs/deploy.md and the chart's notes tell people to type exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.named import ROOT, problems_of_command, yaml_of

PAGE = (ROOT / "docs" / "deploy.md").read_text()
NOTES = (ROOT / "deploy" / "helm" / "scorer" / "templates" / "NOTES.txt").read_text()
COMPOSE: Any = yaml_of(ROOT / "docker-compose.yml")[0]
TYPED = [
    line.partition("  #")[0].strip() for line in PAGE.splitlines() if line.startswith(("docker ", "helm "))
]


def test_commands_inside_pods() -> None:
    found = re.findall(r" -- scorer (.*)", NOTES)
    assert len(found) == 2
    for words in found:
        assert problems_of_command(words.split()) == []


@pytest.mark.parametrize("line", [line for line in TYPED if line.startswith("docker compose")])
def test_commands_of_compose(line: str) -> None:
    words = shlex.split(line)[2:]
    if words[0] == "--profile":
        assert any(words[1] in service.get("profiles", []) for service in COMPOSE["services"].values())
        return
    services = [word for word in words[1:] if word in COMPOSE["services"]]
    if words[0] in {"exec", "run"}:
        command = words[words.index(services[0]) + 1 :]
        assert problems_of_command(command[command[0] == "scorer" :]) == []
    elif words[0] == "logs":
        assert services


def test_values_that_are_set_by_hand_have_names() -> None:
    values = yaml_of(ROOT / "deploy" / "helm" / "scorer" / "values.yaml")[0]
    named = re.findall(r"--set(?:-file)? ([\w.]+)=", PAGE)
    named += re.findall(r"`((?:kafka|worker|collector|networkPolicy|rules)\.[\w.]+)`", PAGE)
    assert len(named) > 8
    for name in named:
        found: Any = values
        for part in name.split("."):
            assert part in found, name
            found = found[part]


def test_targets_of_make_and_files_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z-]+)`", PAGE):
        assert f"\n{target}:" in makefile
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGE):
        assert (ROOT / "docs" / Path(link)).exists(), link
