"""``scorer backtest``: rule files over recorded events, compared with each other and with who converted."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from scorer.cli.options import default_rules, kafka_options, milliseconds_of
from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorer.backtest.report import Moved
    from scorer.backtest.running import Material
    from scorer.settings import Settings

MOST_JOBS = 8
_DAY = 86_400_000
"""ms."""
_BYTES = 1 << 20
"""A bar with a greater end than this counts bytes, and else what a file is cut into."""
_RULES = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument(
    "events",
    required=False,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
@click.option("--log", "from_log", is_flag=True, help="Read the lead log in Kafka instead of a file.")
@click.option(
    "--rules",
    type=_RULES,
    help="Today's rule file.  [default: for a log export the rules in the log, else the default rules]",
)
@click.option("--change", type=_RULES, help="The rule file to compare with it.")
@click.option(
    "--horizon",
    type=click.FloatRange(0, 1_000, min_open=True),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="Within how many days a lead has to convert.",
)
@click.option(
    "--capacity",
    type=click.FloatRange(0, min_open=True),
    metavar="LEADS",
    help="How many leads a week sales can take: what the best threshold has to fit.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--out", type=_OUT, metavar="FILE", help="Write the report's JSON here.")
@click.option("--html", type=_OUT, metavar="FILE", help="Write the report as a page here.")
@click.option("--leads", type=_OUT, metavar="FILE", help="Write every lead that changes here, as JSON lines.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), help=f"Processes.  [default: the cores, at most {MOST_JOBS}]"
)
@click.option("--until", metavar="TIME", help="Let time pass up to this day or RFC 3339 time.")
@kafka_options
def command(
    events: Path | None,
    settings: Settings,
    rules: Path | None,
    change: Path | None,
    horizon: float,
    capacity: float | None,
    out: Path | None,
    html: Path | None,
    leads: Path | None,
    jobs: int | None,
    until: str | None,
    *,
    from_log: bool,
    as_json: bool,
) -> None:
    """Compare two rule files over recorded events: who qualifies, when, and who converted.

    EVENTS is what `scorer replay` reads: a lead log export, or door messages one per line; - reads standard
    input. Without --change it is a review of one rule file.

    Who converted is said by `feedback.converted` on lead.feedback.v1. docs/backtest.md says how to read the
    report.
    """
    import gc

    from scorer.backtest.page import page
    from scorer.backtest.report import encode_report
    from scorer.backtest.reporting import report
    from scorer.cli.backtested import show

    if from_log == (events is not None):
        raise UserError("name a file of events, or --log")
    for written in (out, html, leads):
        if written is not None and not written.parent.is_dir():
            raise UserError(f"there is no folder {written.parent} to write {written.name} to")
    gc.set_threshold(50_000, 50, 1_000)
    ms = round(horizon * _DAY)
    with ExitStack() as stack:
        path = _path(events, settings, stack)
        material = _run(path, rules, change, ms, jobs or _cores(), until)
        if not material.records:
            raise UserError("there are no events in it that could be used" + _first_reason(material))
        whole, differences = report(material, _name(events), ms, capacity)
    encoded = encode_report(whole)
    if out is not None:
        out.write_bytes(encoded + b"\n")
    if html is not None:
        html.write_text(page(whole), "utf-8")
    if leads is not None:
        _write_leads(leads, differences)
    if as_json:
        click.echo(encoded)
    else:
        show(whole)
    for line in _left_out(material):
        click.echo(line, err=True)


def _name(events: Path | None) -> str:
    if events is None:
        return "the lead log"
    return "standard input" if events == Path("-") else events.name


def _cores() -> int:
    return min(MOST_JOBS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


def _path(events: Path | None, settings: Settings, stack: ExitStack) -> Path:
    """A file that can be read more than once."""
    if events is not None and events != Path("-"):
        return events
    kept = Path(stack.enter_context(TemporaryDirectory(prefix="scorer-backtest-")), "events")
    with kept.open("wb") as file:
        if events is not None:
            shutil.copyfileobj(sys.stdin.buffer, file)
            return kept
        from scorer.broker import Broker
        from scorer.cli.progress import progress
        from scorer.log_export import Export

        export = Export(Broker(settings))
        with progress("reading the lead log", export.records) as moved:
            file.writelines(line + b"\n" for line in export.lines(moved))
    return kept


def _run(
    path: Path, rules: Path | None, change: Path | None, horizon: int, jobs: int, until: str | None
) -> Material:
    from scorer.backtest.exported import backtest_export
    from scorer.backtest.running import backtest_events
    from scorer.replay.sources import is_export, lines_of

    with path.open("rb") as file:
        first = next((line for line in lines_of(file) if line.strip()), b"")
    if not first:
        raise UserError("there are no events in it")
    changed = None if change is None else _model(change)
    if is_export(first):
        if until is not None:
            raise UserError("--until is for door messages: a log export has a clock of its own")
        return backtest_export(path, None if rules is None else _model(rules), changed, horizon, jobs, _bar)
    models = [_model(rules or default_rules()), *([] if changed is None else [changed])]
    end = 0 if until is None else milliseconds_of("--until", until)
    return backtest_events(path, models, horizon, jobs, _bar, end)


def _model(path: Path) -> bytes:
    from scorer.domain.model import encode_model
    from scorer.rulefile import require

    return encode_model(require(path))


@contextmanager
def _bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    from scorer.cli.progress import progress

    with progress(label, total, size=total > _BYTES) as moved:
        yield moved


def _write_leads(path: Path, differences: list[tuple[str, Moved]]) -> None:
    import msgspec

    with path.open("wb") as file:
        for kind, moved in differences:
            file.write(msgspec.json.encode({"what": kind, **msgspec.to_builtins(moved)}) + b"\n")


def _first_reason(material: Material) -> str:
    bad = next(iter(material.bad), None)
    return "" if bad is None else f": line {bad.number}: {bad.reason}: {bad.detail}"


def _left_out(material: Material) -> Iterator[str]:
    if material.reasons:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in material.reasons.most_common())
        yield f"{material.reasons.total():,} lines left out: {reasons}"
        for line in material.bad:
            yield f"  line {line.number}: {line.reason}: {line.detail}"
