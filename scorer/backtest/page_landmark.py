"""The page's sections on who converts: what scores tell, and which rules earn their points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.backtest import charts
from scorer.backtest.charts import percent
from scorer.backtest.page_parts import figure, key, of, table
from scorer.backtest.stratified import BUYERS, NON_BUYERS, NOTHING, TOO_FEW
from scorer.backtest.svg import Child, Markup, joined, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorer.backtest.report import File, Landmark, Point, Report, Rule

VERDICTS = {BUYERS: "buyers", NON_BUYERS: "others", NOTHING: "nothing", TOO_FEW: "few"}
"""Verdict -> class."""


def who_converts(report: Report, named: list[tuple[str, File]]) -> list[Markup]:
    sections = []
    for name, file in named:
        one = file.landmark
        if one is None:
            continue
        told = (
            f"{one.converted.of:,} leads, each at one of {one.mondays} Mondays at which it had not converted:"
            f" {percent(one.converted.share)} ({of(one.converted)}) convert within"
            f" {report.data.horizon_days:g} days."
        )
        sections.append(
            tag(
                "section",
                tag("h2", "Who converts ", key(name)),
                tag("p", told),
                tag("div", *_landmark(name, one), class_="pair"),
                _rules(one.rules),
            )
        )
    return sections


def _landmark(name: str, one: Landmark) -> list[Markup]:
    title = "Precision and recall by threshold"
    best = "There is no best threshold in these events. "
    if one.best is not None:
        how = "the lowest from which on the volume fits" if one.best.by == "capacity" else "by Youden's J"
        interval = one.best.interval
        between = "" if interval is None else f" (95% {interval.low:g} to {interval.high:g})"
        point = next(point for point in one.thresholds if point.above == one.best.above)
        best = f"Best: above {one.best.above:g}{between}, {how}: {_told(point)}. "
    now = f"Now: above {one.enter.above:g}: {_told(one.enter)}."
    legend = tag(
        "p",
        tag("span", "precision", class_="key precision"),
        tag("span", "recall", class_="key recall"),
        class_="legend",
    )
    bands = list(one.bands.items())
    return [
        figure(
            title,
            charts.thresholds(title, one.thresholds, one.enter.above, one.best),
            legend,
            tag("p", best + now),
        ),
        figure(
            "Conversion by tenths of the leads",
            charts.lift("Conversion by tenths of the leads", one.tenths, one.converted.share, name),
        ),
        figure("Conversion by temperature", charts.shares("Conversion by temperature", bands, name)),
        tag(
            "details",
            tag("summary", "Every threshold as numbers"),
            table(
                ["above", "leads a week", "precision", "recall"],
                [
                    (
                        f"{point.above:g}",
                        f"{point.weekly:.1f}",
                        percent(point.precision),
                        percent(point.recall),
                    )
                    for point in one.thresholds
                ],
            ),
        ),
    ]


def _told(point: Point) -> str:
    return (
        f"{percent(point.precision)} precision, {percent(point.recall)} recall,"
        f" {point.weekly:.0f} leads a week"
    )


def _rules(rules: Sequence[Rule]) -> Markup:
    told = (
        "Odds of converting with the rule's points over those without, among leads alike in the points of all"
        " other rules, with 99% intervals. The lines are a tenth, even odds, and tenfold."
    )
    columns = ("rule", "odds ratio", "", "points", "have it", "convert", "others")
    classes = (None, None, "number", "number", "number wide", "number wide", "number wide")
    head = tag(
        "tr", *(tag("th", one, scope="col", class_=kind) for one, kind in zip(columns, classes, strict=True))
    )
    rows = [
        tag("tr", *(tag("td", one, class_=kind) for one, kind in zip(_rule(rule), classes, strict=True)))
        for rule in rules
    ]
    return joined(
        tag("h3", "Which rules earn their points"),
        tag("p", told),
        tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="forest"), class_="scroll"),
    )


def _rule(rule: Rule) -> tuple[Child, ...]:
    kind = VERDICTS[rule.verdict]
    said = joined(
        tag("strong", rule.rule),
        tag("span", rule.verdict, class_=f"verdict {kind}"),
        tag("em", " its points say the opposite") if rule.contradicts else "",
    )
    plot, ratio = Markup(""), ""
    if rule.odds_ratio is not None and rule.odds_interval is not None:
        low, high = rule.odds_interval
        ratio = f"{rule.odds_ratio:.2f}"
        title = f"odds ratio {ratio}, 99% {low:.2f} to {high:.2f}"
        plot = charts.odds(title, rule.odds_ratio, rule.odds_interval, kind)
    return (
        said,
        plot,
        ratio,
        f"{rule.points:+.1f}" if rule.having.of else "",
        f"{rule.having.of:,}",
        percent(rule.having.share) if rule.having.of else "",
        percent(rule.lacking.share) if rule.lacking.of else "",
    )
