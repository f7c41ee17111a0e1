"""A JSON Schema of rule files, for editors: completion, hover texts, and the plainest mistakes underlined.

``scorer check`` knows far more; the schema accepts every file that it accepts.
"""

from __future__ import annotations

from typing import Any

from scorer.domain.lifecycle import STAGES
from scorer.rulefile.names import ACTIVITIES
from scorer.rulefile.words import GROUPS, SHAPES, TITLES, Word

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_CONDITIONS = ("condition", "condition on a lead", "condition on an activity")


def editor_schema() -> dict[str, Any]:
    """Of a whole file; draft 2020-12."""
    groups = {_name(group): _group(group) for group in GROUPS if group not in (*_CONDITIONS, "file")}
    return {
        "$schema": DIALECT,
        "title": "Rule file",
        **_group("file"),
        "$defs": {
            **groups,
            "condition": _condition(),
            "activity": {
                "description": "A well-known activity, or one of your product's own: `app.NAME`.",
                "anyOf": [{"enum": list(ACTIVITIES)}, {"type": "string", "pattern": "^app\\."}],
            },
            "stage": {"enum": list(STAGES)},
        },
    }


def _name(group: str) -> str:
    return group.replace(" ", "_").replace("-", "_")


def _group(group: str) -> dict[str, Any]:
    needed = [word.key for word in GROUPS[group] if word.needed]
    return {
        "type": "object",
        "description": TITLES[group].strip("`"),
        "additionalProperties": False,
        **({"required": needed} if needed else {}),
        "properties": {word.key: _word(word) for word in GROUPS[group]},
    }


def _condition() -> dict[str, Any]:
    """Any field may stand in a condition, so other keys are allowed; a list means that all hold."""
    words = {word.key: _word(word) for group in _CONDITIONS for word in GROUPS[group]}
    # A property may be called like a word about leads.
    loose = {key: {"description": word["description"]} for key, word in words.items()}
    for key in ("all", "any", "none"):
        loose[key] = words[key]
    return {
        "anyOf": [
            {"type": "object", "minProperties": 1, "properties": loose},
            {"type": "array", "items": {"$ref": "#/$defs/condition"}, "minItems": 1},
        ]
    }


def _word(word: Word) -> dict[str, Any]:
    says = f"{word.says[0].upper()}{word.says[1:]}. For example `{word.key}: {word.example}`."
    return {"description": says, **_shape(word.shape)}


def _shape(shape: str) -> dict[str, Any]:
    kind, colon, rest = shape.partition(":")
    if not colon:
        return SHAPES[shape].schema
    if kind == "group":
        return {"$ref": f"#/$defs/{_name(rest)}"} if rest != "score" else _optional(rest)
    if kind == "list":
        return {"type": "array", "items": {"$ref": f"#/$defs/{_name(rest)}"}}
    inner = _shape(rest)
    if rest.startswith("list:"):
        inner = {"anyOf": [inner, {"type": "null"}]}
    return {"type": "object", "additionalProperties": inner}


def _optional(group: str) -> dict[str, Any]:
    """A score may be written without any of its words."""
    return {"anyOf": [{"$ref": f"#/$defs/{_name(group)}"}, {"type": "null"}]}
