"""The OpenAPI document: what the routes take, for publishers and their tools.

Made from the routes, the kinds and the schemas of the doors, so that it says what the collector does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from scorer import __version__
from scorer.collector import snippet_body
from scorer.collector.routes import CALLS, METHODS, SCRIPT
from scorer.collector.sources import KINDS, Mount
from scorer.collector.sources.segment import CALLS as SHORT
from scorer.collector.sources.segment import MAX_EVENTS
from scorer.wire import asyncapi
from scorer.wire.components import EVENT, event_schemas, reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorer.collector.sources import Kind
    from scorer.wire.registry import Registry

PATH: Final = "/openapi.json"
TOPICS: Final = "/asyncapi.json"
_CLOUDEVENT: Final = "application/cloudevents+json"
_BATCH: Final = "application/cloudevents-batch+json"
_SNIPPET: Final = "snippet-"
"""Before the names of its schemas."""
_EXAMPLES: Final = 2
"""Of each door."""
_TEXT: Final = {"type": "string"}
_ID: Final = {"type": ["string", "integer", "null"]}
_OBJECT: Final = {"type": ["object", "null"]}
_TIME: Final = {"type": ["string", "null"], "format": "date-time"}

_SUMMARIES: Final = {
    "identify": "Who somebody is: traits become attributes, and all identifiers are one person's.",
    "track": "What somebody did.",
    "page": "A page that somebody saw.",
    "screen": "A screen of an app that somebody saw.",
    "group": "The company that somebody belongs to, and its traits.",
    "alias": "Two identifiers are one person's.",
    "batch": f"Up to {MAX_EVENTS} of the other calls.",
}
_REQUIRED: Final = {
    "track": ["event"],
    "group": ["groupId"],
    "alias": ["previousId", "userId"],
}


def pages(registry: Registry, prefix: str = "") -> dict[str, tuple[bytes, bytes]]:
    """Path -> (content type, body). ``prefix``: in front of topics' names."""
    return {
        PATH: (b"application/json", msgspec.json.encode(document(registry))),
        TOPICS: (b"application/json", asyncapi.page(registry, prefix)),
    }


def document(registry: Registry, kinds: Mapping[str, Kind] = KINDS) -> dict[str, Any]:
    """OpenAPI 3.1."""
    mounts = {kind.mount for kind in kinds.values()}
    paths: dict[str, Any] = {}
    if Mount.SEGMENT in mounts:
        paths |= {f"/v1/{call}": {"post": _segment(call)} for call in CALLS}
    if Mount.EVENTS in mounts:
        paths[Mount.EVENTS] = {"post": _events(registry)}
    for mount in (Mount.SNIPPET, Mount.HOOK, Mount.PIXEL, Mount.PAGE_PIXEL, Mount.LINK):
        if mount in mounts:
            names = sorted(name for name, kind in kinds.items() if kind.mount == mount)
            methods = [method.lower() for method in METHODS[mount] if method != "HEAD"]
            paths[mount] = {method: _other(mount, names, method) for method in methods}
    paths[SCRIPT] = {"get": _shown("The web snippet.", "text/javascript", {"304": "As it was."})}
    paths[PATH] = {"get": _shown("This document.", "application/json")}
    paths[TOPICS] = {"get": _shown("The topics, as an AsyncAPI document.", "application/json")}
    paths["/livez"] = {"get": _plain("Whether the process lives.", {"200": "It does."})}
    ready = {"200": "It does.", "503": "It does not, and why."}
    paths["/readyz"] = {"get": _plain("Whether the process takes events.", ready)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Scorer collector",
            "version": __version__,
            "description": (
                "Events over HTTP. What is answered with success is in Kafka, replicated. "
                f"The topics themselves, what is told on them too: {TOPICS}."
            ),
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "The write key as user name."},
                "bearer": {"type": "http", "scheme": "bearer", "description": "The write key."},
            },
            "headers": {
                "RetryAfter": {
                    "description": "Seconds until another try is worthwhile.",
                    "schema": {"type": "integer"},
                }
            },
            "schemas": _event_schemas(registry) | _ANSWERS | _SEGMENT | snippet_body.schemas(_SNIPPET),
        },
    }


# -- operations ---------------------------------------------------------------------------------------


def _segment(call: str) -> dict[str, Any]:
    name = SHORT.get(call, call)
    return {
        "operationId": call,
        "summary": _SUMMARIES[name],
        "tags": ["segment"],
        # {}: the key stands in the body, as ``writeKey``.
        "security": [{"basic": []}, {}],
        "requestBody": _body(f"segment-{name}"),
        "responses": _responses(),
    }


def _body(schema: str) -> dict[str, Any]:
    """What browsers send too: they say text/plain, which spares them a preflight."""
    content = {"schema": reference(schema)}
    return {"required": True, "content": {"application/json": content, "text/plain": content}}


def _events(registry: Registry) -> dict[str, Any]:
    one = reference(EVENT)
    many = {"type": "array", "items": one}
    examples = {
        f"{door.name}-{example['name']}": {"summary": example["summary"], "value": example["payload"]}
        for door in registry.doors
        for example in asyncapi.examples(registry, door)[:_EXAMPLES]
    }
    return {
        "operationId": "events",
        "summary": "CloudEvents, as the door topics take them.",
        "tags": ["cloudevents"],
        "security": [{"bearer": []}, {"basic": []}],
        "requestBody": {
            "required": True,
            "content": {
                _CLOUDEVENT: {"schema": one, "examples": examples},
                _BATCH: {"schema": many},
                "application/json": {"schema": {"anyOf": [one, many]}},
            },
        },
        "responses": _responses(),
    }


def _other(mount: str, names: list[str], method: str) -> dict[str, Any]:
    """Of those whose bodies somebody else defines."""
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _TEXT}
        for name in ("name", "token")
        if f"{{{name}}}" in mount
    ]
    told: dict[str, Any] = {
        "operationId": f"{method}-{mount.split('/')[2]}{'-page' if mount == Mount.PAGE_PIXEL else ''}",
        "summary": f"For keys of kind {', '.join(names)}.",
        "tags": names,
        "parameters": parameters,
        "responses": _responses(),
    }
    if mount == Mount.HOOK:
        told["responses"]["406"] = _answer("Signed, and replayed or too old.", "refused")
    if mount == Mount.PAGE_PIXEL:
        told["parameters"] = [{"name": "key", "in": "query", "required": True, "schema": _TEXT}]
    if mount == Mount.SNIPPET:
        told["requestBody"] = _body(f"{_SNIPPET}body")
    elif method == "post":
        told["requestBody"] = {"required": True, "content": {"*/*": {"schema": {}}}}
    elif mount in {Mount.PIXEL, Mount.PAGE_PIXEL}:
        told["responses"] = {"200": {"description": "A picture, whatever is wrong."}}
    elif mount == Mount.LINK:
        told["responses"] = {
            "302": {"description": "To the target in the token."},
            "404": {"description": "This is no token of ours."},
        }
    return told


def _shown(summary: str, kind: str, more: Mapping[str, str] | None = None) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": summary, "content": {kind: {"schema": {}}}}}
    return {
        "summary": summary,
        "responses": responses | {status: {"description": text} for status, text in (more or {}).items()},
    }


def _plain(summary: str, answers: dict[str, str]) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {
            status: {"description": text, "content": {"text/plain": {"schema": _TEXT}}}
            for status, text in answers.items()
        },
    }


def _answer(description: str, schema: str, *, later: bool = False) -> dict[str, Any]:
    content = {"application/json": {"schema": reference(schema)}}
    headers = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}} if later else {}
    return {"description": description, "content": content, "headers": headers}


def _responses() -> dict[str, Any]:
    return {
        "200": _answer("What is not refused is in Kafka.", "taken"),
        "400": _answer("Not understood, or every event refused: sending it again would not help.", "refused"),
        "401": _answer("No key of ours.", "refused"),
        "403": _answer("The key is not for pages of this origin, or the signature is wrong.", "refused"),
        "405": _answer("Another method.", "refused"),
        "408": _answer("The request took too long to arrive.", "refused"),
        "413": _answer("The body is too large, unpacked.", "refused"),
        "415": _answer("Another content type or encoding.", "refused"),
        "429": _answer("More than this key may send.", "refused", later=True),
        "431": _answer("Too many or too large headers.", "refused"),
        "503": _answer("Nothing was taken, or nobody knows: send it again.", "refused", later=True),
    }


# -- schemas ------------------------------------------------------------------------------------------

_REFUSED_EVENTS: Final = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["index", "code", "message"],
        "properties": {
            "index": {"type": "integer", "description": "The event's place in the request, from 0."},
            "code": _TEXT,
            "message": {**_TEXT, "description": "Names members and positions, never values."},
        },
    },
}
_ANSWERS: Final = {
    "taken": {
        "type": "object",
        "required": ["success", "accepted"],
        "properties": {
            "success": {"const": True},
            "accepted": {"type": "integer"},
            "refused": _REFUSED_EVENTS,
        },
    },
    "refused": {
        "type": "object",
        "required": ["success", "code", "message"],
        "properties": {
            "success": {"const": False},
            "code": _TEXT,
            "message": _TEXT,
            "accepted": {"type": "integer"},
            "refused": _REFUSED_EVENTS,
        },
    },
}


def _call(name: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": _REQUIRED.get(name, []),
        "properties": {
            "type": {"const": name},
            "messageId": {"type": ["string", "null"], "description": "What a retry repeats."},
            "userId": _ID,
            "anonymousId": _ID,
            **({"previousId": _ID} if name == "alias" else {}),
            **({"groupId": _ID} if name == "group" else {}),
            **({"event": {"type": "string", "minLength": 1}} if name == "track" else {}),
            **({"name": {"type": ["string", "null"]}} if name in {"page", "screen"} else {}),
            **({"traits": _OBJECT} if name in {"identify", "group"} else {"properties": _OBJECT}),
            "context": _OBJECT,
            "timestamp": _TIME,
            "sentAt": _TIME,
            "writeKey": {"type": "string", "description": "In place of the authorization."},
        },
    }


_NAMES: Final = tuple(name for name in _SUMMARIES if name != "batch")
_SEGMENT: Final = {
    **{f"segment-{name}": _call(name) for name in _NAMES},
    "segment-batch": {
        "type": "object",
        "required": ["batch"],
        "properties": {
            "batch": {
                "type": "array",
                "maxItems": MAX_EVENTS,
                "items": {
                    "required": ["type"],
                    "anyOf": [reference(f"segment-{name}") for name in _NAMES],
                },
            },
            "context": _OBJECT,
            "sentAt": _TIME,
            "writeKey": _TEXT,
        },
    },
}


def _event_schemas(registry: Registry) -> dict[str, Any]:
    """The CloudEvent of any door, its parts beside it."""
    schemas = event_schemas(registry)
    types = sorted(kind for topic in registry.doors for kind in topic.types)
    schemas[EVENT]["properties"]["type"]["examples"] = types
    return schemas
