"""Telling a story to the engine, and looking at the lead at the instants in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from scorer.domain import clock
from scorer.domain.lead import Lead
from scorer.domain.ledger import ledger
from scorer.domain.model import Model, Move, Segment, Threshold, encode_model, fingerprint
from scorer.domain.outcomes import LEAD_QUALIFIED, LEAD_STAGE, band, grades, stage
from scorer.domain.partition import LogPartition
from scorer.domain.reading import parts, total
from scorer.domain.record import Clock, Door, Doors, Fact, Record, Rules, encode_record
from scorer.domain.rules import RuleSet
from scorer.domain.state import PartitionState
from scorer.rulefile.diagnostics import Place
from scorer.rulefile.names import did_you_mean
from scorer.ruletests.story import Does, Expect, Test

_LEAD = b"the-lead"
_DOOR = Door(1, 0, "activity.email.v1", 0)
_NO_STAGE = "Open"


class Told(NamedTuple):
    """An outcome. ``at``: ms after the story's start."""

    kind: str
    at: int
    reason: str


class Contribution(NamedTuple):
    rule: str
    detail: str
    points: float


class Seen(NamedTuple):
    """A lead at an instant."""

    total: float
    scores: dict[str, float]
    ledger: list[Contribution]
    """Its points add up to the total."""
    stage: str
    temperature: str
    segments: list[str]
    emitted: list[Told]
    """Since it was looked at before."""
    stages: list[str]
    """Those it came to since it was looked at before."""
    grades: dict[str, str]
    cell: str | None
    follow_up: dict[str, str]
    """Of the last qualification since it was looked at before."""
    held: frozenset[str]
    """Rules and segments that hold, and those that have granted anything."""


class _Message(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes


class Story:
    """One lead's life by some rules."""

    def __init__(self, model: Model, starts: datetime) -> None:
        zone = ZoneInfo(model.time_zone)
        self._began = int(starts.replace(tzinfo=zone).timestamp() * 1_000)
        self._model = model
        self._partition = LogPartition(PartitionState(), {}, lambda _: None)
        self._offset = 0
        self._now = 0
        encoded = encode_model(model)
        self._append(Doors(1, [_DOOR]))
        self._append(Rules(1, fingerprint(encoded), encoded))

    def does(self, step: Does) -> None:
        """A step earlier than the one before arrives late."""
        self._now = max(self._now, step.at)
        self._read_through(self._now)
        at = self._began + step.at
        for _ in range(step.times):
            number = self._offset
            digest = number.to_bytes(8, "big")
            name = f"step-{number}"
            fact = Fact(step.type, at, at, _DOOR.number, number, digest, name, "/test", step.properties)
            self._append(fact, _LEAD)

    def look(self, at: int) -> Seen:
        """The lead at an instant (ms after the start), all that time alone does having been done."""
        self._now = max(self._now, at)
        self._read_through(self._now + self._model.grace)
        rules = self._partition.rules
        outcomes, self._partition.outcomes = self._partition.outcomes, []
        events: list[dict[str, Any]] = [msgspec.json.decode(outcome.value) for outcome in outcomes]
        moves = [event["data"] for event in events if event["type"] == LEAD_STAGE]
        emitted = [self._told(event) for event in events if event["type"] != LEAD_STAGE]
        stages = [str(move["stage"]) for move in moves]
        moved_by = frozenset(str(move["reason"]) for move in moves)
        followed = _followed(events)
        lead = self._partition.get(_LEAD)
        if lead is None:
            names = [score.name for score in self._model.scores]
            nothing = dict.fromkeys(names, 0.0)
            return Seen(
                0.0, nothing, [], _NO_STAGE, self._model.coldest, [], emitted, [], {}, None, {}, frozenset()
            )
        now = max(self._began + self._now, lead.clock)
        lines = [Contribution(one.rule, one.detail, one.value) for one in ledger(rules, lead, now)]
        values = parts(rules, lead, now)
        holding = [judged.item for judged in rules.judged if judged.slot in lead.holds]
        segments = [item.name for item in holding if isinstance(item, Segment)]
        return Seen(
            total(rules, lead, now),
            {name: values[index] for name, index in rules.score_index.items()},
            lines,
            stage(lead),
            band(rules, lead),
            segments,
            emitted,
            stages,
            *grades(rules, values),
            followed,
            _held(rules, lead, lines, holding) | moved_by | {f"follow up\0{followed.get('rule')}"},
        )

    def _told(self, event: dict[str, Any]) -> Told:
        at = round(datetime.fromisoformat(event["time"]).timestamp() * 1_000) - self._began
        return Told(event["type"].removeprefix("lead."), at, event["data"]["reason"])

    def _read_through(self, at: int) -> None:
        self._append(Clock(clock.pack({_DOOR.number: self._began + at})))

    def _append(self, record: Record, key: bytes | None = None) -> None:
        self._partition.apply([_Message(self._offset, key, encode_record(record))])
        self._offset += 1


def _followed(events: list[dict[str, Any]]) -> dict[str, str]:
    qualified = [event["data"] for event in events if event["type"] == LEAD_QUALIFIED]
    if not qualified:
        return {}
    names = (("rule", "follow_up"), ("owner", "owner"), ("due", "due"), ("next step", "next_step"))
    return {word: qualified[-1][name] for word, name in names if qualified[-1].get(name) is not None}


def _held(
    rules: RuleSet, lead: Lead, lines: Sequence[Contribution], holding: Sequence[Any]
) -> frozenset[str]:
    found = {f"{line.rule}\0{line.detail}" for line in lines}
    found |= {line.rule for line in lines}
    found |= {item.name if isinstance(item, Segment) else item.id for item in holding if _is_named(item)}
    found.add(f"temperature\0{band(rules, lead)}")
    return frozenset(found)


def _is_named(item: Any) -> bool:
    """Not the threshold's condition, nor that of a stage rule, which works by moving a lead."""
    return not isinstance(item, Threshold | Move)


class Failure(NamedTuple):
    """An expectation that did not come true."""

    expect: Expect
    seen: Seen
    wrong: list[tuple[Place, str]]
    """Where, and what."""


class Result(NamedTuple):
    test: Test
    failures: list[Failure]
    held: frozenset[str]
    """At any instant at which the story was looked at."""


def run(test: Test, model: Model) -> Result:
    """Tell a test's story; what was expected and did not come true."""
    story = Story(model, test.starts)
    failures: list[Failure] = []
    held: set[str] = set()
    names = _Names(model)
    for step in test.steps:
        if isinstance(step, Does):
            story.does(step)
            continue
        seen = story.look(step.at)
        held |= seen.held
        wrong = [*_unknown(step, names), *_wrong(step, seen)]
        if wrong:
            failures.append(Failure(step, seen, wrong))
    return Result(test, failures, frozenset(held))


class _Names:
    """What the rules give names to."""

    def __init__(self, model: Model) -> None:
        self.rules = [*(award.id for award in model.awards), *(rule.id for rule in model.standings)]
        self.segments = [segment.name for segment in model.segments]
        self.temperatures = [*(one.name for one in model.bands), model.coldest]


def _unknown(expect: Expect, names: _Names) -> Iterator[tuple[Place, str]]:
    """A slip must not pass for a rule that gives nothing."""
    for rule, amount in expect.points.items():
        if rule not in names.rules:
            yield amount.place, _no_such("rule", rule, names.rules)
    for word in expect.segments or ():
        if word.text not in names.segments:
            yield word.place, _no_such("segment", word.text, names.segments)
    if expect.temperature is not None and expect.temperature.text not in names.temperatures:
        word = expect.temperature
        yield word.place, _no_such("temperature", word.text, names.temperatures)


def _no_such(what: str, name: str, known: Sequence[str]) -> str:
    hint = did_you_mean(name, known)
    return f"these rules have no {what} `{name}`" + (f"; {hint}" if hint else "")


def _wrong(expect: Expect, seen: Seen) -> list[tuple[Place, str]]:
    wrong: list[tuple[Place, str]] = []
    if expect.total is not None and not expect.total.fits(seen.total):
        wrong.append((expect.total.place, f"the total is {number(seen.total)}, not {expect.total.text}"))
    for name, amount in expect.scores.items():
        if name not in seen.scores:
            wrong.append((amount.place, f"these rules have no score `{name}`"))
        elif not amount.fits(seen.scores[name]):
            wrong.append((amount.place, f"`{name}` is {number(seen.scores[name])}, not {amount.text}"))
    for rule, amount in expect.points.items():
        points = sum(line.points for line in seen.ledger if line.rule == rule)
        if not amount.fits(points):
            wrong.append((amount.place, f"`{rule}` gives {number(points)}, not {amount.text}"))
    if expect.stage is not None and expect.stage.text != seen.stage:
        wrong.append((expect.stage.place, f"the stage is {seen.stage}, not {expect.stage.text}"))
    if expect.temperature is not None and expect.temperature.text != seen.temperature:
        message = f"the temperature is {seen.temperature}, not {expect.temperature.text}"
        wrong.append((expect.temperature.place, message))
    wrong += _wrong_words(expect, seen)
    if expect.segments is not None and {word.text for word in expect.segments} != set(seen.segments):
        place = expect.segments[0].place if expect.segments else expect.place
        wrong.append((place, f"the lead is in {_listed(seen.segments, 'no segment')}"))
    if expect.emitted is not None:
        wrong += _wrongly_emitted(expect, seen)
    return wrong


def _wrong_words(expect: Expect, seen: Seen) -> Iterator[tuple[Place, str]]:
    """Stages passed through, grades, the matrix' cell, what sales is asked to do."""
    if expect.stages is not None and [word.text for word in expect.stages] != seen.stages:
        place = expect.stages[0].place if expect.stages else expect.place
        yield place, f"the lead came to {_listed(seen.stages, 'no other stage')}"
    for name, word in expect.grades.items():
        grade = seen.grades.get(name)
        if grade is None:
            yield word.place, f"these rules have no grades of `{name}`"
        elif grade != word.text:
            yield word.place, f"the grade of `{name}` is {grade}, not {word.text}"
    if expect.cell is not None and expect.cell.text != seen.cell:
        yield expect.cell.place, f"the cell is {seen.cell or 'none'}, not {expect.cell.text}"
    for name, word in expect.follow_up.items():
        said_ = seen.follow_up.get(name)
        if said_ != word.text:
            yield word.place, f"`{name}` of the follow-up is {said_ or 'not said'}, not {word.text}"


def _wrongly_emitted(expect: Expect, seen: Seen) -> list[tuple[Place, str]]:
    wanted = expect.emitted or []
    wrong: list[tuple[Place, str]] = []
    for index, one in enumerate(wanted):
        if index >= len(seen.emitted):
            wrong.append((one.place, f"{one.text} was not emitted"))
            continue
        told = seen.emitted[index]
        early = one.earliest is not None and told.at < one.earliest
        late = one.latest is not None and told.at > one.latest
        if told.kind != one.kind or early or late or (one.reason is not None and told.reason != one.reason):
            wrong.append((one.place, f"{said(told)} was emitted, not {one.text}"))
    for told in seen.emitted[len(wanted) :]:
        place = wanted[-1].place if wanted else expect.place
        wrong.append((place, f"{said(told)} was emitted {'as well' if wanted else 'all the same'}"))
    return wrong


def said(told: Told) -> str:
    """An outcome in words."""
    return f"{told.kind} at {span_text(told.at)}" + (f" by `{told.reason}`" if told.reason != "score" else "")


def span_text(ms: int) -> str:
    """``3 days 4 hours``, as a test would write it."""
    if not ms:
        return "start"
    pieces: list[str] = []
    left = ms
    for name, size in (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000)):
        count, left = divmod(left, size)
        if count:
            pieces.append(f"{count} {name}{'s' if count != 1 else ''}")
    if left:
        pieces.append(f"{left / 1_000:g} seconds")
    return " ".join(pieces)


def number(value: float) -> str:
    """Points to two decimals, whole ones without any."""
    text = f"{value:.2f}".removesuffix(".00")
    return "0" if text in {"-0", "-0.00"} else text


def _listed(names: Sequence[str], none: str) -> str:
    return ", ".join(f"`{name}`" for name in names) or none
