"""``scorer replay``: recorded events through the engine, without a broker."""

from __future__ import annotations

import heapq
import os
import sys
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import click

from scorer.cli.options import default_rules, milliseconds_of, readable
from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scorer.domain.outcomes import Outcome
    from scorer.replay import Replay, Standing
    from scorer.replay.sources import BadLines, Batch

BAD_LINES = 1
_TABLE = 100
"""Columns at least, so that a lead id stays in one piece when the output is no terminal."""
_OUT = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


class Input(NamedTuple):
    batches: Iterator[Batch]
    bad: BadLines
    notes: Callable[[], list[str]]
    """What there is to say about the input when it has been read."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option(
    "--rules",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The rule file.  [default: for a log export the rules in the log, else the default rules]",
)
@click.option("--json", "as_json", is_flag=True, help="Print outcomes, then final scores, as JSON lines.")
@click.option("--outcomes", type=_OUT, metavar="FILE", help="Write the outcomes' JSON here.")
@click.option("--scores", type=_OUT, metavar="FILE", help="Write each lead's final score as JSON here.")
@click.option("--top", type=click.IntRange(0), default=10, show_default=True, help="How many leads to show.")
@click.option("--until", metavar="TIME", help="Let time pass up to this day or RFC 3339 time.")
@click.option("--strict", is_flag=True, help="Exit with code 1 where a line could not be used.")
def command(
    file: Path,
    rules: Path | None,
    outcomes: Path | None,
    scores: Path | None,
    top: int,
    until: str | None,
    *,
    as_json: bool,
    strict: bool,
) -> int:
    """Score recorded events: what would have been said, and where each lead stands at the end.

    FILE is a lead log export (`scorer log export`), or door messages (CloudEvents JSON) one per line in
    the order in which they came; - reads standard input. An export brings its own rules; --rules puts
    others in their place from the first record on.

    JSON lines are, byte for byte, what the worker sends to its topics. A line that can't be used is
    reported and left out.
    """
    from scorer.cli.progress import progress
    from scorer.replay import Replay

    replay = Replay()
    with ExitStack() as stack:
        source = stack.enter_context(_open(file, "rb"))
        out_outcomes, out_scores = (
            stack.enter_context(_open(path, "wb")) if path is not None else None
            for path in (outcomes, scores)
        )
        if as_json:
            out_outcomes = out_outcomes or sys.stdout.buffer
            out_scores = out_scores or sys.stdout.buffer
        size = file.stat().st_size if file != Path("-") else None
        prints = as_json or out_outcomes is None
        with progress("replaying", size, size=True, prints=prints) as moved:
            read = read_input(source, rules, until, moved)
            counts = _write_outcomes(replay.run(read.batches), out_outcomes, quiet=as_json)
        if out_scores is not None:
            for standing in replay.standings():
                out_scores.write(standing.view + b"\n")
        if not as_json:
            _show_top(replay, top)
    _summary(replay, read, counts)
    return BAD_LINES if strict and (read.bad.count or replay.dead_count) else 0


def _open(path: Path, mode: str) -> Any:
    if path == Path("-"):
        return click.open_file("-", mode)
    return path.open(mode)


def read_input(file: BinaryIO, rules: Path | None, until: str | None, moved: Callable[[int], None]) -> Input:
    from scorer.event_lines import EventLines
    from scorer.replay.sources import BadLines, EventSource, ExportSource, is_export, lines_of
    from scorer.settings import from_environment
    from scorer.wire.identity import identity_of

    lines = lines_of(file)
    first = next((line for line in lines if line.strip()), b"")
    everything: Iterable[bytes] = chain([first], lines)
    bad = BadLines()
    if is_export(first):
        if until is not None:
            raise UserError("--until is for door messages: a log export has a clock of its own")
        export = ExportSource(bad, _model(rules) if rules else None)
        return Input(export.batches(everything, moved), bad, lambda: export_notes(export, rules))
    model = _model(rules)
    events = EventLines(identity_of(from_environment(os.environ)))
    plain = EventSource(bad, model, events)
    end = 0 if until is None else milliseconds_of("--until", until)
    return Input(plain.batches(everything, moved, end), bad, list)


def _model(rules: Path | None) -> bytes:
    from scorer.domain.model import encode_model
    from scorer.rulefile import require

    return encode_model(require(rules or default_rules()))


def _write_outcomes(batches: Iterable[list[Outcome]], out: BinaryIO | None, *, quiet: bool) -> dict[str, int]:
    counts: dict[str, int] = {}
    for batch in batches:
        for outcome in batch:
            counts[outcome.topic] = counts.get(outcome.topic, 0) + 1
            if out is not None:
                out.write(outcome.value + b"\n")
        if out is None and not quiet:
            click.echo("".join(_readable(outcome) for outcome in batch), nl=False)
    return counts


_COUNTED = {
    "lead.qualified.v1": "qualified",
    "lead.disqualified.v1": "disqualified",
    "lead.stage.v1": "moved to another stage",
    "lead.merged.v1": "became part of another",
    "lead.erased.v1": "was forgotten",
    "account.qualified.v1": "accounts qualified",
    "account.disqualified.v1": "accounts no longer qualified",
}


def _readable(outcome: Outcome) -> str:
    import msgspec

    event = msgspec.json.decode(outcome.value)
    data = event["data"]
    subject, _, kind = event["type"].partition(".")
    points, reason = data.get("total", 0.0), data.get("reason", "")
    if subject == "account":
        points, reason = data["score"], f"account, {data['people']} people, {data['cause']}"
    elif kind == "stage":
        kind = f"to {data['stage']}"
    elif kind == "merged":
        reason = f"into {data['into']}"
    elif kind == "erased":
        reason = f"request {data['request']}"
    return f"{event['time']}  {kind:<14}  {event['subject']:<28}  {points:>8.2f}  {reason}\n"


def _show_top(replay: Replay, top: int) -> None:
    from rich.console import Console
    from rich.table import Table

    if not top:
        return

    def order(standing: Standing) -> tuple[float, str]:
        return -standing.total, standing.lead_id

    best = heapq.nsmallest(top, replay.standings(), key=order)
    if not best:
        return
    from scorer.domain.outcomes import band, stage

    table = Table(title=f"Highest scores at {_instant(replay.clock)}", title_justify="left")
    table.add_column("lead", no_wrap=True)
    table.add_column("total", justify="right")
    for column in ("band", "stage", "last change"):
        table.add_column(column)
    for standing in best:
        lead = standing.lead
        words = band(standing.rules, lead), stage(lead), _instant(lead.clock)
        table.add_row(standing.lead_id, f"{standing.total:.2f}", *words)
    console = Console(markup=False, emoji=False)  # a lead's id is text
    console.width = max(console.width, _TABLE)
    console.print(table)


def _instant(ms: int) -> str:
    from scorer.domain.outcomes import instant

    return readable(instant(ms))


def _summary(replay: Replay, read: Input, counts: dict[str, int]) -> None:
    """On stderr, so that standard output is the same bytes every time."""
    said = (
        ", ".join(f"{count:,} {_COUNTED[topic]}" for topic, count in sorted(counts.items())) or "no outcomes"
    )
    click.echo(f"{replay.records:,} records, {replay.leads:,} leads: {said}", err=True)
    for line in warnings(replay, read):
        click.echo(line, err=True)


def warnings(replay: Replay, read: Input) -> Iterator[str]:
    """What makes a replay another than the live run, or leaves something out of it."""
    yield from read.notes()
    yield from replay.notes()
    for partition, offset in replay.faults:
        yield f"partition {partition}: the engine failed at offset {offset} and passed over it"
    if read.bad.count:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in read.bad.reasons.most_common())
        yield f"{read.bad.count:,} lines left out: {reasons}"
        for line in read.bad.first:
            yield f"  line {line.number}: {line.reason}: {line.detail}"
    if replay.dead_count:
        yield f"{replay.dead_count:,} log records are dead letters"
        for partition, dead in replay.dead:
            yield f"  partition {partition} offset {dead.offset}: {dead.reason}: {dead.detail}"


def export_notes(export: Any, rules: Path | None) -> list[str]:
    notes = list(export.notes())
    if rules is not None:
        replaced = f"rules: {rules}, instead of the {export.rules_replaced} rules records in the log"
        return [replaced, *notes]
    return notes
