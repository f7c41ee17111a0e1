"""What is wrong with a query: metrics and labels that are not there, rates of what is no counter..."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from prometheus_client.metrics import MetricWrapperBase

from deploy.grafana.promql import AGGREGATIONS, Binary, Call, Node, Selector, Unreadable, Value, read, walked
from scorer import metrics

OTHERS: Final = {
    "up": "gauge",
    "process_cpu_seconds_total": "counter",
    "process_resident_memory_bytes": "gauge",
}
"""Prometheus' own and its client's."""
TARGET: Final = frozenset({"job", "instance"})
"""Labels that Prometheus gives to whatever it asks."""
GROWTH: Final = frozenset({"rate", "increase"})
WINDOWS: Final = {"rate": {"$__rate_interval"}, "increase": {"$__range", "$__interval", "1d"}}
_LEGEND: Final = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Known:
    kind: str
    labels: frozenset[str]


@cache
def exported() -> dict[str, Known]:
    """Name of a series -> what is known of it."""
    found = {name: Known(kind, TARGET) for name, kind in OTHERS.items()}
    for one in vars(metrics).values():
        if isinstance(one, MetricWrapperBase):
            labels = TARGET | set(one._labelnames)  # noqa: SLF001 - the client tells nobody
            name, kind = one._name, str(one._type)  # noqa: SLF001
            if kind == "counter":
                found[f"{name}_total"] = Known(kind, labels)
            elif kind == "histogram":
                found[f"{name}_bucket"] = Known("counter", labels | {"le"})
                found |= {f"{name}_{end}": Known("counter", labels) for end in ("sum", "count")}
            else:
                found[name] = Known(kind, labels)
    return found


def names(query: str) -> set[str]:
    """Of the series that a query asks for. Raises ``Unreadable``."""
    return {node.metric for node, _ in walked(read(query)) if isinstance(node, Selector)}


def of_query(query: str, legend: str, variables: Mapping[str, Any]) -> Iterator[str]:
    """``legend``: how its series are named. ``variables``: of the dashboard, by name."""
    try:
        tree = read(query)
    except Unreadable as error:
        yield f"can't be read: {error}"
        return
    chosen = [name for name, one in variables.items() if one["type"] == "query"]
    for node, above in walked(tree):
        if isinstance(node, Selector):
            yield from _selector(node, above, chosen)
        elif isinstance(node, Call) and node.name == "histogram_quantile":
            yield from _quantile(node)
    given = _given(tree)
    for label in sorted(set(_LEGEND.findall(legend)) - given):
        yield f"the legend names {label}, by which nothing is aggregated"


def _selector(one: Selector, above: tuple[Node, ...], chosen: list[str]) -> Iterator[str]:
    known = exported().get(one.metric)
    if known is None:
        yield f"{one.metric} is not exported"
        return
    for label, _, _ in one.matchers:
        if label not in known.labels:
            yield f"{one.metric} has no label {label}"
    told = {(label, sign, value) for label, sign, value in one.matchers}
    for name in chosen:
        if (name, "=~", f"${name}") not in told:
            yield f"{one.metric} is not limited to ${name}"
    over = [node for node in above if isinstance(node, Call) and node.name in AGGREGATIONS]
    if not over:
        yield f"{one.metric} is not aggregated: a line for each process"
    for node in over:
        for label in node.by:
            if not _has(node, label):
                yield f"aggregates by {label}, which nothing in it has"
    around = above[-1] if above else None
    function = around.name if isinstance(around, Call) else ""
    if known.kind == "counter" and not _counted(one, function, above):
        yield f"{one.metric} is a counter: what it stands at says nothing"
    if known.kind == "gauge" and function in GROWTH:
        yield f"{function} of {one.metric}, a gauge"
    if function in WINDOWS and one.window not in WINDOWS[function]:
        yield f"{function} over [{one.window}] instead of [{' or '.join(sorted(WINDOWS[function]))}]"


def _counted(one: Selector, function: str, above: tuple[Node, ...]) -> bool:
    """Does it grow here, or is it what a new series began with: the least of those that were not there?"""
    if function in GROWTH:
        return True
    unless = [node for node in above if isinstance(node, Binary) and node.sign == "unless"]
    if not unless:
        return False
    return function == "min_over_time" or (function == "last_over_time" and one.offset is not None)


def _quantile(call: Call) -> Iterator[str]:
    inner = call.arguments[1]
    if not (isinstance(inner, Call) and inner.name == "sum" and "le" in inner.by):
        yield "histogram_quantile of what is not summed by le"
        return
    rates = [node for node, _ in walked(inner) if isinstance(node, Selector)]
    if not all(node.metric.endswith("_bucket") for node in rates):
        yield "histogram_quantile of what is no histogram"


def _has(node: Call, label: str) -> bool:
    """Whether a series below has the label."""
    return any(
        (isinstance(one, Selector) and one.metric in exported() and label in exported()[one.metric].labels)
        or (isinstance(one, Call) and one.name == "label_replace" and one.arguments[1] == Value(f'"{label}"'))
        for one, _ in walked(node)
    )


def _given(node: Node) -> set[str]:
    """Labels that a query's series have, in any of its branches."""
    if isinstance(node, Binary):
        return _given(node.left) | _given(node.right)
    if isinstance(node, Call):
        inner: set[str] = set().union(*map(_given, node.arguments)) if node.arguments else set()
        if node.name == "label_replace":
            return inner | {_text(node.arguments[1])}
        if node.name in {"topk", "bottomk"} or node.name not in AGGREGATIONS:
            return inner - ({"le"} if node.name == "histogram_quantile" else set())
        return set(node.by)
    if isinstance(node, Selector) and node.metric in exported():
        return set(exported()[node.metric].labels)
    return set()


def _text(node: Node) -> str:
    return node.text.strip('"') if isinstance(node, Value) else ""
