"""Both judges of a door message: the published JSON Schema, and the intake library."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema_rs

from scorer.wire.dead_letters import Reason, Rejected
from scorer.wire.identity import Identity
from scorer.wire.intake import Intake
from scorer.wire.registry import Registry

REGISTRY = Registry.load()
DOORS = [topic.name for topic in REGISTRY.doors]
OUTCOMES = [topic.name for topic in REGISTRY.topics.values() if topic.role in {"outcome", "view"}]
INTAKE = Intake(Identity("a secret of the tests", lambda *_: False), REGISTRY.max_log_bytes, REGISTRY)
RECEIVED = 1793534400000
"""2026-11-01T12:00:00Z, ms; the examples happened within the two hours before."""

BEYOND_THE_SCHEMA = {Reason.FUTURE, Reason.TOO_OLD, Reason.TOO_LARGE}
"""Judged with more than the message: event.schema.json says so."""


class NotJsonError(ValueError):
    """Not one JSON text in UTF-8 (RFC 8259) without lone surrogates."""


def parse(value: bytes) -> Any:
    """By the standard library's parser, made strict; integers keep every digit."""
    try:
        parsed = json.loads(value.decode(), parse_constant=_no_constant)
        json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from None
    return parsed


def _no_constant(name: str) -> None:
    raise NotJsonError(name)


@cache
def validator(topic: str) -> jsonschema_rs.Draft202012Validator:
    documents = {
        entry.name: json.loads(entry.read_bytes())
        for entry in REGISTRY.folder.joinpath("messages").iterdir()
        if entry.name.endswith(".schema.json")
    }
    by_id = jsonschema_rs.Registry([(document["$id"], document) for document in documents.values()])
    name = REGISTRY.topics[topic].schema.rpartition("/")[2]
    return jsonschema_rs.Draft202012Validator(documents[name], registry=by_id)


def schema_accepts(topic: str, value: bytes) -> bool:
    try:
        return validator(topic).is_valid(parse(value))
    except NotJsonError:
        return False


def intake_rejects(topic: str, value: bytes | None) -> Reason | None:
    """The reason, or None for a message that is accepted."""
    try:
        INTAKE(topic, value, RECEIVED)
    except Rejected as rejected:
        return rejected.reason
    return None


def examples(topic: str, kind: str) -> list[Any]:
    """The example files of a topic, ``valid`` or ``invalid``."""
    folder = REGISTRY.folder.joinpath(REGISTRY.topics[topic].examples, kind)
    return sorted(folder.iterdir())


def all_examples(topics: list[str], kind: str) -> list[tuple[str, Any]]:
    return [(topic, file) for topic in topics for file in examples(topic, kind)]
