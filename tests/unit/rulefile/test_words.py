"""One definition of the language's words: for the reader, the editor's schema and the reference page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from scorer.cli import run
from scorer.rulefile import load, loads, render
from scorer.rulefile.editor_schema import editor_schema
from scorer.rulefile.reference import reference
from scorer.rulefile.words import COMPARISONS, GROUPS, SHAPES, TITLES, Word
from tests.unit.rulefile import gallery

ROOT = Path(__file__).parents[3]
SHIPPED = [
    path
    for folder in ("rules", "bench", "tests/storm")
    for path in sorted((ROOT / folder).rglob("*.yaml"))
    if not path.name.endswith(".test.yaml")
]
SCHEMA = jsonschema_rs.Draft202012Validator(editor_schema())

HEAD = {
    "model": "Example",
    "scores": "{fit: {grades: {A: 20, B: otherwise}}, engagement: {grades: {A: 20, B: otherwise}}}",
    "rules": "{}",
    "segments": "{Readers: {at least: 3, of: email.opened, within: 30 days}}",
    "lists": "{Target countries: [US, UK]}",
}
RULE = "rules: {{fit: [{{rule: A, on: page.viewed, points: +1, {0}}}]}}"
IN_FILE = {
    "qualify": "qualify: {{enter: above 20, exit: below 15, {0}}}",
    "score": "scores: {{fit: {{{0}}}, engagement: {{}}}}",
    "total": "total: {{{0}}}",
    "memory": "memory: {{{0}}}",
    "identity": "identity: {{{0}}}",
    "accounts": "accounts: {{score: sum, enter: above 60, exit: below 40, {0}}}",
    "matrix": "matrix: {{rows: fit, columns: engagement, cells: {{}}, {0}}}",
    "machines": "machines: {{where: {{machine: true}}, {0}}}",
    "disqualification": "disqualify: [{{rule: A, when: {{role: student}}, {0}}}]",
    "stage rule": "stages: [{{rule: A, on: feedback.accepted, to: Unqualified, {0}}}]",
    "follow-up": "follow up: [{{rule: A, due: today, {0}}}]",
    "rule": RULE,
    "points by": RULE.replace("{0}", "points by: {{property: plan, values: {{a: 1}}, {0}}}"),
    "condition": "segments: {{Readers: {{email: exists, {0}}}}}",
    "condition on a lead": "segments: {{Readers: {{at least: 1, of: page.viewed, within: 3 days, {0}}}}}",
    "condition on an activity": RULE.replace("{0}", "where: {{{0}}}"),
    "since": "segments: {{Readers: {{no: booking.canceled, since: {{of: booking.created, {0}}}}}}}",
}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_schema_accepts_what_the_reader_accepts(path: Path) -> None:
    assert load(path).model is not None
    assert list(SCHEMA.iter_errors(as_editors_read(path.read_text("utf-8")))) == []


def test_the_schema_refuses_unknown_keys_and_values_of_the_wrong_kind() -> None:
    good = "model: A\nscores: {fit: {decay: none}}\nrules: {fit: [{rule: A, on: page.viewed, points: 1}]}\n"
    assert SCHEMA.is_valid(as_editors_read(good))
    for wrong in (
        good + "color: red\n",
        good.replace("on: page.viewed", "on: page.seen"),
        good.replace("points: 1", "points: 1, limit: daily"),
        good.replace("decay: none", "decay: never"),
        good.replace("model: A\n", ""),
        good + "stages: [{rule: B, on: page.viewed, to: Lukewarm}]\n",
    ):
        assert not SCHEMA.is_valid(as_editors_read(wrong)), wrong


def test_the_schema_never_refuses_what_is_no_mistake_to_the_reader() -> None:
    """Nor does it have to find what the reader finds: most mistakes need more than a schema."""
    found = sum(not SCHEMA.is_valid(read) for path in gallery.files() if (read := readable(path)) is not None)
    assert found > 20


@pytest.mark.parametrize(
    ("group", "word"),
    [(group, word) for group in IN_FILE for word in GROUPS[group]],
    ids=lambda one: one.key if isinstance(one, Word) else one,
)
def test_an_example_of_each_word_is_read(group: str, word: Word) -> None:
    """Without mistakes about that word: beside it stand others that it may not go together with."""
    section = IN_FILE[group].format(f"{word.key}: {word.example}")
    parts = HEAD | {section.partition(":")[0]: section.partition(": ")[2]}
    text = "".join(f"{key}: {value}\n" for key, value in parts.items())
    messages = [one.message for one in loads(text).diagnostics if f"unknown key `{word.key}`" in one.message]
    assert messages == [], render(loads(text).diagnostics)


@pytest.mark.parametrize("word", GROUPS["file"], ids=lambda word: word.key)
def test_an_example_of_each_section_is_read(word: Word) -> None:
    parts = HEAD | {word.key: word.example}
    loaded = loads("".join(f"{key}: {value}\n" for key, value in parts.items()))
    assert loaded.model is not None, render(loaded.diagnostics)


@pytest.mark.parametrize("example", [example for example, _ in COMPARISONS])
def test_an_example_of_each_comparison_is_read(example: str) -> None:
    rule = f"rules: {{fit: [{{rule: A, when: {{field: {example}}}, points: +1}}]}}"
    loaded = loads("model: A\nscores: {fit: {}}\nlists: {Target countries: [US]}\n" + rule)
    assert loaded.model is not None, render(loaded.diagnostics)


def test_every_shape_is_used_and_every_group_has_a_title() -> None:
    used = {word.shape.rpartition(":")[2] for group in GROUPS.values() for word in group}
    assert used == SHAPES.keys() | (used & GROUPS.keys())
    assert TITLES.keys() == GROUPS.keys()


def test_the_generated_files_are_up_to_date() -> None:
    """`make reference` writes them."""
    assert (ROOT / "docs" / "rule-reference.md").read_text("utf-8") == reference()
    assert json.loads((ROOT / "schemas" / "rule-file.schema.json").read_text("utf-8")) == editor_schema()


def test_the_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == editor_schema()


def as_editors_read(text: str) -> Any:
    """YAML 1.2 as editors have it: `yes` and days are texts, keys are texts."""
    return yaml.load(text, Loader=_Editor)  # noqa: S506 - a safe loader


def readable(path: Path) -> Any:
    try:
        return as_editors_read(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        return None


class _Editor(yaml.SafeLoader):
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        return {str(key): value for key, value in super().construct_mapping(node, deep).items()}


_Editor.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in found
        if tag not in {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}
    ]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Editor.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(?:true|false|True|False)$"), list("tTfF")
)
