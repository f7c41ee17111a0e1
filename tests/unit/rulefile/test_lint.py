"""Beyond mistakes: what is reported of good files, and what comes near it but is not."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scorer.cli import run
from scorer.domain import model as m
from scorer.domain.conditions import on_properties
from scorer.domain.record import PROFILE_UPDATED
from scorer.rulefile import load, loads, mistakes, render
from scorer.rulefile.lint_logic import Reasoner
from scorer.rulefile.lint_uses import MADE_HERE
from scorer.rulefile.names import ACTIVITIES, OWN_ACTIVITY
from scorer.wire.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
SHIPPED = [*sorted((ROOT / "rules").glob("*.yaml")), *sorted((ROOT / "bench").glob("*.yaml"))]
TOP = "model: Test\nscores: {fit: {}, engagement: {decay: half every 30 days}}\n"
USED = "  engagement:\n    - {rule: used, on: email.opened, points: +1}\n"
DAY = 86_400_000


def said(text: str) -> list[tuple[str, str]]:
    """(severity, message) of all that is said about a good file."""
    loaded = loads(text)
    assert loaded.model is not None, render(loaded.diagnostics)
    return [(one.severity, one.message) for one in loaded.diagnostics]


def with_when(text: str, more: str = "") -> str:
    return f"{TOP}{more}rules:\n{USED}  fit:\n    - {{rule: r, points: 1, when: {text}}}\n"


def with_award(text: str, more: str = "") -> str:
    return f"{TOP}{more}rules:\n  engagement:\n    - {{rule: r, {text}}}\n"


# -- how it looks ----------------------------------------------------------------------------------------


def test_a_rule_that_never_matches() -> None:
    text = TOP + (
        "rules:\n  fit:\n    - rule: Right size\n"
        "      when:\n        country: US\n        employees: {at least: 500, below: 5}\n      points: +1\n"
    )
    assert render(loads(text, "r.yaml").diagnostics) == (
        "r.yaml:8:20: warning: the condition of `Right size` never holds: no value of `employees` is all "
        "that is asked\n"
        "    8 |         employees: {at least: 500, below: 5}\n"
        "      |                    ^\n"
        "      = hint: a field has one value; values of which one is enough stand in a list: "
        "`country: [US, UK]`"
    )


def test_a_temperature_behind_another() -> None:
    text = TOP + "rules: {}\ntemperature:\n  warm: {need: [yes, true]}\n  hot: {need: yes, budget: yes}\n"
    assert render(loads(text, "r.yaml").diagnostics) == (
        "r.yaml:6:3: warning: `hot` never counts: whenever it holds, `warm` above does too\n"
        "    6 |   hot: {need: yes, budget: yes}\n"
        "      |   ^^^\n"
        "      = hint: the first that holds counts: the narrower one belongs above the wider one"
    )


def test_a_threshold_out_of_reach() -> None:
    text = with_when("{country: US}", "qualify: {enter: above 20, exit: below 15}\n").replace(
        "points: +1", "points: +1, limit: once"
    )
    assert render(loads(text, "r.yaml").diagnostics) == (
        "r.yaml:3:18: warning: no lead qualifies: all points together come to 2 at most\n"
        "    3 | qualify: {enter: above 20, exit: below 15}\n"
        "      |                  ^^^^^^^^\n"
        "      = hint: lower it, or raise points, weights or caps"
    )


def test_a_note_is_no_mistake_and_no_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(with_award("on: page.viewed, points: 3, limit: 10 points a week"))
    loaded = load(file)
    assert render(loaded.diagnostics) == (
        f"{file}:5:52: note: this limit goes by the points in force when they are given: change them later, "
        "and what it cut off before stays cut off\n"
        "    5 |     - {rule: r, on: page.viewed, points: 3, limit: 10 points a week}\n"
        "      |                                                    ^^^^^^^^^^^^^^^^\n"
        "      = hint: `limit: 3 times a week` counts the same whatever an award is worth"
    )
    assert mistakes(loaded.diagnostics) == "0 mistakes"
    assert run(["check", str(file)]) == 0
    assert "note: this limit" in capsys.readouterr().err
    assert run(["check", "--format", "json", str(file)]) == 0
    assert [one["severity"] for one in json.loads(capsys.readouterr().out)] == ["note"]
    assert run(["check", "--format", "sarif", str(file)]) == 0
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert result["level"] == "note"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_nothing_is_said_of_the_files_that_are_shipped(path: Path) -> None:
    if not path.name.endswith(".test.yaml"):
        assert load(path).diagnostics == []


def test_thousands_of_doubts_leave_a_model() -> None:
    segments = "".join(f"  S{n}: {{a: {n}}}\n" for n in range(1_500))
    loaded = loads(TOP + "rules: {}\nsegments:\n" + segments)
    assert loaded.model is not None
    assert len(loaded.diagnostics) == 201
    last = loaded.diagnostics[-1]
    assert (last.severity, last.message) == (
        "warning",
        "at least 800 more such remarks follow; mend these first",
    )


# -- never -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        "[{country: US}, {country: UK}]",
        "[{country: [US, UK]}, {country: [DE, FR]}]",
        "[{country: US}, {country: not us}]",
        "[{country: [US, UK]}, {country: {not: [uk, US, DE]}}]",
        "[{age: 25}, {age: '25'}]",
        "[{age: 25 to 45}, {age: above 45}]",
        "{age: {above: 45, below: 45}}",
        "[{age: 45}, {age: {above: 45}}]",
        "[{age: at least 25}, {age: not at least 20}]",
        "[{age: 25 to 25}, {age: not 25}]",
        "[{age: exists}, {age: missing}]",
        "[{age: missing}, {age: 25}]",
        "[{age: missing}, {age: not missing}]",
        "[{x: starts with a}, {x: at least 5}]",
        "[{x: matches ^a}, {x: at least 5}]",
        "[{x: matches ^a}, {x: not matches ^a}]",
        "[{x: contains a}, {x: 5}]",
        "[{x: starts with /a}, {x: starts with /b}]",
        "[{x: starts with /a/b}, {x: not starts with /A}]",
        "[{x: starts with /ab}, {x: not contains a}]",
        "[{x: /a}, {x: starts with /b}]",
        "[{x: [true, a]}, {x: not true}, {x: not A}]",
        "[{d: within the last 30 days}, {d: more than 1 day ahead}]",
        "[{d: more than 30 days ago}, {d: not more than 20 days ago}]",
        "[{d: within the last 30 days}, {d: missing}]",
        "[{d: within the last 30 days}, {d: below 5}]",
        "{in segment: S, not in segment: S}",
        "[{in segment: [S, T]}, {not in segment: [S, T]}]",
        "{any: [{a: 1}, {a: 2}], a: 3}",
        "{any: [{a: 1}, {b: 1}], a: missing, b: missing}",
        "{none: [{a: missing}, {a: exists}]}",
        "[{no: page.viewed, for: 30 days}, {at least: 1, of: page.viewed, within: 30 days}]",
        "[{no: [email.opened, page.viewed], for: 60 days}, "  # noqa: ISC004
        "{at least: 2, of: page.viewed, where: {path: /a}, within: 30 days}]",
        "[{no: page.viewed, for: 60 days}, {none: [{no: page.viewed, for: 30 days}]}]",
        "{at least: 1, of: page.viewed, within: 3 days, where: [{path: /a}, {path: /b}]}",
    ],
)
def test_conditions_that_never_hold(condition: str) -> None:
    segments = (
        "segments: {S: {a: 1}, T: {b: 1}, U: {in segment: [S, T]}, V: {in segment: [U, V2]}, V2: {c: 1}}\n"
    )
    found = said(with_when(condition, segments))
    assert [one for one in found if "never holds" in one[1]], found


@pytest.mark.parametrize(
    "condition",
    [
        "[{country: [US, UK]}, {country: [uk, FR]}]",
        "[{tags: contains a}, {tags: contains b}]",
        "[{tags: contains abc}, {tags: not contains ab}]",  # the list ["abc"]
        "[{age: 25 to 45}, {age: 45 to 60}]",
        "{age: {above: 4, below: 5}}",  # 4.5
        "[{age: not at least 20}, {age: not below 25}]",  # a text
        "[{age: not 25}, {age: not '25'}]",
        "[{age: not exists}, {age: not 25}]",
        "[{age: exists}, {age: not at least 0}, {age: not below 0}]",
        "[{x: starts with /a}, {x: starts with /A/b}]",
        "[{x: {starts with: [/a, /b]}}, {x: not starts with /a}]",
        "[{x: starts with /a}, {x: not /a}]",
        "[{x: matches ^a}, {x: matches ^b}]",  # patterns are not understood
        "[{x: /a}, {x: matches ^/b}]",
        "[{d: within the last 30 days}, {d: more than 10 days ago}]",
        "[{d: within the last 30 days}, {d: within the next 30 days}]",  # now
        "[{d: '2026-12-01'}, {d: within the last 30 days}]",
        "{in segment: S, not in segment: T}",
        "{any: [{a: 1}, {a: 2}], a: 2}",
        "[{no: page.viewed, for: 30 days}, {at least: 1, of: page.viewed, within: 31 days}]",
        "[{no: page.viewed, for: 30 days}, {at least: 1, of: email.opened, within: 30 days}]",
        "[{no: page.viewed, for: 6 days, where: {path: /a}}, {at least: 1, of: page.viewed, within: 3 days}]",
        "[{no: page.viewed, for: 30 days}, {none: [{no: page.viewed, for: 60 days}]}]",
        "[{no: a.b, since: page.viewed}, {at least: 1, of: page.viewed, within: 3 days}]",
    ],
)
def test_conditions_that_may_hold(condition: str) -> None:
    segments = (
        "segments: {S: {a: 1}, T: {b: 1}, U: {in segment: [S, T]}, V: {in segment: [U, V2]}, V2: {c: 1}}\n"
    )
    found = said(with_when(condition.replace("a.b", "email.opened"), segments))
    assert [one for one in found if "never holds" in one[1]] == []


@pytest.mark.parametrize(
    "section",
    [
        "segments:\n  S:\n    BAD\n",
        "disqualify:\n  - rule: S\n    when: BAD\n",
        "temperature:\n  S: BAD\n",
        "follow up:\n  - rule: S\n    due: today\n    when: BAD\n",
        "stages:\n  - rule: S\n    to: Nurture\n    when: BAD\n",
        "stages:\n  - rule: S\n    to: Nurture\n    on: page.viewed\n    where: BAD\n",
        "rules:\n  fit:\n    - rule: S\n      on: page.viewed\n      points: 1\n      where: BAD\n",
        "rules:\n  fit:\n    - rule: S\n      on: page.viewed\n      points: 1\n      only if: BAD\n",
        "qualify:\n  enter: above 20\n  exit: below 15\n  when: BAD\n",
        "machines:\n  of: email.opened\n  where: BAD\n",
    ],
)
def test_every_section_is_looked_at(section: str) -> None:
    rules = "" if "rules:" in section else "rules: {}\n"
    loaded = loads(TOP + rules + section.replace("BAD", "{a: {above: 5, below: 5}}"))
    (found,) = [one for one in loaded.diagnostics if "never holds" in one.message]
    assert found.severity == "warning"
    assert found.source[found.column - 1 :].startswith("{above: 5")


def test_a_condition_made_to_be_hard_is_left_alone() -> None:
    """Twelve pigeons in eleven holes: nothing like it is thought to an end, nor for long."""
    holes = range(11)
    each = tuple(m.Any(tuple(m.Compare(f"{p}.{h}", "exists") for h in holes)) for p in range(12))
    apart = tuple(
        m.Not((m.All((m.Compare(f"{p}.{h}", "exists"), m.Compare(f"{q}.{h}", "exists"))),))
        for h in holes
        for p in range(12)
        for q in range(p)
    )
    assert Reasoner().conflict(m.All(each + apart)) is None


# -- against the engine ----------------------------------------------------------------------------------

TEXTS = ("", "a", "A", "b", "ab", "abc", "ba", "ß", "ss", "5")
NUMBERS = (-1, 0, 0.5, 1, 1.0, 1.5, 2, 3)
VALUES: tuple[Any, ...] = (
    *(None, *TEXTS, "zz", "abz", "bazab", *NUMBERS, -7, 9, True, False, {"a": 1}, []),
    *([one] for one in TEXTS),
    *(["a", "b"], ["ab", "a"], ["b", "ab", "abc"], [1, "a"], ["ba", "abc", "ss"]),
)


def _leaf(rng: random.Random) -> m.Condition:
    field = rng.choice("xxxy")
    kind = rng.choice(("equals", "equals", "order", "order", "prefix", "contains", "matches", "presence"))
    if kind == "equals":
        return m.Compare(
            field, "equals", tuple(rng.sample((*TEXTS, *NUMBERS, True, False), rng.choice((1, 1, 3))))
        )
    if kind == "order":
        op: Any = rng.choice(("at_least", "at_most", "above", "below"))
        return m.Compare(field, op, (float(rng.choice(NUMBERS)),))
    if kind == "matches":
        return m.Compare(field, "matches", (rng.choice(("^a", "b$", "^ss$", "a.*b")),))
    if kind == "presence":
        return m.Compare(field, rng.choice(("exists", "missing")))
    text: Any = kind
    return m.Compare(field, text, tuple(rng.sample(TEXTS[1:], rng.choice((1, 1, 2)))))


def _condition(rng: random.Random, depth: int) -> m.Condition:
    if not depth or rng.random() < 0.3:
        return _leaf(rng)
    group = rng.choice((m.All, m.All, m.Any, m.Not))
    return group(tuple(_condition(rng, depth - 1) for _ in range(rng.choice((1, 2, 2, 3)))))


def _leads() -> Iterator[dict[str, Any]]:
    for x in VALUES:
        for y in VALUES:
            yield {key: value for key, value in (("x", x), ("y", y)) if value is not None}


LEADS = list(_leads())


def test_never_means_never_to_the_engine() -> None:
    rng = random.Random(5)
    never = 0
    for _ in range(6_000):
        condition = _condition(rng, rng.choice((1, 2, 3)))
        if Reasoner().conflict(condition) is not None:
            never += 1
            predicate = on_properties(condition)
            assert not any(predicate.holds(one) for one in LEADS), condition
    assert never > 300


def test_implied_means_implied_to_the_engine() -> None:
    rng = random.Random(6)
    implied = 0
    for _ in range(6_000):
        one, other = _condition(rng, 1), _condition(rng, rng.choice((1, 2)))
        if Reasoner().implies(one, other):
            implied += 1
            first, second = on_properties(one), on_properties(other)
            assert all(second.holds(lead) for lead in LEADS if first.holds(lead)), (one, other)
    assert implied > 300


def test_most_of_what_never_holds_is_found() -> None:
    """Not only sound: of the conditions that match nothing in the universe, few go unnoticed."""
    rng = random.Random(7)
    found = missed = 0
    for _ in range(1_500):
        condition = _condition(rng, 2)
        predicate = on_properties(condition)
        if not any(predicate.holds(one) for one in LEADS):
            if Reasoner().conflict(condition) is None:
                missed += 1
            else:
                found += 1
    assert found > 5 * missed


# -- shadowed, and the same twice ------------------------------------------------------------------------


def _bands(*conditions: str) -> str:
    return TOP + "rules: {}\ntemperature:\n" + "".join(f"  t{n}: {one}\n" for n, one in enumerate(conditions))


@pytest.mark.parametrize(
    "bands",
    [
        ("{a: 1}", "{a: 1}"),
        ("{a: [x, y]}", "{a: Y}"),
        ("{a: x}", "{b: z, a: X}"),
        ("{a: at least 5}", "{a: 7 to 9}"),
        ("{a: exists}", "{a: starts with /x}"),
        ("{a: not x}", "{a: y}"),
        ("{any: [{a: x}, {b: y}]}", "{b: y}"),
        ("{any: [{a: exists}, {a: missing}]}", "{b: y}"),
        ("{a: [x, y]}", "{any: [{a: x}, {a: y}]}"),
        ("{at least: 1, of: page.viewed, within: 30 days}", "{at least: 3, of: page.viewed, within: 7 days}"),
        ("{no: page.viewed, for: 30 days}", "{no: page.viewed, for: 60 days}"),
        ("{b: q}", "{a: [x, y]}", "{a: x, b: not q}"),
    ],
)
def test_a_band_that_never_decides(bands: tuple[str, ...]) -> None:
    (found,) = said(_bands(*bands))
    assert found[1].startswith(f"`t{len(bands) - 1}` never counts")


@pytest.mark.parametrize(
    "bands",
    [
        ("{a: x, b: y}", "{a: x}"),
        ("{a: Y}", "{a: [x, y]}"),
        ("{a: 5}", "{a: '5'}"),
        ("{a: 1}", "{a: true}"),
        ("{a: at least 7}", "{a: 5 to 9}"),
        ("{a: starts with /x}", "{a: matches ^/x}"),
        ("{a: contains x}", "{a: contains xy}"),  # of a list, `xy` is not `x`
        ("{at least: 3, of: page.viewed, within: 7 days}", "{at least: 1, of: page.viewed, within: 30 days}"),
        ("{a: x}", "{b: x}"),
    ],
)
def test_a_band_that_decides(bands: tuple[str, ...]) -> None:
    assert said(_bands(*bands)) == []


def test_shadowed_disqualifications_and_follow_ups() -> None:
    text = TOP + (
        "rules: {}\n"
        "disqualify:\n"
        "  - {rule: Misfit, when: {role: [student, intern]}}\n"
        "  - {rule: Student, when: {role: student, country: US}}\n"
        "  - {rule: Teacher, when: {role: teacher}}\n"
        "follow up:\n"
        "  - {rule: Everybody, due: today}\n"
        "  - {rule: Next, when: {a: 1}, due: today}\n"
        "  - {rule: Third, when: {b: 1}, due: today}\n"
    )
    assert [message.partition(":")[0] for _, message in said(text)] == [
        "`Student` never counts",
        "`Everybody` above is for every lead, so this one never counts",
        "`Third` never counts",
    ]


def test_what_is_shadowed_among_thousands_is_found_in_no_time() -> None:
    many = "".join(f"  - {{rule: f{n}, when: {{a: v{n}, b: {n}}}, due: today}}\n" for n in range(2_000))
    last = "  - {rule: last, when: {a: V77, b: 77, c: 1}, due: today}\n"
    (found,) = said(TOP + "rules: {}\nfollow up:\n" + many + last)
    assert found[1] == "`last` never counts: whenever it holds, `f77` above does too"


def test_the_same_rule_twice() -> None:
    rules = (
        "rules:\n  engagement:\n"
        "    - {rule: a, on: page.viewed, where: {path: /a}, points: 3}\n"
        "    - {rule: b, on: page.viewed, where: {path: /a}, points: 3}\n"
        "    - {rule: c, on: page.viewed, where: {path: /a}, points: 4}\n"
        "    - {rule: d, on: page.viewed, where: {path: /a}, points: 3, limit: once}\n"
        "    - {rule: e, on: page.viewed, where: {path: 1}, points: 3}\n"
        "    - {rule: f, on: page.viewed, where: {path: true}, points: 3}\n"
        "  fit:\n"
        "    - {rule: g, when: {a: 1}, points: 3}\n"
        "    - {rule: h, when: {a: 1}, points: 3}\n"
        "    - {rule: i, on: page.viewed, where: {path: /a}, points: 3, decay: half every 30 days}\n"
    )
    assert said(TOP + rules) == [
        ("warning", "`b` is the same as `a` on line 5 in all but name"),
        ("warning", "`h` is the same as `g` on line 12 in all but name"),
    ]


# -- thresholds ------------------------------------------------------------------------------------------

QUALIFY = "qualify: {enter: above 20, exit: below 15}\n"


@pytest.mark.parametrize(
    "rules",
    [
        "{rule: r, on: page.viewed, points: 20, limit: once}",
        "{rule: r, on: page.viewed, points: 3, cap: 20}",
        "{rule: r, on: page.viewed, points: -3}",
        "{rule: r, on: page.viewed, points: -3, cap: -40}",
        "{rule: r, on: page.viewed, first: 9, later: 99, limit: once}",
        "{rule: r, on: page.viewed, first: 9, later: 0}",
        "{rule: r, on: page.viewed, points by: {property: p, values: {a: 20}, otherwise: 5}, limit: once}",
        "{rule: r, when: {a: 1}, points: 20}",
    ],
)
def test_a_threshold_that_is_never_reached(rules: str) -> None:
    (found,) = said(f"{TOP}{QUALIFY}rules: {{fit: [{rules}]}}\n")
    assert found[1].startswith("no lead qualifies: all points together come to ")


@pytest.mark.parametrize(
    "rules",
    [
        "{rule: r, on: page.viewed, points: 20.1, limit: once}",
        "{rule: r, on: page.viewed, points: 0.1}",
        "{rule: r, on: page.viewed, points: 1, limit: once a quarter}",
        "{rule: r, on: page.viewed, points: 1, limit: once per path}",
        "{rule: r, on: page.viewed, points: -1, multiplied by: seats, limit: once}",  # fewer than none
        "{rule: r, on: page.viewed, first: 9, later: 1}",
        "{rule: r, on: page.viewed, points by: {property: p, values: {a: 2}, otherwise: 25}, limit: once}",
        "{rule: r, when: {a: 1}, points: 20}, {rule: s, when: {b: 1}, points: 1}",
    ],
)
def test_a_threshold_that_may_be_reached(rules: str) -> None:
    assert said(f"{TOP}{QUALIFY}rules: {{fit: [{rules}]}}\n") == []


@pytest.mark.parametrize(
    ("scores", "total", "reached"),
    [
        ("{fit: {cap: 20}, engagement: {}}", "", False),
        ("{fit: {cap: 20, weight: 2}, engagement: {}}", "", True),
        ("{fit: {weight: 0}, engagement: {}}", "", False),
        ("{fit: {weight: 0}, engagement: {floor: 21}}", "", True),
        ("{fit: {}, engagement: {}}", "total: {cap: 20}\n", False),
        ("{fit: {}, engagement: {}}", "total: {cap: 21}\n", True),
    ],
)
def test_weights_and_caps_of_scores(scores: str, total: str, reached: bool) -> None:
    rules = "rules: {fit: [{rule: r, on: page.viewed, points: 1}]}\n"
    assert (said(f"model: M\nscores: {scores}\n{total}{QUALIFY}{rules}") == []) == reached


def test_a_minimum_that_a_score_never_reaches() -> None:
    text = "model: M\nscores: {fit: {cap: 10, grades: {A: 12, B: 10, C: otherwise}}, engagement: {}}\n"
    rules = with_award("on: page.viewed, points: 1").removeprefix(TOP)
    rules += "  fit: [{rule: s, when: {a: 1}, points: 30}]\n"
    for least, warned in (("10", False), ("11", True), ("A", True), ("B", False)):
        qualify = f"qualify: {{enter: above 20, exit: below 15, minimum: {{fit: {least}}}}}\n"
        assert bool(said(text + qualify + rules)) == warned


def test_a_file_without_rules_is_only_begun() -> None:
    assert said(TOP + QUALIFY + "rules: {}\n") == []


# -- caps and fading -------------------------------------------------------------------------------------

CAP = ("warning", "the cap is smaller than one award of this rule")


@pytest.mark.parametrize(
    ("points", "warned"),
    [
        ("points: 5", True),
        ("points: 3", False),
        ("first: 1, later: 5", True),
        ("first: 5, later: 1", True),
        ("first: 3, later: 1", False),
        ("points by: {property: p, values: {a: 5, b: 1}}", True),
        ("points by: {property: p, values: {a: 1}, otherwise: 5}", True),
        ("points by: {property: p, values: {a: 5}, otherwise: 5}", True),
        ("points by: {property: p, values: {a: 1}, otherwise: 3}", False),
        ("points by: {property: p, values: {a: 1}, otherwise: -5}", False),
    ],
)
def test_a_cap_below_one_award(points: str, warned: bool) -> None:
    assert said(with_award(f"on: page.viewed, {points}, cap: 3")) == ([CAP] if warned else [])


@pytest.mark.parametrize(
    ("fading", "warned"),
    [
        ("decay: half every 401 days", True),
        ("decay: half every 400 days", False),
        ("decay: 10% every 58 weeks", True),
        ("decay: 10% every 57 weeks", False),
        ("expires: after 58 weeks", True),
        ("expires: after 400 days", False),
        ("decay: none", False),
    ],
)
def test_points_that_outlive_what_is_known(fading: str, warned: bool) -> None:
    found = said(with_award(f"on: page.viewed, points: 1, {fading}"))
    assert [("400 days is known" in message) for _, message in found] == ([True] if warned else [])


def test_the_fading_of_a_score_is_said_once() -> None:
    text = TOP.replace("half every 30 days", "half every 500 days")
    rules = "[{rule: a, on: page.viewed, points: 1}, {rule: b, on: email.opened, points: 1}]"
    (found,) = loads(f"{text}rules: {{engagement: {rules}}}\n").diagnostics
    assert (found.line, found.column) == (2, 39)
    assert found.message == "half is left after 500 days, but nothing older than 400 days is known"


# -- used nowhere ----------------------------------------------------------------------------------------


def test_segments_and_lists_that_nobody_uses() -> None:
    text = TOP + (
        "lists: {Near: [US], Far: [AU]}\n"
        "segments:\n"
        "  Entered: {a: 1}\n"
        "  Asked: {b: 1}\n"
        "  In a segment: {c: 1}\n"
        "  In only if: {d: 1}\n"
        "  Forgotten: {in segment: In a segment, country: in list Near}\n"
        "rules:\n"
        "  engagement:\n"
        "    - {rule: a, entering: Entered, points: 1}\n"
        "    - {rule: b, on: page.viewed, only if: {not in segment: In only if}, points: 1}\n"
        "follow up:\n"
        "  - {rule: c, when: {in segment: Asked}, due: today}\n"
    )
    assert said(text) == [
        ("warning", "the list `Far` is used nowhere"),
        ("warning", "the segment `Forgotten` is used nowhere"),
    ]


# -- activities ------------------------------------------------------------------------------------------


def test_every_activity_of_rule_files_is_carried_by_a_topic() -> None:
    doors = Registry.load().doors
    carried = {kind for topic in doors for kind in topic.types} - {PROFILE_UPDATED}  # that is no activity
    known = {name for name in ACTIVITIES if not OWN_ACTIVITY.fullmatch(name)}
    assert known - carried == {MADE_HERE}
    assert {name for name in carried if not OWN_ACTIVITY.fullmatch(name)} <= set(ACTIVITIES)
    own = [topic for topic in doors if topic.type_pattern is not None]
    assert [topic.type_pattern for topic in own] == [OWN_ACTIVITY.pattern]


def test_an_activity_that_no_topic_carries() -> None:
    rule = with_award("on: email.machine, points: -1")
    assert said(rule) == [("warning", "nothing is counted as `email.machine`, and nobody sends it")]
    machines = "machines: {{where: {{machine: true}}, counts as: {}}}\n"
    assert len(said(rule + machines.format("nothing"))) == 1
    assert said(rule + machines.format("email.machine")) == []


def _own(*names: str) -> list[tuple[str, str]]:
    rules = "".join(f"    - {{rule: r{n}, on: {one}, points: {n + 1}}}\n" for n, one in enumerate(names))
    return said(f"{TOP}rules:\n  engagement:\n{rules}")


def test_own_activities_that_differ_in_a_letter() -> None:
    slip = "`app.plan_chosn` and `app.plan_chosen` on line {} differ in one letter"
    assert _own("app.plan_chosn", "app.plan_chosen", "app.plan_chosen") == [("warning", slip.format(6))]
    assert _own("app.plan_chosen", "app.plan_chosn") == [("warning", slip.format(5))]


def test_own_activities_that_do_not() -> None:
    assert _own("app.plan_chosen", "app.plan_changed", "app.plan_chosen_v1", "app.plan_chosen_v2") == []
    assert _own("app.won", "app.win") == []
    assert _own("app.plan_chosen", "app.plan_chosen") == []


# -- disqualified by qualifying --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requirement", "disqualification", "warned"),
    [
        ("{email: exists, country: [US, UK]}", "{country: [US, UK, DE]}", True),
        ("{email: exists, country: [US, UK]}", "{country: [US, DE]}", False),
        ("{role: not student}", "{role: student}", False),
        ("{role: not student}", "{none: [{role: [student, pupil]}]}", False),
        ("{role: not student}", "{none: [{role: Student}]}", True),
        ("{a: 1}", "{any: [{b: exists}, {b: missing}]}", True),
    ],
)
def test_a_disqualification_of_all_who_qualify(requirement: str, disqualification: str, warned: bool) -> None:
    text = (
        f"{TOP}rules: {{}}\nqualify: {{enter: above 20, exit: below 15, when: {requirement}}}\n"
        f"disqualify:\n  - {{rule: d, when: {disqualification}}}\n"
    )
    assert [message.startswith("`d` disqualifies every lead") for _, message in said(text)] == [True] * warned
