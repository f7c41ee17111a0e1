"""Names that nothing asks for, and own activities that are probably one and the same."""

from __future__ import annotations

from collections.abc import Iterator

from scorer.domain.conditions import leaves, matchers
from scorer.domain.model import Condition, InSegment, Matcher, Model
from scorer.domain.rules import ENTERED, LEFT
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.lint_places import Places, values
from scorer.rulefile.names import ACTIVITIES

MADE_HERE = "email.machine"
"""The well-known activity that no topic carries."""
SHORTEST = 5
"""Letters after ``app.`` of an activity that a slip can be told in: `app.a` and `app.b` are two."""


def check(report: Report, places: Places, model: Model) -> None:
    _segments(report, places, model)
    _lists(report, places)
    _machines(report, places, model)
    _activities(report, places, model)


def _conditions(model: Model) -> Iterator[Condition | None]:
    """Every condition on leads."""
    yield model.threshold.when
    for award in model.awards:
        yield award.given
    for group in (model.standings, model.segments, model.disqualifications, model.bands):
        yield from (one.when for one in group)
    yield from (move.when for move in model.moves)
    yield from (follow_up.when for follow_up in model.follow_ups)


def _matchers(model: Model) -> Iterator[Matcher]:
    for award in model.awards:
        yield award.on
    for move in model.moves:
        if move.on is not None:
            yield move.on
    for condition in _conditions(model):
        for leaf in leaves(condition):
            yield from matchers(leaf)


# -- used nowhere -----------------------------------------------------------------------------------------


def _segments(report: Report, places: Places, model: Model) -> None:
    used = {leaf.name for one in _conditions(model) for leaf in leaves(one) if isinstance(leaf, InSegment)}
    for award in model.awards:
        for prefix in (ENTERED, LEFT):
            used |= {name.removeprefix(prefix) for name in award.on.types if name.startswith(prefix)}
    for segment in model.segments:
        part = places.part("segments", segment.name)
        if part is not None and segment.name not in used:
            hint = (
                f"ask for it with `in segment: {segment.name}`, give points for `entering` it, or remove it"
            )
            report.warning(part.name.place, f"the segment `{segment.name}` is used nowhere", hint)


def _lists(report: Report, places: Places) -> None:
    for named in report.lists:
        part = places.part("lists", named)
        if part is not None and named not in report.asked:
            hint = f"ask for it with `in list {named}`, or remove it"
            report.warning(part.name.place, f"the list `{named}` is used nowhere", hint)


# -- activities that never come ---------------------------------------------------------------------------


def _machines(report: Report, places: Places, model: Model) -> None:
    """No publisher sends ``email.machine``: the section `machines` makes it of others, if told to."""
    made = model.machines is not None and model.machines.counts_as == MADE_HERE
    if made or not any(MADE_HERE in matcher.types for matcher in _matchers(model)):
        return
    text = next((text for text in values(places.root) if text.value == MADE_HERE), None)
    if text is not None:
        hint = f"write `counts as: {MADE_HERE}` under `machines`"
        report.warning(text.place, f"nothing is counted as `{MADE_HERE}`, and nobody sends it", hint)


# -- own activities -------------------------------------------------------------------------------------


def _activities(report: Report, places: Places, model: Model) -> None:
    """A product calls its activities what it likes, but hardly two of them the same but for a letter."""
    own = {
        name
        for matcher in _matchers(model)
        for name in matcher.types
        if name.startswith("app.") and name not in ACTIVITIES
    }
    if len(own) < 2:  # noqa: PLR2004 - a pair
        return
    places_of: dict[str, list[int]] = {name: [] for name in own}
    texts = list(values(places.root))
    for number, text in enumerate(texts):
        if text.value in places_of:
            places_of[text.value].append(number)
    # In the order of the file, so that of two that are as frequent the later one is doubted.
    names = [name for name in sorted(own, key=lambda name: places_of[name][:1]) if places_of[name]]
    shapes: dict[str, list[str]] = {}
    for name in names:
        close = {other for shape in _shapes(name) for other in shapes.get(shape, ()) if _slip(name, other)}
        for other in sorted(close):
            rare, usual = (other, name) if len(places_of[other]) < len(places_of[name]) else (name, other)
            text, line = texts[places_of[rare][0]], texts[places_of[usual][0]].place.line
            message = f"`{rare}` and `{usual}` on line {line} differ in one letter"
            hint = f"did you mean `{usual}`? If your product really sends both, leave them"
            report.warning(text.place, message, hint)
        for shape in _shapes(name):
            shapes.setdefault(shape, []).append(name)


def _shapes(name: str) -> set[str]:
    """The name, and the name without any one of its letters: what differs in one letter shares one."""
    return {name} | {name[:at] + name[at + 1 :] for at in range(len(name))}


def _slip(one: str, other: str) -> bool:
    """One letter (no digit: `v1` and `v2` are two) is another, is missing, or is there too often."""
    if min(len(one), len(other)) < len("app.") + SHORTEST or abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(one), len(other)) - start and one[-1 - end] == other[-1 - end]:
        end += 1
    left, right = one[start : len(one) - end], other[start : len(other) - end]
    return len(left) <= 1 and len(right) <= 1 and not (left + right).isdigit()
