"""An explanation as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scorer.cli.options import readable
from scorer.domain.explaining import encode_explanation
from scorer.domain.lifecycle import QUALIFIED_STAGE, STAGES
from scorer.domain.outcomes import BELOW_EXIT, LEAD_DISQUALIFIED, LEAD_QUALIFIED, LEAD_STAGE

if TYPE_CHECKING:
    from rich.table import Table

    from scorer.domain.explaining import Coming, Contribution, Explanation

_WIDTH = 80
"""Columns at least, so that rules' names stay in one piece when the output is no terminal."""
_SAID = {
    LEAD_QUALIFIED: "qualifies",
    LEAD_DISQUALIFIED: "is disqualified",
    LEAD_STAGE: "moves to {stage}",
}


def show(one: Explanation, *, as_json: bool) -> None:
    """To standard output: a page of text, or one line of JSON."""
    if as_json:
        click.echo(encode_explanation(one))
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)  # ids and rules' names are text
    console.width = max(console.width, _WIDTH)
    for line in _head(one):
        console.print(line, soft_wrap=True)
    console.print(_table(one))
    for line in _foot(one):
        console.print(line, soft_wrap=True)
    if one.shadow is not None:
        console.print(_beside(one.shadow), soft_wrap=True)


def _head(one: Explanation) -> list[str]:
    name = f"{one.lead} (asked for as {one.asked})" if one.asked else one.lead
    words = [one.status, one.band, f"stage {one.stage}"]
    if one.lifecycle:
        words.append(one.lifecycle)
    if one.disqualified_by:
        words[0] += f" by {one.disqualified_by}"
    lines = [name, f"{_points(one.total)} points at {readable(one.at)}: {', '.join(words)}"]
    if one.grades:
        told = ", ".join(f"{score} {grade}" for score, grade in one.grades.items())
        lines.append(f"grades: {told}" + (f", {one.cell}" if one.cell else ""))
    if one.members:
        lines.append(f"with {len(one.members)} more ids: {', '.join(one.members)}")
    if one.importing:
        lines.append("an import has changed it, and is not complete: it is judged when the import ends")
    if one.account:
        lines.append(f"counts in the account {one.account}")
    if one.exact_since:
        lines.append(f"exact since {readable(one.exact_since)} only: the log no longer has what came before")
    return lines


def _beside(shadow: Explanation) -> str:
    rules = f"{shadow.rules.name} ({shadow.rules.fingerprint})"
    words = f"{_points(shadow.total)} points: {shadow.status}, {shadow.band}, stage {shadow.stage}"
    return f"By the rules that are tried, {rules}: {words}"


def _table(one: Explanation) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_footer=True)
    for column, foot in (("rule", "total"), ("", ""), ("score", "")):
        table.add_column(column, foot)
    table.add_column("times", justify="right")
    table.add_column("points", _points(one.total), justify="right")
    for line in sorted(one.ledger, key=_order):
        if not line.points:
            continue  # a first grant that is worth nothing, for example: it is in the JSON
        times = f"{line.grants:.2f}" if line.grants else ""
        table.add_row(line.rule, line.detail, line.score, times, _points(line.points))
    return table


def _order(line: Contribution) -> tuple[float, str, str]:
    return -abs(line.points), line.rule, line.detail


def _foot(one: Explanation) -> list[str]:
    until = readable(one.foreseen)
    lines = ["If nothing happens:"] if one.next else [f"Time alone brings about no outcome until {until}."]
    lines += [f"  {readable(coming.time)}  {_coming(coming, one)}" for coming in one.next]
    rules = f"rules {one.rules.name}, version {one.rules.version} ({one.rules.fingerprint})"
    read = f"log partition {one.log.partition} up to {readable(one.log.clock)}"
    return [*lines, f"{rules}; {read}; last change at offset {one.log.offset}"]


def _coming(coming: Coming, one: Explanation) -> str:
    said = _SAID.get(coming.type, coming.type).format(stage=coming.stage)
    reason = coming.reason
    if reason == BELOW_EXIT:  # or above the entry: the total alone
        rises = coming.type == LEAD_QUALIFIED or coming.stage == STAGES[QUALIFIED_STAGE]
        reason = f"above {one.enter:g}" if rises else f"below {one.exit:g}"
        said = "is no longer qualified" if coming.type == LEAD_DISQUALIFIED else said
    return f"{said}: {reason} ({_points(coming.total)} points)"


def _points(points: float) -> str:
    return f"{points:.2f}"
