"""The report as one page that needs nothing else: no network, no script."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from scorer.backtest import charts
from scorer.backtest.charts import percent
from scorer.backtest.page_landmark import who_converts
from scorer.backtest.page_parts import between, figure, key, of, table, when
from scorer.backtest.svg import Markup, joined, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorer.backtest.report import Changes, File, Group, Report

_Files = list[tuple[str, "File"]]


def page(report: Report) -> str:
    named: _Files = [("today", report.today)]
    if report.change is not None:
        named.append(("change", report.change))
    style = files("scorer.backtest").joinpath("page.css").read_text("utf-8")
    head = tag(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", f"Backtest of {report.data.source}"),
        Markup(f"<style>{style}</style>"),
    )
    sections = [
        _header(report, named),
        _headline(report, named),
        _volume(named),
        *([] if report.changes is None else [_changes(report.changes)]),
        *who_converts(report, named),
        *(_notes(report.notes) if report.notes else []),
    ]
    return "<!doctype html>\n" + tag("html", head, tag("body", tag("main", *sections)), lang="en") + "\n"


def _header(report: Report, named: _Files) -> Markup:
    data = report.data
    told = (
        f"{data.source}: {data.records:,} records from {when(data.first)} to {when(data.last)} UTC;"
        f" weeks of {data.time_zone}"
    )
    items = [
        tag(
            "li",
            key(name),
            f"{file.name}, qualified above {file.enter:g} until below {file.exit:g} ({file.fingerprint})",
        )
        for name, file in named
    ]
    return tag("header", tag("h1", "Backtest"), tag("p", told), tag("ul", *items, class_="files"))


def _headline(report: Report, named: _Files) -> Markup:
    rows = [_cards(name, file) for name, file in named]
    if report.changes is not None and report.changes.area is not None:
        gained = report.changes.area
        rows[-1].append(_card("", "area, change less today", f"{gained.value:+.3f}", between(gained)))
    sections = (tag("div", *cards, class_="cards") for cards in rows)
    return tag("section", *sections, class_="plain", aria_label="Headline numbers")


def _cards(name: str, file: File) -> list[Markup]:
    one = file.funnel
    cards = [_card(name, "leads announced", f"{one.qualified:,}", f"of {one.created:,}")]
    if file.announcements is not None:
        told = file.announcements
        days = "" if told.median_days is None else f", {told.median_days:g} days before at the median"
        recall = of(told.recall) + days
        cards += [
            _card(name, "of the announced convert", percent(told.precision.share), of(told.precision)),
            _card(name, "of the converted were announced before", percent(told.recall.share), recall),
        ]
    if file.landmark is not None and file.landmark.area is not None:
        area = file.landmark.area
        cards.append(_card(name, "area under the ROC curve", f"{area.value:.3f}", between(area)))
    return cards


def _card(name: str, what: str, value: str, told: str) -> Markup:
    return tag(
        "div",
        key(name) if name else "",
        tag("b", value),
        tag("span", what),
        tag("small", told),
        class_="card",
    )


def _volume(named: _Files) -> Markup:
    weeks = sorted({week.week for _, file in named for week in file.weeks})
    series = []
    for name, file in named:
        counts = {week.week: week.qualified for week in file.weeks}
        series.append((name, [float(counts.get(week, 0)) for week in weeks]))
    legend = tag("p", *(key(name) for name, _ in named), class_="legend")
    steps = [
        (label, name, float(getattr(file.funnel, field)), f"{getattr(file.funnel, field):,}")
        for label, field in (
            ("created", "created"),
            ("announced", "qualified"),
            ("then converted", "converted_after"),
        )
        for name, file in named
    ]
    high = max(value for _, _, value, _ in steps)
    return tag(
        "section",
        tag("h2", "Volume"),
        tag(
            "div",
            figure(
                "Announcements a week",
                charts.weekly("Announcements a week", weeks, series) if weeks else "",
                legend,
            ),
            figure(
                "From created to converted", charts.bars("Leads created, announced, converted", steps, high)
            ),
            class_="pair",
        ),
        tag("details", tag("summary", "Every week as numbers"), *(_weeks(*one) for one in named)),
    )


def _weeks(name: str, file: File) -> Markup:
    stages = sorted({stage for week in file.weeks for stage in week.stages})
    rows = [
        [
            week.week,
            *(f"{count:,}" for count in (week.created, week.qualified, week.disqualified, week.converted)),
            *(f"{week.stages.get(stage, 0):,}" for stage in stages),
        ]
        for week in file.weeks
    ]
    columns = ["week", "created", "qualified", "disqualified", "converted", *(f"to {one}" for one in stages)]
    return joined(tag("h3", key(name)), table(columns, rows))


def _changes(changes: Changes) -> Markup:
    groups = [
        ("Earlier", changes.earlier),
        ("Later", changes.later),
        ("Newly", changes.newly),
        ("No longer", changes.no_longer),
    ]
    told = f"{changes.same:,} leads are announced at the same instant by both."
    return tag(
        "section",
        tag("h2", "Who qualifies under the change"),
        tag("p", told),
        tag("div", *(_group(title, group) for title, group in groups), class_="pair"),
    )


def _group(title: str, group: Group) -> Markup:
    days = "" if group.median_days is None else f", {group.median_days:g} days at the median"
    caption = f"{title}: {group.count:,}{days}"
    if not group.first:
        return figure(caption)
    rows = [
        (one.lead, *("never" if at is None else when(at) for at in (one.today, one.change)))
        for one in group.first
    ]
    return figure(caption, table(["the first of them", "today", "change"], rows, left=3))


def _notes(notes: Sequence[str]) -> list[Markup]:
    return [tag("section", tag("h2", "Notes"), tag("ul", *(tag("li", note) for note in notes)))]
