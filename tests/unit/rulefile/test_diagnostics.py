from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from scorer.domain.model import Model
from scorer.errors import UserError
from scorer.rulefile import Diagnostic, load, loads, render, require

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "model: M\nscores: {fit: {}}\nrules: {fit: [{rule: r, when: {a: b}, points: 1}]}\n"


def test_how_a_diagnostic_looks() -> None:
    text = GOOD + "segments:\n  Fans:\n    no: email.open\n    for: 1 month\n"
    assert render(loads(text, "r.yaml").diagnostics) == (
        "r.yaml:6:9: error: unknown activity `email.open`\n"
        "    6 |     no: email.open\n"
        "      |         ^^^^^^^^^^\n"
        "      = hint: did you mean `email.opened`?\n"
        "\n"
        "r.yaml:7:10: error: months differ in length\n"
        "    7 |     for: 1 month\n"
        "      |          ^^^^^^^\n"
        "      = hint: write days: `30 days`"
    )


def test_the_caret_stands_under_a_value_behind_tabs_and_wide_letters() -> None:
    one = Diagnostic(file="f", line=1, column=4, severity="error", message="m", length=2, source="\tü=xy")
    assert one.render() == "f:1:4: error: m\n    1 | \tü=xy\n      | \t  ^^"


def test_warnings_leave_a_model() -> None:
    loaded = loads(GOOD.replace("{a: b}", "{a: [b, B]}"))
    assert isinstance(loaded.model, Model)
    assert [one.severity for one in loaded.diagnostics] == ["warning"]


def test_require_names_every_mistake(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(GOOD.replace("a: b", "a: 25+") + "grace: 2\n")
    with pytest.raises(UserError) as caught:
        require(file)
    assert caught.value.exit_code == 2
    assert "bad.yaml has 2 mistakes" in caught.value.message
    assert f"{file}:3:35: error:" in caught.value.message
    assert f"{file}:4:8: error:" in caught.value.message


def test_require_gives_the_model(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)
    assert require(file) == loads(GOOD).model


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"missing|directory"):
        load(tmp_path / name)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.yaml"
    file.write_bytes(b"#" * (2 << 20))
    (one,) = load(file).diagnostics
    assert one.message == "the file is larger than 1 MiB"


def test_a_model_too_large_to_travel() -> None:
    path = "/x" * 500
    rules = "".join(
        f"    - {{rule: r{n}, on: page.viewed, where: {{path: {path}}}, points: 1}}\n" for n in range(950)
    )
    (one,) = loads(f"model: M\nscores: {{fit: {{}}}}\nrules:\n  fit:\n{rules}").diagnostics
    assert one.message == "the compiled rules are larger than 900,000 bytes"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{a: " * 200_000,
        "- " * 300_000,
        "? " * 300_000,
        GOOD + "a: b: c\n" * 50_000,
        GOOD + "segments:\n" + "  - x: 'y\n" * 50_000,
        "a: &a [x, x]\n" + "".join(f"k{n}: &k{n} [*k{n - 1}, *k{n - 1}]\n" for n in range(1, 5_000)),
    ],
    ids=["brackets", "braces", "dashes", "complex keys", "colons", "quotes", "aliases"],
)
def test_bombs_are_refused_in_reasonable_time(text: str) -> None:
    began = time.monotonic()
    loaded = loads(text)
    assert loaded.model is None
    assert loaded.diagnostics
    assert time.monotonic() - began < 60  # seconds here, for hours or gigabytes without bounds


def test_many_mistakes_are_counted() -> None:
    rules = "".join(f"    - {{rule: r{n}, when: {{a: b}}, points: x}}\n" for n in range(1_300))
    found = loads(f"model: M\nscores: {{fit: {{}}}}\nrules:\n  fit:\n{rules}").diagnostics
    assert len(found) == 201
    assert found[-1].message == "at least 800 more mistakes follow; mend these first"


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a|b)*",
        "(a*)*",
        "([a-z]+){2,}",
        "(?:x|y)+z",
        ".*a.*b.*c.*",
        "(",
        "[z-a]",
        "(?P<a>x)(?P<a>y)",
        "a" * 400,
    ],
)
def test_patterns_that_are_refused(pattern: str) -> None:
    found = loads(GOOD.replace("{a: b}", f"{{a: {{matches: '{pattern}'}}}}")).diagnostics
    assert [one.severity for one in found] == ["error"]


@pytest.mark.parametrize(
    "pattern",
    ["^/blog/[0-9]+$", "(blog|news)/?", "a(b|c)?", r"\\d{4}-\\d{2}", "[(]x[)*]", "(abc){3}", "colou?r"],
)
def test_patterns_that_are_taken(pattern: str) -> None:
    assert loads(GOOD.replace("{a: b}", f"{{a: {{matches: '{pattern}'}}}}")).model is not None
