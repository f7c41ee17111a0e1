"""The Dockerfile: what it copies exists, and what it says about the program is so."""

from __future__ import annotations

import re

import pytest

from tests.deploy.named import ROOT, default_port, missing, problems_of_command, problems_of_variables

TEXT = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
LINES = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
LAST_STAGE = LINES[max(at for at, line in enumerate(LINES) if line.startswith("FROM ")) :]


def instructions(name: str, lines: list[str] = LINES) -> list[str]:
    return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in instructions("ENV", LAST_STAGE) for pair in line.split())


def copied() -> list[str]:
    words = [line.split() for line in instructions("COPY") if not line.startswith("--from")]
    return [source for *sources, _ in words for source in sources]


def test_what_it_copies_is_there() -> None:
    assert copied()
    assert missing(copied()) == []


def test_the_builder_is_given_what_is_copied_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    given = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert given == {path.partition("/")[0] for path in copied()}


def test_every_package_is_installed_by_its_hash() -> None:
    for install in re.findall(r"pip install [^&]*", TEXT):
        assert "--require-hashes" in install or "--no-index" in install, install
    locks = set(re.findall(r"-r (\S+)", TEXT))
    assert locks == {f"requirements/{name}.txt" for name in ("runtime", "build", "compile")}
    assert missing(locks) == []


def test_no_address_of_any_index_or_registry() -> None:
    assert "://" not in TEXT
    for image in instructions("FROM"):
        assert re.fullmatch(r"python:\$\{PYTHON\}(-slim)?-bookworm( AS build)?", image)
    assert re.search(r"^ARG PYTHON=3\.\d+\.\d+$", TEXT, re.MULTILINE)


def test_it_is_nobody_in_particular() -> None:
    assert instructions("USER", LAST_STAGE) == ["10001:10001"]
    created = next(line for line in LAST_STAGE if "useradd" in line)
    assert "--uid 10001" in created
    assert "--gid 10001" in created


def test_what_it_sets_are_settings() -> None:
    assert any(name.startswith("SCORER_") for name in environment())
    assert problems_of_variables(environment()) == []


def test_what_is_written_to_belongs_to_it() -> None:
    folder = environment()["SCORER_DATA_DIR"]
    assert instructions("WORKDIR", LAST_STAGE) == [folder]
    assert any(f"--owner=scorer --group=scorer --mode=0750 {folder}" in line for line in LAST_STAGE)


def test_its_ports_are_the_default_ones() -> None:
    fields = ("metrics_port", "collector_metrics_port", "collector_port")
    assert instructions("EXPOSE") == [" ".join(str(default_port(field)) for field in fields)]


def test_signals_reach_the_program() -> None:
    assert instructions("ENTRYPOINT") == ['["scorer"]']
    assert instructions("CMD") == ['["--help"]']


@pytest.mark.parametrize("words", [["worker"], ["collector"], ["health"], ["topics", "apply"]])
def test_commands_of_the_image_are_there(words: list[str]) -> None:
    assert problems_of_command(words) == []


def test_the_locks_that_are_installed_together_agree() -> None:
    versions: dict[str, set[str]] = {}
    for name in ("runtime", "build", "compile"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        for package, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE):
            versions.setdefault(package, set()).add(version)
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}
