"""Requests that schemathesis makes of the OpenAPI document, valid ones and others, and its checks."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import requests
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.client import Found
from tests.support.collecting import BASIC, CRM_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

_AUTHORIZED: Final = {"/v1/events": {"Authorization": f"Bearer {CRM_KEY}"}}
_MOST_FAULTS: Final = 50


def fuzz_documented(url: str, document: dict[str, Any], number: int, examples: int) -> Found:
    """So many examples of each operation of the document, and of each mode. ``number``: the seed."""
    found = Found()
    with requests.Session() as session:
        for operation, mode in _operations(url, document):
            _try(operation, mode, number, examples, session, found)
    return found


def _operations(url: str, document: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    import schemathesis

    for made in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations():
        operation = made.ok()
        yield operation, schemathesis.GenerationMode.POSITIVE
        if _can_be_wrong(document["paths"][operation.path][operation.method]):
            yield operation, schemathesis.GenerationMode.NEGATIVE


def _can_be_wrong(operation: dict[str, Any]) -> bool:
    """Whether it says anything of a body or a query that a request could break."""
    content = operation.get("requestBody", {}).get("content", {})
    return any(one.get("schema") for one in content.values()) or any(
        one["in"] == "query" for one in operation.get("parameters", ())
    )


def _try(
    operation: Any, mode: Any, number: int, examples: int, session: requests.Session, found: Found
) -> None:
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.failures import Failure, FailureGroup
    from schemathesis.specs.openapi import checks

    judging = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]
    headers = _AUTHORIZED.get(operation.path, BASIC)

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(session=session, headers=headers, allow_redirects=False)
        found.requests += 1
        found.statuses[answer.status_code] += 1
        try:
            if answer.status_code != 503:
                case.validate_response(answer, checks=judging)
        except (Failure, FailureGroup) as error:
            failures = getattr(error, "exceptions", [error])
            if len(found.faults) < _MOST_FAULTS:
                found.faults.append(f"{operation.label}, {mode}: {[str(one) for one in failures]}")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ask()
