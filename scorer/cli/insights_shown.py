"""Figures as a person reads them in a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from scorer.cli.options import readable
from scorer.insights.words import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

    from scorer.insights.figures import Cohorts, Volume
    from scorer.insights.pipeline import Length, Pipeline, StageTimes
    from scorer.insights.timeline import Event, Timeline

    _Titled = tuple[str, Table]
    _Groups = Sequence[str | None]

_WIDTH: Final = 120
"""Columns at least, where the output is no terminal."""
_BAR: Final = 8
"""Columns of the longest bar."""
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_HEIGHTS: Final = " ▁▂▃▄▅▆▇█"
_PLAIN: Final = " .:-=+*#@"
"""The same for what may be no terminal."""
_GROUPS: Final = 12
"""The largest, which are shown one by one."""
_NAME: Final = 20
"""Characters of a group that are shown."""
_TREND: Final = 60
"""The newest periods that a trend shows."""


def show(volume: Volume, pipeline: Pipeline, stages: StageTimes, cohorts: Cohorts) -> None:
    console = _console()
    if not any(row.created.events or row.qualified.events for row in volume.totals):
        console.print("Nothing of what is asked for has been read yet.")
    console.print(f"Times are of the zone {volume.time_zone}.")
    groups = _largest(volume)
    if len(volume.totals) > len(groups):
        left_out = len(volume.totals) - len(groups)
        console.print(f"{left_out:,} smaller groups are left out; --json has all.")
    tables = (
        _volume(volume, groups),
        _totals(volume, groups),
        _trends(volume),
        _standing(pipeline, groups),
        _conversions(pipeline),
        _stage_times(stages, groups),
        _cohorts(cohorts, groups),
    )
    for title, table in tables:
        console.print()
        console.print(title)
        console.print(table)


def show_lead(found: Timeline) -> None:
    console = _console()
    asked = f" (asked for as {found.asked})" if found.asked != found.lead else ""
    console.print(f"{found.lead}{asked}")
    said = {"product": found.product, "segment": found.segment, "source": found.source}
    console.print(", ".join(f"{name} {value or 'unknown'}" for name, value in said.items()))
    for event in found.events:
        as_whom = f"  as {event.lead or 'one who has been forgotten'}" if event.lead != found.lead else ""
        console.print(f"{readable(event.time)}  {_happened(event)}{as_whom}", soft_wrap=True)


def _happened(event: Event) -> str:
    words = [event.kind]
    if event.kind == "stage":
        words.append(f"{event.previous or ''} to {event.stage}".strip())
    if event.into:
        words.append(f"into {event.into}")
    if event.reason and event.kind != "merged":
        words.append(f"by {event.reason}")
    if event.total is not None:
        words.append(f"with {event.total:.2f} points")
    return " ".join(words)


def _volume(volume: Volume, groups: _Groups) -> _Titled:
    table = _table("period", *_group_column(volume.group))
    for kind in KINDS:
        table.add_column(kind, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)  # a bar of those qualified
    most = max((row.qualified.events for row in volume.rows), default=0)
    for row in volume.rows:
        if row.group in groups:
            counts = [getattr(row, kind).events for kind in KINDS]
            table.add_row(
                row.period, *_group(row.group), *map(_count, counts), bar(row.qualified.events, most)
            )
    return "What happened" + _grouped(volume.group), table


def _totals(volume: Volume, groups: _Groups) -> _Titled:
    table = _table("", *_group_column(volume.group))
    for column in ("times", "leads", "of created"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in volume.totals:
        if row.group in groups:
            created = row.created.leads
            for kind in KINDS:
                one = getattr(row, kind)
                counts = (
                    _count(one.events),
                    _count(one.leads),
                    _share(one.leads, created) if one.leads else "",
                )
                table.add_row(kind, *_group(row.group), *counts, bar(one.leads, max(created, one.leads)))
    return "In all" + _grouped(volume.group), table


def _largest(volume: Volume) -> list[str | None]:
    found = sorted(volume.totals, key=lambda row: (-row.created.leads, row.group or ""))
    return [row.group for row in found[:_GROUPS]]


def _trends(volume: Volume) -> _Titled:
    sums = {period: [0] * len(KINDS) for period in volume.periods}
    for row in volume.rows:
        for place, kind in enumerate(KINDS):
            sums[row.period][place] += getattr(row, kind).events
    periods = volume.periods[-_TREND:]
    span = f", {periods[0]} to {periods[-1]}" if periods else ""
    table = _table("", "")
    for place, kind in enumerate(KINDS):
        table.add_row(kind, sparkline([sums[period][place] for period in periods]))
    return f"Trend by {volume.by}{span}", table


def _standing(pipeline: Pipeline, groups: _Groups) -> _Titled:
    table = _table("stage", *_group_column(pipeline.group))
    for column in ("leads", "share"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    everybody = sum(one.leads for one in pipeline.standing)
    most = max((one.leads for one in pipeline.standing), default=0)
    for one in (one for one in pipeline.standing if one.group in groups):
        row = _count(one.leads), _share(one.leads, everybody), bar(one.leads, most)
        table.add_row(one.stage, *_group(one.group), *row)
    return "Where leads stand now" + _grouped(pipeline.group), table


def _conversions(pipeline: Pipeline) -> _Titled:
    table = _table("stage", "next")
    for column in ("stays", "share"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for one in pipeline.conversions:
        following = one.following or "(merged or forgotten)"
        share = f"{one.share:.1%}"
        table.add_row(one.stage, following, _count(one.stays), share, bar(one.share, 1.0))
    return "Where they go from a stage", table


def _stage_times(stages: StageTimes, groups: _Groups) -> _Titled:
    table = _table("stage", *_group_column(stages.group))
    for which in ("completed", "going on", "both"):
        for column in (which, "median", "90%"):
            table.add_column(column, justify="right", no_wrap=True)
    for one in (one for one in stages.rows if one.group in groups):
        lengths = one.completed, one.going_on, one.everything
        table.add_row(
            one.stage, *_group(one.group), *(cell for length in lengths for cell in _length(length))
        )
    return "Days in a stage" + _grouped(stages.group), table


def _length(length: Length) -> Iterable[str]:
    yield _count(length.stays)
    for days in (length.median, length.ninetieth):
        yield "" if days is None else f"{days:.1f}"


def _cohorts(cohorts: Cohorts, groups: _Groups) -> _Titled:
    table = _table("period", *_group_column(cohorts.group))
    for column in ("leads", "customers", "share", "median days"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for one in (one for one in cohorts.rows if one.group in groups):
        days = "" if one.median_days is None else f"{one.median_days:.1f}"
        share = _share(one.converted, one.leads)
        row = _count(one.leads), _count(one.converted), share, days, bar(one.converted, one.leads)
        table.add_row(one.period, *_group(one.group), *row)
    return "Qualified for the first time, and customer since" + _grouped(cohorts.group), table


# -- pieces -------------------------------------------------------------------------------------------


def bar(value: float, most: float, *, plain: bool | None = None) -> str:
    """As long as the value's part of the most; to an eighth of a column in a terminal."""
    if most <= 0 or value <= 0:
        return ""
    eighths = max(round(value / most * _BAR * 8), 1)
    if _is_plain(plain):
        return "#" * max(eighths // 8, 1)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + _EIGHTHS[rest]).rstrip()


def sparkline(values: Sequence[int], *, plain: bool | None = None) -> str:
    """A column per value, as high as its part of the highest; what is not 0 shows."""
    heights = _PLAIN if _is_plain(plain) else _HEIGHTS
    most = max(values, default=0)
    if not most:
        return ""
    top = len(heights) - 1
    return "".join(heights[max(round(value / most * top), 1) if value else 0] for value in values)


def _is_plain(plain: bool | None) -> bool:  # noqa: FBT001 - passed on
    return not sys.stdout.isatty() if plain is None else plain


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)  # names are text
    console.width = max(console.width, _WIDTH)
    return console


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    style = box.ASCII2 if _is_plain(None) else box.SIMPLE_HEAD
    table = Table(box=style)
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


def _group_column(group: str | None) -> tuple[str, ...]:
    return () if group is None else (group,)


def _group(group: str | None) -> tuple[str, ...]:
    if group is None:
        return ()
    return (group if len(group) <= _NAME else group[: _NAME - 1] + "~",)


def _grouped(group: str | None) -> str:
    return "" if group is None else f", by {group}"


def _count(count: int) -> str:
    return f"{count:,}" if count else ""


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""
