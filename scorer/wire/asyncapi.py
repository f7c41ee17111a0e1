"""The AsyncAPI document: the topics that others write to and read, for publishers, consumers and their tools.

Made from the registry: addresses, keys, schemas, examples and Kafka's settings are those that are in force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from scorer import __version__
from scorer.wire.components import event_schemas, message_schema, reference
from scorer.wire.dead_letters import MAX_DETAIL, Reason

if TYPE_CHECKING:
    from scorer.wire.registry import Registry, Role, Topic

ACTIONS: Final[dict[Role, str]] = {
    "door": "receive",
    "outcome": "send",
    "view": "send",
    "dead_letters": "send",
}
"""What Scorer does with topics of a role that others meet; all other topics are its own."""
JSON: Final = "application/cloudevents+json"
BYTES: Final = "application/octet-stream"
_LARGEST_EXAMPLE: Final = 2_048
"""Bytes: the larger ones show limits."""
_BINDING: Final = "0.5.0"
_DAY_MS: Final = 24 * 3600 * 1000
_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "string", "pattern": "^[0-9]+$"}
_PLACE: Final = {
    "topic": {**_TEXT, "description": "The record's topic, without the deployment's prefix."},
    "partition": _NUMBER,
    "offset": _NUMBER,
    "at": {**_NUMBER, "description": "Its append time, ms since 1970-01-01 UTC; none in the lead log."},
}


def document(registry: Registry, prefix: str = "") -> dict[str, Any]:
    """AsyncAPI 3.0. ``prefix``: the deployment's, in front of topics' names."""
    topics = [topic for topic in registry.topics.values() if topic.role in ACTIONS]
    messages = {name: message for topic in topics for name, message in _messages(registry, topic).items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Scorer topics",
            "version": __version__,
            "description": (
                "Kafka topics that publishers write to (receive), and those that Scorer writes to (send). "
                "Events go to Kafka over HTTP too: the collector's /openapi.json."
            ),
        },
        "defaultContentType": JSON,
        "channels": {topic.name: _channel(registry, topic, prefix) for topic in topics},
        "operations": {_operation_id(topic): _operation(topic) for topic in topics},
        "components": {
            "messages": messages,
            "schemas": event_schemas(registry)
            | {
                topic.name: message_schema(registry, topic.schema)
                for topic in topics
                if topic.schema.endswith(".json")
            },
        },
    }


def page(registry: Registry, prefix: str = "") -> bytes:
    """The document as JSON."""
    return msgspec.json.encode(document(registry, prefix))


# -- channels and what is done with them ----------------------------------------------------------------


def _channel(registry: Registry, topic: Topic, prefix: str) -> dict[str, Any]:
    config = topic.config
    settings: dict[str, Any] = {
        "cleanup.policy": config["cleanup.policy"].split(","),
        "max.message.bytes": int(config["max.message.bytes"]),
    }
    kept = "Each key's latest record is kept; one without a value ends it."
    if "retention.ms" in config:
        settings["retention.ms"] = int(config["retention.ms"])
        kept = f"Kept for {settings['retention.ms'] // _DAY_MS} days."
    said = [topic.summary, kept]
    if topic.partitions_of is not None:
        said.append("The number of partitions is a deployment's own; this is the default.")
    return {
        "address": topic.full_name(prefix),
        "title": topic.name,
        "description": " ".join(said),
        "tags": [{"name": topic.role}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages(registry, topic)},
        "bindings": {
            "kafka": {
                "topic": topic.full_name(prefix),
                "partitions": registry.partitions()[topic.name],
                "topicConfiguration": settings,
                "bindingVersion": _BINDING,
            }
        },
    }


def _operation_id(topic: Topic) -> str:
    return f"{ACTIONS[topic.role]}-{topic.name}"


def _operation(topic: Topic) -> dict[str, Any]:
    others = topic.producers if ACTIONS[topic.role] == "receive" else topic.consumers
    verb = "From" if ACTIONS[topic.role] == "receive" else "For"
    return {
        "action": ACTIONS[topic.role],
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.summary,
        "description": f"{verb}: {', '.join(others)}.",
        "tags": [{"name": topic.role}],
    }


# -- messages --------------------------------------------------------------------------------------------


def _messages(registry: Registry, topic: Topic) -> dict[str, Any]:
    """By name, which no two topics share."""
    key = {"key": {"type": "string", "description": _sentence(topic.key)}, "bindingVersion": _BINDING}
    bindings = {"bindings": {"kafka": key}}
    if topic.role == "dead_letters":
        return {name: {**message, **bindings} for name, message in _LETTERS.items()}
    message = {
        "name": topic.name,
        "title": topic.summary,
        "contentType": JSON,
        "payload": reference(topic.name),
        "examples": examples(registry, topic),
        **bindings,
    }
    return {topic.name: message}


def examples(registry: Registry, topic: Topic) -> list[dict[str, Any]]:
    """Messages of a topic as they should be: each has ``name``, ``summary`` and ``payload``."""
    if topic.examples is None:
        return []
    folder = registry.folder.joinpath(*topic.examples.split("/"), "valid")
    found = sorted((entry.name.removesuffix(".json"), entry.read_bytes()) for entry in folder.iterdir())
    return [
        {"name": name, "summary": _sentence(name.replace("-", " ")), "payload": msgspec.json.decode(value)}
        for name, value in found
        if len(value) <= _LARGEST_EXAMPLE
    ]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


_LETTERS: Final = {
    "dead-letter": {
        "name": "dead-letter",
        "title": "A record that could not be used, as it was",
        "contentType": BYTES,
        "headers": {
            "type": "object",
            "required": ["reason", "detail", "topic", "partition", "offset"],
            "properties": {
                "reason": {"enum": [reason.value for reason in Reason]},
                "detail": {
                    **_TEXT,
                    "maxLength": MAX_DETAIL,
                    "description": "What is wrong with which field; never who it is about.",
                },
                **_PLACE,
                "cut": {
                    **_TEXT,
                    "description": "Where only beginnings of key and value are kept: their lengths.",
                },
            },
        },
        "payload": {"description": "The original record's bytes; no value stays no value."},
    },
    "redriven": {
        "name": "redriven",
        "title": "A note that a dead letter's record has been sent to its topic again",
        "contentType": BYTES,
        "headers": {
            "type": "object",
            "required": ["redriven", "topic", "partition", "offset"],
            "properties": {
                "redriven": {**_NUMBER, "description": "How often it has been by now."},
                **_PLACE,
                **{f"sent-{name}": schema for name, schema in _PLACE.items()},
            },
        },
        "payload": {"type": "null"},
    },
}
