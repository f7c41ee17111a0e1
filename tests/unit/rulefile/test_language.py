"""What each form of the language means: text in, model out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scorer.domain import model as m
from scorer.rulefile import loads, render

if TYPE_CHECKING:
    from scorer.domain.model import Award, Condition, Model, Standing

TOP = "model: Test\nscores: {fit: {}, engagement: {decay: half every 30 days}}\n"
DAY = 86_400_000


def model(text: str) -> Model:
    loaded = loads(text)
    assert loaded.model is not None, render(loaded.diagnostics)
    assert loaded.diagnostics == []
    return loaded.model


def award(text: str, more: str = "") -> Award:
    """The award of ``{rule: r, ...}``."""
    (rule,) = model(f"{TOP}{more}rules:\n  engagement:\n    - {{rule: r, {text}}}\n").awards
    return rule


def when(text: str, more: str = "") -> Condition:
    standing: Standing
    (standing,) = model(
        f"{TOP}{more}rules:\n  fit:\n    - rule: r\n      points: 1\n      when: {text}\n"
    ).standings
    return standing.when


def is_(field: str, *values: Any) -> m.Compare:
    return m.Compare(field, "equals", values)


# -- values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),  # Norway is no falsehood
        ("no", "no"),
        ("yes", "yes"),
        ("Off", "Off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("12:30", "12:30"),  # nor is half past twelve 750
        ("2026-11-01", "2026-11-01"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("25", 25),
        ("-3", -3),
        ("2.50", 2.5),
        ("9223372036854775807", 2**63 - 1),
        ("'25'", "25"),
        ('"true"', "true"),
        ("'at least 25'", "at least 25"),
        ("'02134'", "02134"),
        ("'null'", "null"),
        ("'Paris, Texas'", "Paris, Texas"),
        ("new to old", "new to old"),
        ("Israel", "Israel"),
        ("https://example.com/a?b=c", "https://example.com/a?b=c"),
        ("/pricing", "/pricing"),
        ("Größe", "Größe"),
    ],
)
def test_a_value(text: str, value: object) -> None:
    condition = when(f"{{x: {text}}}")
    assert condition == is_("x", value)
    assert isinstance(condition, m.Compare)
    assert type(condition.value[0]) is type(value)


def test_a_list_of_values_of_which_one_is_enough() -> None:
    assert when("{country: [US, UK, NO]}") == is_("country", "US", "UK", "NO")
    assert when("{answer: [yes, true, 1]}") == is_("answer", "yes", True, 1)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("at least 25", m.Compare("x", "at_least", (25.0,))),
        ("at most 2.5", m.Compare("x", "at_most", (2.5,))),
        ("above -1", m.Compare("x", "above", (-1.0,))),
        ("below 5", m.Compare("x", "below", (5.0,))),
        ("25 to 45", m.All((m.Compare("x", "at_least", (25.0,)), m.Compare("x", "at_most", (45.0,))))),
        ("contains chief", m.Compare("x", "contains", ("chief",))),
        ('contains "free trial"', m.Compare("x", "contains", ("free trial",))),
        ("starts with /blog", m.Compare("x", "prefix", ("/blog",))),
        ("matches ^/docs/[0-9]+$", m.Compare("x", "matches", ("^/docs/[0-9]+$",))),
        ("exists", m.Compare("x", "exists")),
        ("missing", m.Compare("x", "missing")),
        ("not US", m.Not((is_("x", "US"),))),
        ("not at least 5", m.Not((m.Compare("x", "at_least", (5.0,)),))),
        ("not missing", m.Not((m.Compare("x", "missing"),))),
        ("{not: [US, UK]}", m.Not((is_("x", "US", "UK"),))),
        ("{starts with: [/a, /b]}", m.Compare("x", "prefix", ("/a", "/b"))),
        ("[starts with /a, starts with /b]", m.Compare("x", "prefix", ("/a", "/b"))),
        ("[starts with /a, /b]", m.Any((m.Compare("x", "prefix", ("/a",)), is_("x", "/b")))),
        (
            "{above: 5, below: 10}",
            m.All((m.Compare("x", "above", (5.0,)), m.Compare("x", "below", (10.0,)))),
        ),
        (
            "{starts with: /blog, not: starts with /blog/a}",
            m.All((m.Compare("x", "prefix", ("/blog",)), m.Not((m.Compare("x", "prefix", ("/blog/a",)),)))),
        ),
    ],
)
def test_a_comparison(text: str, condition: Condition) -> None:
    assert when(f"\n        x: {text}") == condition


# -- conditions ----------------------------------------------------------------------------------------


def test_entries_of_a_mapping_and_items_of_a_list_all_hold() -> None:
    both = m.All((is_("a", 1), is_("b", 2)))
    assert when("{a: 1, b: 2}") == both
    assert when("[{a: 1}, {b: 2}]") == both
    assert when("{all: [{a: 1}, {b: 2}]}") == both


def test_groups_nest() -> None:
    text = "{any: [{a: 1}, {none: [{b: 2}, {all: [{c: 3}, {any: [{d: 4}, {e: 5}]}]}]}], f: 6}"
    inner = m.All((is_("c", 3), m.Any((is_("d", 4), is_("e", 5)))))
    assert when(text) == m.All((m.Any((is_("a", 1), m.Not((is_("b", 2), inner)))), is_("f", 6)))


def test_absence_and_recency() -> None:
    opened = m.Matcher(("email.opened",))
    pricing = m.Matcher(("page.viewed",), m.Compare("path", "prefix", ("/pricing",)))
    assert when("{no: email.opened, for: 60 days}") == m.Absent(opened, 60 * DAY)
    text = "{at least: 3, of: page.viewed, where: {path: starts with /pricing}, within: 1 week}"
    assert when(text) == m.Recent(pricing, 7 * DAY, 3)
    many = "{no: [email.opened, email.clicked], for: 36 hours}"
    assert when(many) == m.Absent(m.Matcher(("email.opened", "email.clicked")), DAY + DAY // 2)
    mixed = "{role: student, no: email.opened, for: 60 days}"
    assert when(mixed) == m.All((is_("role", "student"), m.Absent(opened, 60 * DAY)))


def test_segments_stand_after_those_that_they_use() -> None:
    text = """segments:
  C: {in segment: [A, B]}
  B: {not in segment: A}
  A: {country: US}
rules: {fit: [{rule: r, when: {in segment: C}, points: 1}]}
"""
    segments = model(TOP + text).segments
    assert [one.name for one in segments] == ["A", "B", "C"]
    assert segments[1].when == m.Not((m.InSegment("A"),))
    assert segments[2].when == m.Any((m.InSegment("A"), m.InSegment("B")))


def test_fields_that_are_called_like_words_of_the_language() -> None:
    assert when("{attributes: {no: 1, any: yes}}") == m.All((is_("no", 1), is_("any", "yes")))
    rule = award("on: app.order, where: {properties: {within: 5}}, points: 1")
    assert rule.on.where == is_("within", 5)


def test_properties_with_dots() -> None:
    assert award("on: page.viewed, where: {utm.source: mail}, points: 1").on.where == is_(
        "utm.source", "mail"
    )


# -- rules -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("points: +5", m.Fixed(5)),
        ("points: -0.5", m.Fixed(-0.5)),
        ("first: 0, later: +1", m.FirstLater(0, 1)),
        ("points: +2, multiplied by: seats", m.PerUnit("seats", 2)),
        (
            "points by: {property: plan, values: {free: 0, pro: +5, 3: 1, true: 2}, otherwise: 1}",
            m.Table("plan", (("free", 0), ("pro", 5), (3, 1), (True, 2)), 1),
        ),
        ("points by: {property: plan, values: {pro: 5}}", m.Table("plan", (("pro", 5),), None)),
    ],
)
def test_points(text: str, points: m.Points) -> None:
    assert award(f"on: app.plan, {text}").points == points


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("once", m.Once()),
        ("once per path", m.OncePerObject("path")),
        ("once per utm.source", m.OncePerObject("utm.source")),
        ("once a day", m.PerPeriod("day", 1)),
        ("twice a week", m.PerPeriod("week", 2)),
        ("3 times a month", m.PerPeriod("month", 3)),
        ("1 time a quarter", m.PerPeriod("quarter", 1)),
    ],
)
def test_limits(text: str, limit: m.Limit) -> None:
    assert award(f"on: page.viewed, points: 1, limit: {text}").limit == limit


@pytest.mark.parametrize(
    ("text", "decay"),
    [
        ("half every 60 days", m.HalfLife(60 * DAY)),
        ("half every week", m.HalfLife(7 * DAY)),
        ("half every 5 s", m.HalfLife(5_000)),
        ("half every 0.5 hours", m.HalfLife(1_800_000)),
        ("half every 90 sec", m.HalfLife(90_000)),
        ("half every 15 min", m.HalfLife(900_000)),
        ("half every 250 ms", m.HalfLife(250)),
        ("10% a week", m.LinearDecay(0.1, 7)),
        ("2.5 % every day", m.LinearDecay(0.025, 1)),
        ("25% every 30 days", m.LinearDecay(0.25, 30)),
        ("50% every 2 weeks", m.LinearDecay(0.5, 14)),
        ("none", None),
    ],
)
def test_decay(text: str, decay: m.Decay | None) -> None:
    assert award(f"on: page.viewed, points: 1, decay: {text}").decay == decay


def test_decay_comes_from_the_score_unless_the_rule_says_otherwise() -> None:
    assert award("on: page.viewed, points: 1").decay == m.HalfLife(30 * DAY)


def test_triggers() -> None:
    more = "segments: {Fans: {country: US}}\n"
    two = award("on: [email.opened, email.clicked], points: 1")
    assert two.on.types == ("email.opened", "email.clicked")
    assert award("on: app.my_own.thing, points: 1").on.types == ("app.my_own.thing",)
    assert award("entering: Fans, points: 1", more).on.types == ("segment.entered:Fans",)
    assert award("leaving: [Fans], points: 1", more).on.types == ("segment.left:Fans",)


def test_a_cap_has_the_rules_sign() -> None:
    assert award("on: page.viewed, points: 1, cap: 10").cap == 10
    assert award("on: page.viewed, points: -1, cap: -10").cap == -10


# -- the rest of the file ----------------------------------------------------------------------------------


def test_settings() -> None:
    text = """model: All of it
time zone: America/New_York
grace: 90 s
qualify: {enter: above 30.5, exit: below -2}
total: {cap: 100, floor: -50}
scores:
  fit: {weight: 2, cap: 40, floor: -40}
  intent:
rules: {fit: [], intent: []}
memory: {event ids: 64, objects: 500}
identity: {anonymous ids: 20, emails: 2}
accounts: {score: best 3, enter: above 60, exit: below 40, decay: half every 2 weeks, people: 50}
"""
    assert model(text) == m.Model(
        name="All of it",
        scores=(m.Score("fit", 2, 40, -40), m.Score("intent")),
        threshold=m.Threshold(30.5, -2),
        time_zone="America/New_York",
        grace=90_000,
        cap=100,
        floor=-50,
        dedupe=64,
        objects=500,
        identity=m.Identity(anonymous_ids=20, emails=2),
        accounts=m.Accounts("best", 3, 14 * 86_400_000, 60, 40, 50),
    )


def test_defaults() -> None:
    plain = model("model: Plain\nscores: {fit: {}}\nrules: {}\n")
    assert plain == m.Model(name="Plain", scores=(m.Score("fit"),))
    assert (plain.threshold.enter, plain.threshold.exit, plain.grace, plain.time_zone) == (
        20,
        15,
        2_000,
        "UTC",
    )


def test_disqualifications_and_temperature() -> None:
    text = """disqualify:
  - rule: Student
    when: {role: student}
  - {rule: Rival, when: {x: 1}, reason: Competes, deal stage: Disqualified / Lost, requalify: no}
temperature:
  hot: {need: yes}
  warm: {budget: yes}
  otherwise: icy
rules: {}
"""
    found = model(TOP + text)
    assert found.disqualifications == (
        m.Disqualification("Student", is_("role", "student"), "Student", "Lost", requalify=True),
        m.Disqualification("Rival", is_("x", 1), "Competes", "Disqualified / Lost", requalify=False),
    )
    assert found.bands == (m.Band("hot", is_("need", "yes")), m.Band("warm", is_("budget", "yes")))
    assert found.coldest == "icy"


def test_yaml_in_other_dress() -> None:
    """Windows line ends, a byte order mark, tabs after values and comments, and JSON, which is YAML."""
    plain = TOP + "rules:\n  fit:\n    - {rule: r, when: {a: b}, points: 1}\n"
    assert model("\ufeff" + plain.replace("\n", "\r\n")) == model(plain)
    assert model(plain.replace("\nscores:", "\t# comment\twith tabs\n\t# another\nscores:\t")) == model(plain)
    json = (
        '{"model": "Test", "scores": {"fit": {}, "engagement": {"decay": "half every 30 days"}},'
        ' "rules": {"fit": [{"rule": "r", "when": {"a": "b"}, "points": 1}]}}'
    )
    assert model(json) == model(plain)
