"""What `scorer rules apply` says about the difference between two rule sets."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from scorer.domain import model as m
from scorer.rule_changes import Changes, changes

DAY = 86_400_000
OPENED = m.Award("Opened", "engagement", m.Matcher(("email.opened",)), m.Fixed(1.0), decay=m.HalfLife(DAY))
CLICKED = m.Award(
    "Clicked",
    "engagement",
    m.Matcher(("email.clicked",)),
    m.Table("kind", (("sales", 5.0), ("nurture", 2.0))),
)
TASK = m.Award("Task", "engagement", m.Matcher(("app.task_created",)), m.FirstLater(1.0, 2.0))
SPENT = m.Award("Spent", "engagement", m.Matcher(("app.paid",)), m.PerUnit("amount", 0.1))
QUIET = m.Standing("Quiet", "fit", m.Absent(m.Matcher(("email.opened",)), 30 * DAY), -5.0)
CHIEF = m.Standing("Chief", "fit", m.Compare("job", "equals", ("CEO",)), 5.0)
BASE = m.Model(
    name="Test",
    scores=(m.Score("fit"), m.Score("engagement")),
    awards=(OPENED, CLICKED, TASK, SPENT),
    standings=(QUIET, CHIEF),
    bands=(m.Band("hot", m.Compare("need", "equals", (True,))),),
)


def told(**fields: Any) -> Changes:
    return changes(m.encode_model(BASE), m.encode_model(msgspec.structs.replace(BASE, **fields)))


def award(former: m.Award, **fields: Any) -> dict[str, Any]:
    """The awards with one of them changed."""
    changed = msgspec.structs.replace(former, **fields)
    return {"awards": tuple(changed if one is former else one for one in BASE.awards)}


def test_the_same_rules_change_nothing() -> None:
    assert not told().any


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (award(OPENED, points=m.Fixed(3.0)), "Opened: 1 -> 3 points"),
        (award(OPENED, cap=10.0), "Opened: cap none -> 10"),
        (award(OPENED, score="fit"), "Opened: counts as fit instead of engagement"),
        (award(TASK, points=m.FirstLater(1.0, 4.0)), "Task (later): 2 -> 4 points"),
        (award(SPENT, points=m.PerUnit("amount", 0.2)), "Spent: 0.1 -> 0.2 points"),
        (
            award(CLICKED, points=m.Table("kind", (("sales", 6.0), ("nurture", 2.0)))),
            "Clicked (sales): 5 -> 6 points",
        ),
        (
            award(CLICKED, points=m.Table("kind", (("sales", 5.0),))),
            "Clicked (nurture): removed, its points are dropped",
        ),
        ({"awards": (OPENED, CLICKED, TASK)}, "Spent: removed, its points are dropped"),
        ({"standings": (QUIET,)}, "standing points Chief: removed"),
        (
            {"standings": (QUIET, msgspec.structs.replace(CHIEF, points=9.0))},
            "standing points Chief: points 5 -> 9",
        ),
        ({"bands": ()}, "band hot: removed"),
        ({"threshold": m.Threshold(25.0, 15.0)}, "threshold: enter 20 -> 25"),
        ({"scores": (m.Score("fit", weight=2.0), m.Score("engagement"))}, "score fit: weight 1 -> 2"),
        ({"cap": 100.0}, "total: cap none -> 100"),
        ({"time_zone": "Europe/Berlin"}, "time zone UTC -> Europe/Berlin"),
    ],
)
def test_what_holds_at_once(fields: dict[str, Any], line: str) -> None:
    assert told(**fields) == Changes([line], [], [])


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (award(OPENED, decay=m.HalfLife(2 * DAY)), "Opened: what earns it has changed"),
        (award(OPENED, limit=m.Once()), "Opened: what earns it has changed"),
        (
            award(OPENED, on=m.Matcher(("email.opened",), m.Compare("kind", "equals", ("sales",)))),
            "Opened: what",
        ),
        (award(SPENT, points=m.PerUnit("seats", 0.1)), "Spent: what earns it has changed"),
        (
            award(CLICKED, points=m.Table("kind", (("sales", 5.0), ("nurture", 2.0), ("other", 1.0)))),
            "Clicked (other): new",
        ),
        ({"awards": (*BASE.awards, msgspec.structs.replace(OPENED, id="Read"))}, "Read: new"),
    ],
)
def test_what_counts_from_now_on(fields: dict[str, Any], line: str) -> None:
    result = told(**fields)
    assert result.at_once == []
    assert [one[: len(line)] for one in result.from_nothing] == [line]


def test_an_absence_of_something_that_nobody_watched() -> None:
    unseen = m.Standing("Unseen", "fit", m.Absent(m.Matcher(("page.viewed",)), DAY), -1.0)
    longer = msgspec.structs.replace(QUIET, when=m.Absent(m.Matcher(("email.opened",)), 60 * DAY))
    assert told(standings=(QUIET, CHIEF, unseen)) == Changes(
        ["standing points Unseen: new"], ["Unseen: its windows begin now, nothing is known of before"], []
    )
    # A longer window over the same activities has a past.
    assert told(standings=(longer, CHIEF)) == Changes(["standing points Quiet: another condition"], [], [])
