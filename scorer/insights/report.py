"""The figures as one HTML page: charts and tables, no script, nothing from elsewhere."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, Final

from scorer.domain.outcomes import instant
from scorer.insights.asking import answers
from scorer.insights.drawing import Bar, Series, bars, columns, legend, lines
from scorer.insights.style import STYLE
from scorer.insights.words import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from sqlite3 import Connection

    from scorer.insights.figures import Cohorts, Volume, VolumeRow
    from scorer.insights.pipeline import Pipeline, StageTimes

LINES: Final = 6
"""Groups that a chart over time shows, the largest."""
BROAD, NARROW = 640, 330
"""Widths of charts."""
ROWS: Final = 400
"""Of a table, at most."""


def page(connection: Connection, words: Mapping[str, str], now: int) -> str:
    """The page. ``words``: as of an HTTP query; ``now``: ms. Raises ``ValueError`` as ``answers`` does."""
    figures = answers(connection, words, now)
    volume: Volume = figures["volume"]
    written = f"{instant(now)[:16].replace('T', ' ')} UTC"
    sections = [
        _section("What happened", _happened(volume), "wide"),
        *([_section(f"By {volume.group}", _groups(volume), "wide")] if volume.group else []),
        _section("Where leads stand now", _standing(figures["pipeline"])),
        _section("Where they go from a stage", _conversions(figures["pipeline"])),
        _section("Days in a stage", _times(figures["stages"]), "wide"),
        _section("Customers of those qualified", _cohorts(figures["cohorts"]), "wide"),
        _section("All figures", _numbers(volume), "wide"),
    ]
    span = f"from {words['from']} " if "from" in words else ""
    span += f"to {words['to']}" if "to" in words else ""
    told = f"By {volume.by}, {span or 'of all that has been read'}; time zone {volume.time_zone}."
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Insights</title><style>{STYLE}</style></head><body><header><h1>Insights</h1>"
        f"<p>{escape(told)} Written {escape(written)}.</p></header><main>{''.join(sections)}</main>"
        "</body></html>\n"
    )


def _section(title: str, content: str, style: str = "") -> str:
    return f'<section class="{style}"><h2>{escape(title)}</h2>{content}</section>'


def _happened(volume: Volume) -> str:
    totals = {kind: sum(getattr(row, kind).events for row in volume.totals) for kind in KINDS}
    tiles = "".join(f"<div><b>{totals[kind]:,}</b>{escape(kind)}</div>" for kind in KINDS)
    labels = volume.periods
    sums = {kind: dict.fromkeys(labels, 0) for kind in KINDS}
    for row in volume.rows:
        for kind in KINDS:
            sums[kind][row.period] += getattr(row, kind).events
    charts = []
    for kinds in (("created",), ("qualified", "disqualified", "converted")):
        series = [Series(kind, list(sums[kind].values())) for kind in kinds]
        draw = partial(columns, labels, series, title=f"{', '.join(kinds)} by {volume.by}")
        charts.append(legend(kinds) + _sizes(draw))
    return f'<div class="tiles">{tiles}</div>' + (
        _charts(f"<figure>{chart}</figure>" for chart in charts) if labels else _none()
    )


def _groups(volume: Volume) -> str:
    largest = sorted(volume.totals, key=lambda row: (-row.created.events, row.group or ""))[:LINES]
    names = [row.group or "" for row in largest]
    labels = volume.periods
    if not labels:
        return _none()
    charts = []
    for kind in ("created", "qualified"):
        values = {name: dict.fromkeys(labels, 0) for name in names}
        for row in volume.rows:
            if row.group in values:
                values[row.group][row.period] = getattr(row, kind).events
        series = [Series(name, list(values[name].values())) for name in names]
        draw = partial(lines, labels, series, title=f"{kind} by {volume.by} and {volume.group}")
        charts.append(f"<figure><figcaption>{kind}</figcaption>{_sizes(draw)}</figure>")
    left_out = len(volume.totals) - len(names)
    more = f"<p>{left_out:,} smaller groups are in the table below only.</p>" if left_out else ""
    return legend(names) + _charts(charts) + more


def _standing(pipeline: Pipeline) -> str:
    counts: dict[str, int] = {}
    for one in pipeline.standing:
        counts[one.stage] = counts.get(one.stage, 0) + one.leads
    everybody = sum(counts.values())
    rows = [Bar(stage, count, f"{count:,}  {count / everybody:.0%}") for stage, count in counts.items()]
    return _sizes(partial(bars, rows, title="leads by stage")) if rows else _none()


def _conversions(pipeline: Pipeline) -> str:
    rows = [
        Bar(f"{one.stage} → {one.following or 'gone'}", one.share, f"{one.share:.0%}  of {_all(one)}")
        for one in pipeline.conversions
    ]
    note = "<p>Of all stays in the first stage. Gone: merged into another lead, or forgotten.</p>"
    draw = partial(bars, rows, title="conversions between stages", style=1)
    return _sizes(draw) + note if rows else _none()


def _all(one: Any) -> str:
    return f"{round(one.stays / one.share):,}" if one.share else "0"


def _times(stages: StageTimes) -> str:
    heads = ["stage", *([stages.group] if stages.group else []), "completed", "median", "90%"]
    heads += ["going on", "median", "both: median", "90%"]
    rows = []
    for one in stages.rows:
        done, open_, both = one.completed, one.going_on, one.everything
        numbers = [f"{done.stays:,}", _days(done.median), _days(done.ninetieth), f"{open_.stays:,}"]
        numbers += [_days(open_.median), _days(both.median), _days(both.ninetieth)]
        rows.append((one.stage, *([one.group or ""] if stages.group else []), *numbers))
    return _table(heads, rows, texts=2 if stages.group else 1) if rows else _none()


def _cohorts(cohorts: Cohorts) -> str:
    heads = ("first qualified", *([cohorts.group] if cohorts.group else []), "leads", "customers", "share")
    rows = [
        (
            one.period,
            *([one.group or ""] if cohorts.group else []),
            f"{one.leads:,}",
            f"{one.converted:,}",
            f"{one.converted / one.leads:.0%}",
            _days(one.median_days),
        )
        for one in cohorts.rows
    ]
    return _table((*heads, "median days"), rows, texts=2 if cohorts.group else 1) if rows else _none()


def _numbers(volume: Volume) -> str:
    def row(one: VolumeRow) -> tuple[str, ...]:
        counts = (f"{getattr(one, kind).events:,}" for kind in KINDS)
        return (one.period, *([one.group or ""] if volume.group else []), *counts)

    heads = (volume.by, *([volume.group] if volume.group else []), *KINDS)
    rows = [*map(row, volume.totals), *map(row, reversed(volume.rows))]
    return _table(heads, rows, texts=2 if volume.group else 1)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int) -> str:
    """``texts``: columns from the left that are no numbers."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{'' if place < texts else ' class=n'}>{escape(cell)}</{tag}>"
            for place, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows[:ROWS])
    left_out = len(rows) - ROWS
    note = f"<p>{left_out:,} more rows: scorer insights show --json has all.</p>" if left_out > 0 else ""
    head = f"<thead><tr>{cells(heads, 'th')}</tr></thead>"
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>{note}'


def _charts(figures: Iterable[str]) -> str:
    return f'<div class="charts">{"".join(figures)}</div>'


def _sizes(draw: Callable[..., str]) -> str:
    """A chart for screens, and for telephones, where it would be too small to read; one of them is shown."""
    return f'<div class="broad">{draw(width=BROAD)}</div><div class="narrow">{draw(width=NARROW)}</div>'


def _days(days: float | None) -> str:
    return "" if days is None else f"{days:.1f}"


def _none() -> str:
    return "<p>Nothing of this has been read yet.</p>"
