"""The message schemas as parts of an OpenAPI or AsyncAPI document, each under its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from scorer.wire.registry import Registry

EVENT: Final = "event"
"""The CloudEvent of any door."""
_EVENT_FILE: Final = "event.schema.json"
_OF_FILES: Final = frozenset({"$schema", "$id"})
_PLACE: Final = "#/components/schemas/"


def reference(name: str) -> dict[str, str]:
    """To a part."""
    return {"$ref": f"{_PLACE}{name}"}


def event_schemas(registry: Registry) -> dict[str, Any]:
    """The CloudEvent of any door, and its parts beside it."""
    schema = _schema(registry, f"messages/{_EVENT_FILE}")
    parts = schema.pop("$defs")
    named = {f"{EVENT}-{name}": part for name, part in parts.items()}
    return {name: _moved(part) for name, part in {EVENT: schema, **named}.items()}


def message_schema(registry: Registry, path: str) -> dict[str, Any]:
    """Of one topic's messages, next to ``event_schemas``; to be read as of any draft since 7.

    Before 2019-09 a ``$ref`` hid whatever stood beside it.
    """
    schema = _schema(registry, path)
    extended = schema.pop("$ref", None)
    if extended == _EVENT_FILE:
        return {"allOf": [reference(EVENT)], **schema}
    return schema


def _schema(registry: Registry, path: str) -> dict[str, Any]:
    schema = msgspec.json.decode(registry.read(path), type=dict[str, Any])
    return {name: value for name, value in schema.items() if name not in _OF_FILES}


def _moved(schema: Any) -> Any:
    """With its references where its parts have gone."""
    if isinstance(schema, list):
        return [_moved(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value.replace("#/$defs/", f"{_PLACE}{EVENT}-")
        if name == "$ref" and isinstance(value, str)
        else _moved(value)
        for name, value in schema.items()
    }
