"""The AsyncAPI document is one, and says what the registry and the message schemas say."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from click.testing import CliRunner

from scorer.cli import scorer
from scorer.wire.asyncapi import document, page
from scorer.wire.dead_letters import Place, Reason, Redriven, dead_letter, redriven_note
from tests.contract.messages import (
    DOORS,
    OUTCOMES,
    REGISTRY,
    NotJsonError,
    all_examples,
    parse,
    schema_accepts,
)
from tests.support.sdks import run_node

DOCUMENT = document(REGISTRY, "shop.")
INFORMATION = 2
"""Severity of what is no fault: 0 is an error, 1 a warning."""


def label(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


# -- judged by the parser of those who made AsyncAPI ----------------------------------------------------


def found_by_parser(tmp_path: Path, content: Any) -> tuple[list[str], list[str]]:
    """Faults, by where they are, and the addresses that the parser has found."""
    file = tmp_path / "asyncapi.json"
    file.write_text(json.dumps(content))
    told = run_node("asyncapi.cjs", str(file))
    faults = [one for one in told["diagnostics"] if one["severity"] < INFORMATION]
    return [f"{one['path']}: {one['message']}" for one in faults], told["channels"]


def test_the_parser_finds_no_fault(tmp_path: Path) -> None:
    faults, channels = found_by_parser(tmp_path, DOCUMENT)
    assert faults == []
    assert set(channels) == {f"shop.{name}" for name in [*DOORS, *OUTCOMES, "dead.letters.v1"]}


def test_the_parser_would_find_faults(tmp_path: Path) -> None:
    content = json.loads(json.dumps(DOCUMENT))
    content["components"]["schemas"]["lead.qualified.v1"]["properties"]["data"]["type"] = "thing"
    content["channels"]["activity.page.v1"]["bindings"]["kafka"]["partitions"] = 0
    content["operations"]["receive-activity.app.v1"]["channel"] = {"$ref": "#/channels/nothing"}
    faults, _ = found_by_parser(tmp_path, content)
    for part in ("lead.qualified.v1", "activity.page.v1", "receive-activity.app.v1"):
        assert any(part in fault for fault in faults), faults


# -- against the registry --------------------------------------------------------------------------------


def test_the_topics_of_others_are_there_and_ours_are_not() -> None:
    assert set(DOCUMENT["channels"]) == {*DOORS, *OUTCOMES, "dead.letters.v1"}
    for name, channel in DOCUMENT["channels"].items():
        kafka = channel["bindings"]["kafka"]
        assert channel["address"] == kafka["topic"] == f"shop.{name}"
        config = REGISTRY.topics[name].config
        for setting, value in kafka["topicConfiguration"].items():
            assert config[setting] == (",".join(value) if isinstance(value, list) else str(value))
        assert kafka["partitions"] == REGISTRY.partitions()[name]


def test_doors_are_received_and_all_else_is_sent() -> None:
    actions = {
        operation["channel"]["$ref"].removeprefix("#/channels/"): operation["action"]
        for operation in DOCUMENT["operations"].values()
    }
    assert actions == dict.fromkeys(DOCUMENT["channels"], "send") | dict.fromkeys(DOORS, "receive")


@cache
def validator(topic: str) -> jsonschema_rs.Draft7Validator:
    root = {
        "components": DOCUMENT["components"],
        "allOf": [DOCUMENT["components"]["messages"][topic]["payload"]],
    }
    return jsonschema_rs.Draft7Validator(root)


@pytest.mark.parametrize(
    ("topic", "file"),
    [one for kind in ("valid", "invalid") for one in all_examples(DOORS + OUTCOMES, kind)],
    ids=label,
)
def test_its_schemas_judge_as_the_files_do(topic: str, file: Path) -> None:
    value = file.read_bytes()
    try:
        accepted = validator(topic).is_valid(parse(value))
    except NotJsonError:
        accepted = False
    assert accepted == schema_accepts(topic, value)


@pytest.mark.parametrize("topic", DOORS + OUTCOMES)
def test_every_topic_has_examples(topic: str) -> None:
    examples = DOCUMENT["components"]["messages"][topic]["examples"]
    assert examples
    assert len({one["name"] for one in examples}) == len(examples)
    for example in examples:
        assert validator(topic).is_valid(example["payload"]), example["name"]


def test_headers_of_dead_letters_are_as_it_says() -> None:
    place = Place("activity.page.v1", 1, 17)
    letter = dead_letter(Reason.NO_LEAD, "nobody", *place, b"k", b"v", 1793534400000)
    note = redriven_note(Redriven(1, place, 1793534400000, Place("activity.page.v1", 0, 5), None))
    for name, record in (("dead-letter", letter), ("redriven", note)):
        schema = DOCUMENT["components"]["messages"][name]["headers"]
        headers = {key: value.decode() for key, value in record.headers}
        jsonschema_rs.validate(schema, headers)
        assert set(headers) <= set(schema["properties"])
        assert not jsonschema_rs.is_valid(schema, headers | {"offset": "none"})


def test_the_command_prints_it() -> None:
    printed = CliRunner().invoke(scorer, ["topics", "asyncapi", "--topic-prefix", "shop."])
    assert printed.exit_code == 0
    assert json.loads(printed.output) == DOCUMENT == json.loads(page(REGISTRY, "shop."))
