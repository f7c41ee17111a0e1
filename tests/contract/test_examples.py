"""Schema, decoder and example files agree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scorer.domain import record
from scorer.wire import properties
from scorer.wire.dead_letters import Reason
from tests.contract.messages import (
    BEYOND_THE_SCHEMA,
    DOORS,
    OUTCOMES,
    REGISTRY,
    all_examples,
    examples,
    intake_rejects,
    schema_accepts,
    validator,
)


def label(value: object) -> str:
    return value.stem if isinstance(value, Path) else str(value)


@pytest.mark.parametrize(("topic", "file"), all_examples(DOORS, "valid"), ids=label)
def test_both_accept_valid_door_messages(topic: str, file: Path) -> None:
    assert schema_accepts(topic, file.read_bytes())
    assert intake_rejects(topic, file.read_bytes()) is None


@pytest.mark.parametrize(("topic", "file"), all_examples(DOORS, "invalid"), ids=label)
def test_both_reject_invalid_door_messages_for_the_reason_in_the_name(topic: str, file: Path) -> None:
    assert not schema_accepts(topic, file.read_bytes())
    assert intake_rejects(topic, file.read_bytes()) == file.name.partition(".")[0]


@pytest.mark.parametrize(("topic", "file"), all_examples(OUTCOMES, "valid"), ids=label)
def test_outcome_schemas_accept_their_valid_examples(topic: str, file: Path) -> None:
    assert schema_accepts(topic, file.read_bytes())


@pytest.mark.parametrize(("topic", "file"), all_examples(OUTCOMES, "invalid"), ids=label)
def test_outcome_schemas_reject_their_invalid_examples(topic: str, file: Path) -> None:
    assert not schema_accepts(topic, file.read_bytes())


@pytest.mark.parametrize("topic", DOORS)
def test_every_door_has_examples_of_every_kind(topic: str) -> None:
    assert len(examples(topic, "valid")) >= 4
    invalid = [file.name.partition(".")[0] for file in examples(topic, "invalid")]
    assert len(invalid) >= 12
    used = {json.loads(file.read_bytes())["type"] for file in examples(topic, "valid")}
    assert used <= set(REGISTRY.topics[topic].types) | {"app.report.exported_v2"}


def test_the_invalid_examples_show_every_reason_a_message_alone_can_give() -> None:
    shown = {file.name.partition(".")[0] for _, file in all_examples(DOORS, "invalid")}
    never_in_a_message = {Reason.NULL_VALUE, Reason.UNDECODABLE, Reason.ENGINE_ERROR}
    assert shown == set(Reason) - BEYOND_THE_SCHEMA - never_in_a_message


@pytest.mark.parametrize("topic", DOORS)
def test_the_schema_knows_the_registry_s_types(topic: str) -> None:
    schema = json.loads(REGISTRY.read(REGISTRY.topics[topic].schema))
    types: dict[str, Any] = schema["properties"]["type"]
    listed, pattern = (types, None) if "enum" in types else (types["anyOf"][0], types["anyOf"][1]["pattern"])
    assert listed["enum"] == list(REGISTRY.topics[topic].types)
    of_registry = REGISTRY.topics[topic].type_pattern
    assert pattern == (None if of_registry is None else f"^{of_registry}$")


def test_a_decoder_that_is_more_lenient_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    file = REGISTRY.folder.joinpath("examples/activity.email.v1/invalid/bad_properties.list-too-long.json")
    assert intake_rejects("activity.email.v1", file.read_bytes()) is Reason.BAD_PROPERTIES
    monkeypatch.setattr(properties, "MAX_LIST", 101)
    assert intake_rejects("activity.email.v1", file.read_bytes()) is None


@pytest.mark.parametrize("topic", REGISTRY.topics)
def test_every_topic_s_schema_is_a_file(topic: str) -> None:
    assert REGISTRY.read(REGISTRY.topics[topic].schema)
    if REGISTRY.topics[topic].schema.endswith(".json"):
        assert validator(topic)


def test_the_lead_log_is_documented_as_it_is() -> None:
    text = REGISTRY.read(REGISTRY.topics["lead.log.v1"].schema).decode()
    documented: dict[str, list[str]] = {}
    for part in text.split("\n## ")[1:]:
        name = part.split("\n")[0].split(" ")[0].strip("`")
        documented[name] = re.findall(r"^\| \d+ \| `(\w+)` \|", part, re.MULTILINE)
    controls = [record.Clock, record.Doors, record.Rules, record.ImportBegin, record.ImportEnd]
    links = [record.Bind, record.Ask, record.Answer, record.Merge, record.Erase, record.Member]
    for struct in [record.Fact, *controls, *links]:
        assert documented[struct.__name__] == ["kind", *struct.__struct_fields__], struct
        tag = struct.__struct_config__.tag
        assert f"## `{struct.__name__}` (kind {tag})" in text
    assert documented["Door"] == list(record.Door.__struct_fields__)
