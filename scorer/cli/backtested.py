"""The report of a backtest as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table

from scorer.cli.options import readable

if TYPE_CHECKING:
    from scorer.backtest.intervals import Interval
    from scorer.backtest.report import Area, Changes, File, Group, Landmark, Point, Report, Share

_WIDTH = 124
"""Columns at least, so that names stay in one piece when the output is no terminal."""
_POINTS = 12
"""Thresholds that are shown."""


def show(report: Report) -> None:
    """To standard output; the same bytes for the same report wherever it is no terminal."""
    console = Console(highlight=False, markup=False, emoji=False)  # ids and rules' names are text
    console.width = max(console.width, _WIDTH)

    def say(*lines: str) -> None:
        for line in lines:
            console.print(line, soft_wrap=True)

    files = [("today", report.today), *([("change", report.change)] if report.change else [])]
    say(*_head(report, files))
    if report.changes is not None:
        console.print(_changes(report.changes))
        for title, group in _groups(report.changes):
            say(*_leads(title, group))
    console.print(_funnel(files))
    for name, file in files:
        console.print(_weeks(name, file))
    for name, file in files:
        if file.announcements is not None:
            say(*_announcements(name, file))
    for name, file in files:
        if file.landmark is not None:
            for part in _landmark(name, file.landmark, report.data.horizon_days):
                if isinstance(part, Table):
                    console.print(part)
                else:
                    say(part)
    if report.changes is not None and report.changes.area is not None:
        say(f"change less today: {_area(report.changes.area)} of area under the ROC curve")
    say(*(f"note: {note}" for note in report.notes))


def _head(report: Report, files: Iterable[tuple[str, File]]) -> list[str]:
    data = report.data
    lines = [
        f"{data.source}: {data.records:,} records, {readable(data.first)} to {readable(data.last)} UTC",
        f"weeks of {data.time_zone}; to convert within {data.horizon_days:g} days counts",
    ]
    for name, file in files:
        lines.append(
            f"{name}: {file.name} ({file.fingerprint}), above {file.enter:g} until below {file.exit:g}"
        )
    return lines


def _table(title: str, columns: Sequence[str], left: int = 1) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place < left else "right", no_wrap=True)
    return table


def _groups(changes: Changes) -> list[tuple[str, Group]]:
    return [
        ("earlier", changes.earlier),
        ("later", changes.later),
        ("newly", changes.newly),
        ("no longer", changes.no_longer),
    ]


def _changes(changes: Changes) -> Table:
    table = _table("Who qualifies under the change", ["", "leads", "days, median"])
    for title, group in _groups(changes):
        days = "" if group.median_days is None else f"{group.median_days:.2f}"
        table.add_row(title, f"{group.count:,}", days)
    table.add_row("at the same instant", f"{changes.same:,}", "")
    return table


def _leads(title: str, group: Group) -> list[str]:
    if not group.first:
        return []
    lines = [f"{title}, the first {len(group.first)}:"]
    for one in group.first:
        times = ["never" if at is None else readable(at) for at in (one.today, one.change)]
        lines.append(f"  {one.lead}  {times[0]} -> {times[1]}")
    return lines


def _funnel(files: Sequence[tuple[str, File]]) -> Table:
    table = _table(
        "Leads of the whole time", ["", "created", "announced", "converted", "announced, then converted"]
    )
    for name, file in files:
        one = file.funnel
        counts = (one.created, one.qualified, one.converted, one.converted_after)
        table.add_row(name, *(f"{count:,}" for count in counts))
    return table


def _weeks(name: str, file: File) -> Table:
    stages = sorted({stage for week in file.weeks for stage in week.stages})
    columns = ["week", "created", "qualified", "disqualified", "converted", *stages]
    table = _table(f"By week, {name}", columns)
    for week in file.weeks:
        counts = (week.created, week.qualified, week.disqualified, week.converted)
        moves = (week.stages.get(stage, 0) for stage in stages)
        table.add_row(week.week, *(f"{count:,}" for count in (*counts, *moves)))
    return table


def _announcements(name: str, file: File) -> list[str]:
    one = file.announcements
    if one is None:
        return []
    days = "" if one.median_days is None else f"; {one.median_days:g} days before, at the median"
    return [
        f"announced leads that convert, {name}: {share(one.precision)}",
        f"converted leads announced before, {name}: {share(one.recall)}{days}",
    ]


def _landmark(name: str, one: Landmark, horizon: float) -> list[Table | str]:
    looked_at = f"{one.converted.of:,} leads at one of {one.mondays} Mondays each, {name}"
    parts: list[Table | str] = [f"{looked_at}: {share(one.converted)} convert within {horizon:g} days"]
    if one.area is not None:
        parts.append(f"area under the ROC curve, {name}: {_area(one.area)}")
    tenths = _table(f"By tenths of the leads, {name}", ["total", "leads", "converted", "95%", "lift"])
    for tenth in one.tenths:
        tenths.add_row(
            f"{tenth.low:.1f} to {tenth.high:.1f}", *_columns(tenth.converted), f"{tenth.lift:.2f}"
        )
    bands = _table(f"By temperature, {name}", ["", "leads", "converted", "95%"])
    for band, converted in one.bands.items():
        bands.add_row(band, *_columns(converted))
    return [*parts, tenths, bands, _thresholds(name, one), *_best(name, one), _rules(name, one)]


def _columns(one: Share) -> tuple[str, str, str]:
    return f"{one.of:,}", _percent(one.share), _percents(one.interval)


def _thresholds(name: str, one: Landmark) -> Table:
    table = _table(f"Thresholds, {name}", ["above", "leads a week", "precision", "95%", "recall", "95%", ""])
    best = None if one.best is None else one.best.above
    marked = {one.enter.above, best}
    every = max(1, len(one.thresholds) // _POINTS)
    for place, point in enumerate(one.thresholds):
        if place % every == 0 or point.above in marked:
            table.add_row(*_point(point), _mark(point, one.enter.above, best))
    return table


def _point(point: Point) -> tuple[str, ...]:
    return (
        f"{point.above:g}",
        f"{point.weekly:.1f}",
        _percent(point.precision),
        _percents(point.precision_interval),
        _percent(point.recall),
        _percents(point.recall_interval),
    )


def _mark(point: Point, enter: float, best: float | None) -> str:
    words = ["enter"] if point.above == enter else []
    return ", ".join([*words, *(["best"] if point.above == best else [])])


def _best(name: str, one: Landmark) -> list[str]:
    if one.best is None:
        return [f"best threshold, {name}: none"]
    how = "the lowest from which on the volume fits" if one.best.by == "capacity" else "greatest Youden's J"
    interval = one.best.interval
    between = "" if interval is None else f", 95% {interval.low:g} to {interval.high:g}"
    return [f"best threshold, {name}: above {one.best.above:g} ({how}{between}); now {one.enter.above:g}"]


def _rules(name: str, one: Landmark) -> Table:
    columns = ["rule", "verdict", "points", "having", "convert", "others", "odds ratio", "99%"]
    table = _table(f"Which rules earn their points, {name}", columns, left=2)
    for rule in one.rules:
        said = rule.verdict + ("; its points say the opposite" if rule.contradicts else "")
        ratio = "" if rule.odds_ratio is None else f"{rule.odds_ratio:.2f}"
        interval = rule.odds_interval
        table.add_row(
            rule.rule,
            said,
            f"{rule.points:+.2f}",
            f"{rule.having.of:,}",
            _percent(rule.having.share) if rule.having.of else "",
            _percent(rule.lacking.share) if rule.lacking.of else "",
            ratio,
            "" if interval is None else f"{interval.low:.2f} to {interval.high:.2f}",
        )
    return table


def _area(one: Area) -> str:
    return f"{one.value:.3f} (95% {one.interval.low:.3f} to {one.interval.high:.3f})"


def share(one: Share) -> str:
    return f"{_percent(one.share)} ({one.count:,} of {one.of:,}; 95% {_percents(one.interval)})"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _percents(interval: Interval) -> str:
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}%"
