"""The document that is served says what is there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from scorer.collector.openapi import PATH, SCRIPT, TOPICS, document, pages
from scorer.collector.routes import METHODS, route_of
from scorer.collector.sources import KINDS
from scorer.wire import asyncapi
from tests.unit.collector.asking import BASIC, CRM_KEY, KEYS, REGISTRY, Asked

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = document(REGISTRY)
ROOT = Path(__file__).parents[3]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolved(reference: str) -> Any:
    node: Any = DOCUMENT
    assert reference.startswith("#/")
    for part in reference[2:].split("/"):
        node = node[part]
    return node


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > 10
    for reference in found:
        assert resolved(reference)


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_every_kind_has_its_paths_and_every_path_is_served() -> None:
    for kind in KINDS.values():
        assert any(
            (route := route_of(path)) is not None and route.mount == kind.mount for path in DOCUMENT["paths"]
        )
    for path, operations in DOCUMENT["paths"].items():
        route = route_of(path)
        if route is not None:
            assert {method.upper() for method in operations} == set(METHODS[route.mount]) - {"HEAD"}


async def test_it_is_served_to_everybody() -> None:
    asked = Asked(pages=pages(REGISTRY))
    reply = await asked(PATH, method="GET")
    assert reply.status == 200
    assert reply.json == DOCUMENT
    assert reply.headers["access-control-allow-origin"] == "*"
    assert (await asked(PATH)).status == 405


def test_what_the_snippet_posts_is_as_the_document_says() -> None:
    content = DOCUMENT["paths"]["/v1/snippet"]["post"]["requestBody"]["content"]
    schema = content["text/plain"]["schema"] | {"components": DOCUMENT["components"]}
    shown = (ROOT / "docs/snippet.md").read_text().partition("```json")[2].partition("```")[0]
    body = json.loads(shown)
    judge = jsonschema_rs.Draft202012Validator(schema)
    judge.validate(body)
    body["batch"][2].pop("name")
    assert not judge.is_valid(body)


async def test_its_examples_are_taken() -> None:
    content = DOCUMENT["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    (kind,) = (kind for kind, one in content.items() if "examples" in one)
    examples = content[kind]["examples"].values()
    assert len(examples) > len(REGISTRY.doors)
    keys = KEYS + "    scopes: [email, page, app, booking, social, profile, feedback]\n"
    asked = Asked(keys)
    for example in examples:
        reply = await asked(
            "/v1/events",
            example["value"],
            {"authorization": f"Bearer {CRM_KEY}", "content-type": kind},
        )
        assert reply.json == {"success": True, "accepted": 1}, example


async def test_the_topics_are_served_too() -> None:
    reply = await Asked(pages=pages(REGISTRY, "shop."))(TOPICS, method="GET")
    assert reply.json == asyncapi.document(REGISTRY, "shop.")


def test_what_only_some_sources_answer_is_there_too() -> None:
    assert "406" in DOCUMENT["paths"]["/v1/hooks/{name}"]["post"]["responses"]
    assert {PATH, TOPICS, SCRIPT} <= set(DOCUMENT["paths"])


def test_it_is_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_a_document_that_is_none_would_be_found() -> None:
    broken = {**DOCUMENT, "paths": {"/v1/track": {"post": {"responses": {"ok": {}}}}}}
    with pytest.raises(OpenAPIValidationError):
        OpenAPIV31SpecValidator(broken).validate()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/track", {"userId": "1", "event": "x"}),
        ("/v1/track", {"userId": "1"}),
        ("/v1/batch", {"batch": [{"type": "page", "userId": "1"}, {"type": "page"}]}),
        ("/v1/batch", []),
        ("/v1/events", [{}]),
        ("/v1/nothing", {}),
    ],
)
async def test_answers_are_as_it_says(path: str, body: Any) -> None:
    headers = BASIC if path != "/v1/events" else {"authorization": f"Bearer {CRM_KEY}"}
    reply = await Asked()(path, body, headers)
    name = "taken" if reply.status == 200 else "refused"
    jsonschema_rs.validate(DOCUMENT["components"]["schemas"][name], reply.json)
