"""What comes out: the table, the figures, and a line per run for whoever wants to look closer."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING

from tests.bench.figures import ROOT, report, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.bench.peers.measure import Measured
    from tests.bench.peers.run import Results

RUNS = ROOT / "build" / "peers.jsonl"
HEAD = (
    "| system | events/s | steady window | processor s per million | steady | peak MB |"
    " restart s | restored s | stolen |\n|---|---|---|---|---|---|---|---|---|"
)


def whole_rate(measured: Measured) -> float:
    return measured.whole.events_per_s


def steady_rate(measured: Measured) -> float | None:
    return measured.steady.events_per_s if measured.steady else None


def processor(measured: Measured) -> float:
    return measured.whole.processor


def steady_processor(measured: Measured) -> float | None:
    return measured.steady.processor if measured.steady else None


def median(results: Results, of: Callable[[Measured], float | None]) -> float | None:
    values = [value for value in map(of, results.runs) if value is not None]
    return statistics.median(values) if values and not results.failure else None


def show(results: Mapping[str, Results]) -> None:
    """The table in Markdown: lowest, median and highest of the runs."""
    tell(HEAD)
    for one in results.values():
        if one.failure or not one.runs:
            tell(f"| {one.label} | no figure: {one.failure.splitlines()[0] if one.failure else 'not run'} |")
            continue
        cells = [
            one.label,
            _spread(one, whole_rate, ",.0f"),
            _spread(one, steady_rate, ",.0f"),
            _spread(one, processor, ".1f"),
            _spread(one, steady_processor, ".1f"),
            f"{max(measured.peak_mb for measured in one.runs):,.0f}",
            f"{one.restart.intact:.1f}" if one.restart else "-",
            f"{one.restart.wiped:.1f}" if one.restart else "-",
            _spread(one, lambda measured: measured.stolen, ".0%"),
        ]
        tell(f"| {' | '.join(cells)} |")


def report_all(results: Mapping[str, Results]) -> None:
    """The ratios of medians, for every pair that has figures."""
    ratios = (
        ("ratio_to_faust", "faust", whole_rate),
        ("ratio_to_quix", "quix", whole_rate),
        ("ratio_to_kafka_streams", "streams", steady_rate),
        ("cpu_ratio_to_kafka_streams", "streams", processor),
        ("ratio_to_aiokafka_ceiling", "aiokafka", whole_rate),
    )
    for figure, name, of in ratios:
        if name not in results or "scorer" not in results:
            continue
        ours, other = median(results["scorer"], of), median(results[name], of)
        if ours is not None and other:
            report(figure, round(ours / other, 2), "ratio")


def keep(results: Mapping[str, Results]) -> None:
    """Each run as a line of build/peers.jsonl."""
    RUNS.parent.mkdir(exist_ok=True)
    with RUNS.open("a", encoding="utf-8") as file:
        for name, one in results.items():
            for measured in one.runs:
                line = measured._asdict() | {
                    "system": name,
                    "whole": measured.whole._asdict(),
                    "steady": measured.steady._asdict() if measured.steady else None,
                    "failure": one.failure,
                }
                file.write(json.dumps(line) + "\n")


def _spread(results: Results, of: Callable[[Measured], float | None], shape: str) -> str:
    values = sorted(value for value in map(of, results.runs) if value is not None)
    if not values:
        return "-"
    shown = [values[0], statistics.median(values), values[-1]] if len(values) > 1 else values
    return " / ".join(format(value, shape) for value in shown)
