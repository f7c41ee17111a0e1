"""From what was gathered to the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from scorer.backtest import ranking
from scorer.backtest.announcing import announcements, changes, differences, funnel
from scorer.backtest.gathered import CREATED, Gathered, rule_names
from scorer.backtest.landmark import Sample, landmark, sample_of
from scorer.backtest.report import Area, Changes, Data, File, Moved, Report, Week
from scorer.backtest.running import Material
from scorer.backtest.weeks import DAY, week_name
from scorer.domain.calendar import Calendar
from scorer.domain.model import Model, decode_model, fingerprint
from scorer.domain.outcomes import LEAD_DISQUALIFIED, LEAD_QUALIFIED, LEAD_STAGE, instant


class Reported(NamedTuple):
    report: Report
    differences: list[tuple[str, Moved]]
    """All of them: see ``announcing.differences``."""


def report(material: Material, source: str, horizon: int, capacity: float | None) -> Reported:
    """``source``: what was read. ``horizon``: ms. ``capacity``: leads a week, or None."""
    models = [decode_model(model) for model in material.models]
    calendar = Calendar(models[0].time_zone)
    samples = [
        sample_of(one.readings, material.draw.mondays, material.conversions, material.files[0].moved, horizon)
        for one in material.files
    ]
    files = [
        _file(material, number, model, sample, calendar, horizon, capacity)
        for number, (model, sample) in enumerate(zip(models, samples, strict=True))
    ]
    found: list[tuple[str, Moved]] = []
    changed: Changes | None = None
    if len(files) > 1:
        today, change = (one.qualified for one in material.files)
        found = differences(today, change)
        changed = replace(changes(today, change, found), area=_difference(material.files, samples))
    data = Data(
        source,
        material.records,
        instant(material.start),
        instant(material.end),
        models[0].time_zone,
        horizon / DAY,
        capacity,
        dict(sorted(material.reasons.items())),
    )
    whole = Report(
        1, data, files[0], files[1] if len(files) > 1 else None, changed, _notes(material, horizon)
    )
    return Reported(whole, found)


def _file(
    material: Material,
    number: int,
    model: Model,
    sample: Sample,
    calendar: Calendar,
    horizon: int,
    capacity: float | None,
) -> File:
    one = material.files[number]
    conversions = material.conversions
    told = announcements(one.qualified, conversions, material.end, horizon) if conversions else None
    mondays = material.draw.mondays
    ordered = list(rule_names(model))
    return File(
        model.name,
        fingerprint(material.models[number]),
        model.threshold.enter,
        model.threshold.exit,
        funnel(one.leads, one.qualified, conversions),
        weeks(one.weeks, conversions.values(), calendar),
        told,
        landmark(one.readings, sample, len(mondays), model.threshold.enter, capacity, ordered)
        if conversions and sample.rows
        else None,
    )


def weeks(counts: Counter[tuple[int, str]], conversions: Iterable[int], calendar: Calendar) -> list[Week]:
    """From the first week in which anything happened through the last, without gaps."""
    converted = Counter(calendar.period("week", at) for at in conversions)
    numbers = {number for number, _ in counts} | converted.keys()
    if not numbers:
        return []
    prefix = f"{LEAD_STAGE}:"
    stages: dict[int, dict[str, int]] = {}
    for (number, what), count in sorted(counts.items()):
        if what.startswith(prefix):
            stages.setdefault(number, {})[what.removeprefix(prefix)] = count
    return [
        Week(
            week_name(number),
            counts[number, CREATED],
            counts[number, LEAD_QUALIFIED],
            counts[number, LEAD_DISQUALIFIED],
            stages.get(number, {}),
            converted[number],
        )
        for number in range(min(numbers), max(numbers) + 1)
    ]


def _difference(files: Sequence[Gathered], samples: Sequence[Sample]) -> Area | None:
    """Of the two areas, by the leads that are in both samples."""
    columns = []
    for one, sample in zip(files, samples, strict=True):
        leads = one.readings.leads
        columns.append(
            {
                leads[row]: (score, yes)
                for row, score, yes in zip(sample.rows, sample.scores, sample.converts, strict=True)
            }
        )
    common = [lead for lead in columns[0] if lead in columns[1]]
    converts = [columns[0][lead][1] for lead in common]
    first, second = (ranking.components([column[lead][0] for lead in common], converts) for column in columns)
    if first is None or second is None:
        return None
    return Area(*ranking.difference(first, second))


def _notes(material: Material, horizon: int) -> list[str]:
    notes = list(material.notes)
    if not material.conversions:
        notes.append("no feedback.converted in these events: nothing can be said about who converts")
    elif not material.draw.mondays:
        notes.append(
            f"the events span less than the horizon of {horizon / DAY:g} days and a Monday before it,"
            " so there is no landmark: a shorter --horizon, or more events"
        )
    return notes
