"""Random rule files, drawn so that things happen: short windows, several half-lives, thresholds in reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from scorer.domain.lifecycle import NUMBERS, legal
from scorer.domain.model import (
    Absent,
    All,
    Award,
    Band,
    Compare,
    Condition,
    Dated,
    Decay,
    Disqualification,
    FirstLater,
    Fixed,
    FollowUp,
    Grade,
    HalfLife,
    InSegment,
    Limit,
    LinearDecay,
    Machines,
    Matcher,
    Matrix,
    Model,
    Move,
    Not,
    NotSince,
    Once,
    OncePerObject,
    PerPeriod,
    PerUnit,
    Points,
    PointsPerPeriod,
    Recent,
    Score,
    Segment,
    Standing,
    Table,
    Threshold,
)
from scorer.domain.model import Any as AnyOf
from tests.property.dice import Dice
from tests.reference.lead import conditions, leaves

SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000
TYPES = ("email.opened", "email.clicked", "page.viewed", "booking.created", "feedback.moved")
SENT = (*TYPES, "email.delivered", "email.clicked")
"""What publishers send."""
EARNING = (*TYPES, "email.machine")
ZONES = ("UTC", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")

ATTRIBUTES = (
    Compare("country", "equals", ("us", "UK")),
    Compare("country", "prefix", ("u",)),
    Compare("country", "missing"),
    Compare("role", "exists"),
    Compare("role", "contains", ("dent",)),
    Compare("role", "matches", ("^(student|ceo)$",)),
    Compare("employees", "at_least", (25,)),
    Compare("employees", "below", (5.5,)),
)
PROPERTIES = (
    Compare("kind", "equals", ("Nurture",)),
    Compare("path", "prefix", ("/PRI", "/car")),
    Compare("path", "contains", ("ee",)),
    Compare("path", "matches", ("s$",)),
    Compare("n", "above", (1,)),
    Compare("n", "at_most", (2.5,)),
    Compare("n", "equals", (3,)),
    Compare("flag", "equals", (True,)),
    Compare("tags", "contains", ("A",)),
    Compare("item", "exists"),
    Compare("item", "missing"),
)


@dataclass(frozen=True)
class Scale:
    """How fast a model's world moves: stories and windows are drawn in the same unit."""

    unit: int
    """ms."""
    exact: bool
    """No half-lives, binary fractions only: totals may meet thresholds exactly."""
    writable: bool = False
    """Only what a rule file can say: ``written``."""
    rich: bool = False
    """At least five rules of three kinds."""

    def times(self, *tenths: int) -> list[int]:
        return [max(1, self.unit * one // 10) for one in tenths]


def draw_scale(dice: Dice, *, writable: bool = False, rich: bool = False) -> Scale:
    unit = dice.one(SECOND, HOUR, 7 * HOUR, DAY, 9 * DAY)
    return Scale(unit, exact=dice.chance(30), writable=writable, rich=rich)


def draw_model(dice: Dice, scale: Scale) -> Model:
    scores = ["fit", "engagement"][: dice.number(1, 2)]
    segments: list[Segment] = []
    for number in range(dice.one(1, 2) if scale.rich else dice.one(0, 0, 1, 2)):
        segments.append(Segment(f"s{number}", _condition(dice, scale, [one.name for one in segments])))
    names = [segment.name for segment in segments]
    exact = scale.exact
    staged = dice.chance(40)
    made = tuple(_score(dice, name) for name in scores)
    graded = [score.name for score in made if score.lowest is not None]
    return Model(
        name="drawn",
        scores=made,
        threshold=_threshold(dice, scale, scores, names, exact=exact),
        time_zone=dice.one(*ZONES),
        grace=dice.one(2_000, 2_000, int(scale.writable), 700),
        awards=tuple(
            _award(dice, scale, f"award-{number}", dice.one(*scores), names)
            for number in range(dice.number(3 if scale.rich else 1, 5))
        ),
        standings=tuple(
            Standing(f"standing-{number}", dice.one(*scores), _condition(dice, scale, names), _number(dice))
            for number in range(dice.number(int(scale.rich), 2))
        ),
        segments=tuple(segments),
        disqualifications=tuple(
            Disqualification(
                f"disqualification-{number}",
                _condition(dice, scale, names),
                reason="drawn",
                requalify=not dice.chance(30),
            )
            for number in range(dice.one(0, 0, 1, 2))
        ),
        bands=tuple(Band("hot", _condition(dice, scale, names)) for _ in range(dice.number(0, 1))),
        cap=dice.one(None, None, None, 17.5),
        floor=dice.one(None, None, None, -1.5),
        dedupe=dice.one(256, 256, 2),
        objects=dice.one(1_000, 2),
        staged=staged,
        moves=tuple(_move(dice, scale, f"move-{number}", names) for number in range(3)) if staged else (),
        follow_ups=_follow_ups(dice, scale, names),
        holidays=dice.one((), ("2024-03-29", "2024-04-01", "2025-01-01")),
        machines=_machines(dice, scale),
        matrix=_matrix(made, graded) if len(graded) == len(scores) > 1 else None,
    )


def _threshold(dice: Dice, scale: Scale, scores: list[str], segments: list[str], *, exact: bool) -> Threshold:
    enter = dice.one(2.0, 5.0, 8.0, 15.0) + (0.0 if exact else 0.37)
    leave = round(enter - dice.one(0.0, 1.0, 3.5), 2)
    if dice.chance(60):
        return Threshold(enter, leave)
    minimum = ((dice.one(*scores), dice.one(1.0, 3.0) + (0.0 if exact else 0.21)),)
    cooling = dice.one("", "ms", "period")
    return Threshold(
        enter,
        leave,
        dwell=dice.one(0, *scale.times(1, 5, 20)),
        minimum=minimum if dice.chance(40) else (),
        when=_condition(dice, scale, segments) if dice.chance(30) else None,
        cooling_off=dice.one(*scale.times(10, 40)) if cooling == "ms" else 0,
        cooling_period=dice.one("day", "week", "month", "quarter") if cooling == "period" else "",
    )


def _move(dice: Dice, scale: Scale, name: str, segments: list[str]) -> Move:
    to = dice.one("Contacted", "Nurture", "Open", "Negotiation", "Inactive", "Unqualified", "Customer")
    sources = dice.one((), (), ("Open", "Qualified"), ("Nurture", "Contacted", "Inactive"))
    if scale.writable:
        sources = tuple(one for one in sources if legal(NUMBERS[one], NUMBERS[to]))
    rearm = dice.chance(50)
    if dice.chance(50):
        return Move(name, to, when=_condition(dice, scale, segments), sources=sources, rearm=rearm)
    if dice.chance(50):
        on = Matcher(("feedback.moved",))
        return Move(name, None, on=on, sources=sources, field="stage", rearm=rearm)
    return Move(name, to, on=_matcher(dice, list(TYPES)), sources=sources, rearm=rearm)


def _follow_ups(dice: Dice, scale: Scale, segments: list[str]) -> tuple[FollowUp, ...]:
    if dice.chance(60):
        return ()
    first = FollowUp("first", _condition(dice, scale, segments), "role", ("ann", "ben", "cem"), 2, "call")
    return (first, FollowUp("rest", owners=("dora",), due=dice.one(None, 0, 5)))


def _machines(dice: Dice, scale: Scale) -> Machines | None:
    if dice.chance(65) or (scale.writable and 2 * scale.unit > HOUR):
        return None
    links = dice.one(0, 2, 2, 3)
    return Machines(
        ("email.opened", "email.clicked"),
        where=dice.one(None, Compare("flag", "equals", (True,))),
        sooner=dice.one(0, *scale.times(1, 5)) if links else scale.unit,
        links=links,
        within=dice.one(*scale.times(1, 5, 20)) if links else 0,
        counts_as=dice.one(None, "email.machine"),
    )


def _matrix(scores: tuple[Score, ...], graded: list[str]) -> Matrix:
    rows, columns = graded[:2]
    sizes = {score.name: len(score.grades) + 1 for score in scores}
    cells = tuple(tuple(f"{row}-{column}" for column in range(sizes[columns])) for row in range(sizes[rows]))
    return Matrix(rows, columns, cells)


def reprice(dice: Dice, model: Model) -> Model:
    """Other points, clamps, weights and thresholds; nothing that a grant or a condition depends on."""
    replace = msgspec.structs.replace
    exact = float(model.threshold.enter).is_integer()
    enter = dice.one(2.0, 5.0, 8.0, 15.0) + (0.0 if exact else 0.37)
    threshold = replace(model.threshold, enter=enter, exit=enter - dice.one(0.0, 1.0, 3.5))
    awards = [
        replace(
            award,
            points=_repriced(dice, award.points),
            cap=dice.one(award.cap, None, 7.0, -6.5),
            score=dice.one(award.score, *(score.name for score in model.scores)),
        )
        for award in model.awards
    ]
    return replace(
        model,
        threshold=threshold,
        awards=tuple(awards),
        standings=tuple(replace(one, points=_number(dice)) for one in model.standings),
        scores=tuple(
            replace(_score(dice, score.name), grades=score.grades, lowest=score.lowest)
            for score in model.scores
        ),
        cap=dice.one(None, None, 17.5),
        floor=dice.one(None, None, -1.5),
    )


def redefine(dice: Dice, scale: Scale, model: Model) -> Model:
    """Another model altogether, in the same zone; never one that counts further back than ``model`` kept."""
    new = msgspec.structs.replace(
        draw_model(dice, scale),
        time_zone=model.time_zone,
        grace=model.grace,
        dedupe=model.dedupe,
        objects=model.objects,
    )
    kept, wanted = _counts(model), _counts(new)
    further = any(wanted[matcher] > kept[matcher] for matcher in wanted.keys() & kept.keys())
    return reprice(dice, model) if further else new


def _counts(model: Model) -> dict[Matcher, int]:
    found: dict[Matcher, int] = {}
    others = [*(band.when for band in model.bands), *(rule.when for rule in model.follow_ups)]
    others += [award.given for award in model.awards]
    for leaf in leaves([*conditions(model), *(one for one in others if one is not None)]):
        if isinstance(leaf, Recent | Absent):
            count = leaf.count if isinstance(leaf, Recent) else 1
            found[leaf.matcher] = max(count, found.get(leaf.matcher, 0))
        elif isinstance(leaf, NotSince):
            for matcher in (leaf.matcher, leaf.since):
                found[matcher] = max(1, found.get(matcher, 0))
    return found


def _repriced(dice: Dice, points: Points) -> Points:
    match points:
        case Fixed():
            return Fixed(_number(dice))
        case FirstLater():
            return FirstLater(_number(dice), _number(dice))
        case PerUnit(name):
            return PerUnit(name, dice.one(0.25, 1.0, -1.0))
        case Table(name, rows, otherwise):
            other = None if otherwise is None else _number(dice)
            return Table(name, tuple((value, _number(dice)) for value, _ in rows), other)


def _number(dice: Dice) -> float:
    """Points: more often than not positive, in quarters."""
    return dice.number(4, 60) / 4 if dice.chance(50) else dice.number(-40, 60) / 4


def _score(dice: Dice, name: str) -> Score:
    return Score(
        name,
        weight=dice.one(1.0, 1.0, 0.5, 2.0),
        cap=dice.one(None, None, None, 10.25),
        floor=dice.one(None, None, None, -2.0, 0.0),
        **dice.one({}, {}, {"grades": (Grade("A", 6.1), Grade("B", 2.2)), "lowest": "C"}),
    )


def _award(dice: Dice, scale: Scale, name: str, score: str, segments: list[str]) -> Award:
    given = _condition(dice, scale, segments) if dice.chance(20) else None
    caused = [] if given else segments
    if scale.writable:
        return _writable_award(dice, scale, name, score, caused, given)
    types = [*EARNING, *(f"segment.{way}:{segment}" for segment in caused for way in ("entered", "left"))]
    return Award(
        name,
        score,
        _matcher(dice, types),
        _points(dice),
        limit=_limit(dice) if dice.chance(35) else None,
        decay=_decay(dice, scale),
        cap=dice.one(None, None, None, 7.0, -6.5),
        given=given,
    )


def _writable_award(
    dice: Dice, scale: Scale, name: str, score: str, segments: list[str], given: Condition | None
) -> Award:
    on = _matcher(dice, list(EARNING))
    if segments and dice.chance(25):
        way = dice.one("entered", "left")
        on = Matcher(tuple(f"segment.{way}:{one}" for one in dice.some(1, 2, segments)))
    points = _points(dice)
    match points:
        case Fixed(amount):
            amounts = [amount]
        case FirstLater(first, later):
            amounts = [first, later]
        case Table(_, rows, otherwise):
            amounts = [amount for _, amount in rows] + ([] if otherwise is None else [otherwise])
        case _:
            amounts = []
    cap = dice.one(None, None, None, 7.0, -6.5)
    if cap is not None and any(amount * cap < 0 for amount in amounts):
        cap = None
    limit = _limit(dice) if dice.chance(35) else None
    return Award(name, score, on, points, limit, _decay(dice, scale), cap, given)


def _matcher(dice: Dice, types: list[str]) -> Matcher:
    where = _combined(dice, lambda: dice.one(*PROPERTIES)) if dice.chance(35) else None
    return Matcher(dice.some(1, 2, types), where)


def _points(dice: Dice) -> Points:
    match dice.one("fixed", "fixed", "first_later", "table", "per_unit"):
        case "first_later":
            return FirstLater(_number(dice), _number(dice))
        case "table":
            values = dice.one(("Nurture",), ("nurture", "SALES"))
            rows = tuple((value, _number(dice)) for value in values)
            return Table("kind", rows, dice.one(None, _number(dice)))
        case "per_unit":
            return PerUnit("n", dice.one(0.25, 1.0, 1.5, -1.0))
        case _:
            return Fixed(_number(dice))


def _limit(dice: Dice) -> Limit:
    return dice.one(
        Once(),
        OncePerObject(dice.one("item", "kind")),
        OncePerObject("item", renamed_from="was"),
        PointsPerPeriod(dice.one("day", "week", "month"), dice.one(3.0, 7.5)),
        PerPeriod(dice.one("day", "week", "month", "quarter"), dice.number(1, 2)),
    )


def _decay(dice: Dice, scale: Scale) -> Decay | None:
    kind = dice.one("none", "linear") if scale.exact else dice.one("none", "half", "half", "half", "linear")
    match kind:
        case "half":
            return HalfLife(dice.one(*scale.times(3, 10, 25, 100, 10_000)))
        case "linear":
            third = 0.3 if scale.writable else 1 / 3
            share = dice.one(0.25, 0.5, 1.0) if scale.exact else dice.one(0.1, 0.25, third)
            return LinearDecay(share, dice.number(1, 3))
        case _:
            return None


# -- conditions on a lead -----------------------------------------------------------------------


def _condition(dice: Dice, scale: Scale, segments: list[str]) -> Condition:
    return _combined(dice, lambda: _leaf(dice, scale, segments))


def _leaf(dice: Dice, scale: Scale, segments: list[str]) -> Condition:
    kinds = ["compare", "absent", "recent", "not since", "dated", *(["segment"] if segments else [])]
    match dice.one(*kinds):
        case "not since":
            first, second = _matcher(dice, list(TYPES)), _matcher(dice, list(TYPES))
            return NotSince(first, second, dice.one(0, *scale.times(1, 3, 10)))
        case "dated":
            far, near = dice.one(*scale.times(3, 10, 40)), dice.one(*scale.times(1, 5))
            return Dated("renewal", *dice.one((None, -far), (near, None), (0, far), (-far, 1)))
        case "absent":
            return Absent(_matcher(dice, list(TYPES)), dice.one(*scale.times(1, 3, 10, 40)))
        case "recent":
            return Recent(
                _matcher(dice, list(TYPES)), dice.one(*scale.times(1, 3, 10, 40)), dice.number(1, 3)
            )
        case "segment":
            return InSegment(dice.one(*segments))
        case _:
            return dice.one(*ATTRIBUTES)


def _combined(dice: Dice, leaf: Callable[[], Condition]) -> Condition:
    match dice.one("leaf", "leaf", "all", "any", "not"):
        case "all":
            return All(tuple(leaf() for _ in range(dice.number(1, 2))))
        case "any":
            return AnyOf(tuple(leaf() for _ in range(dice.number(1, 2))))
        case "not":
            return Not(tuple(leaf() for _ in range(dice.number(1, 2))))
        case _:
            return leaf()
