"""Every value of the shipped rules, through the rule file and the engine: file -> story -> score."""

from __future__ import annotations

from pathlib import Path

import pytest

from scorer.rulefile import load, loads, require
from tests.support.story import Event, did, known, score_of

ROOT = Path(__file__).parents[2]
DEFAULT = ROOT / "rules" / "default.yaml"
MODEL = require(DEFAULT)
CEO_FIRST = require(ROOT / "rules" / "ceo-first.yaml")


ATTRIBUTES: list[tuple[dict[str, object], float]] = [
    ({"country": "US"}, 1),
    ({"country": "UK"}, 1),
    ({"country": "uk"}, 1),
    ({"country": "DE"}, 0),
    ({"city": "New York"}, 1),
    ({"city": "London"}, 1),
    ({"city": "Paris"}, 0),
    ({"age": 24}, 0),
    ({"age": 25}, 1),
    ({"age": 45}, 1),
    ({"age": 46}, 0),
    ({"job": "CEO"}, 5),
    ({"job": "CMO"}, 5),
    ({"job": "Chief Marketing Officer"}, 5),
    ({"job": "Engineer"}, 0),
    ({"employees": 25}, 10),
    ({"employees": 24}, 0),
    ({"employees": 5}, 0),
    ({"employees": 4}, -10),
    ({"decision_maker": "yes"}, 10),
    ({"decision_maker": True}, 10),
    ({"decision_maker": "no"}, -5),
    ({"decision_maker": False}, -5),
    ({"department": "Human Resources"}, -5),
    ({"department": "Marketing"}, 0),
    ({"country": "US", "city": "New York", "age": 30, "job": "CEO", "employees": 200}, 18),
]


@pytest.mark.parametrize(("attributes", "points"), ATTRIBUTES)
def test_attribute_points(attributes: dict[str, object], points: float) -> None:
    scored = score_of(MODEL, [known(**attributes)])
    assert scored.parts == {"fit": points, "engagement": 0}
    assert scored.total == points


ACTIVITIES: list[tuple[Event, float]] = [
    (did("email.opened"), 3),
    (did("email.opened", kind="sales"), 3),
    (did("email.clicked", kind="nurture"), 1),
    (did("email.clicked", kind="onboarding"), 1),
    (did("email.clicked", kind="sales"), 0),
    (did("email.clicked"), 0),
    (did("email.replied", kind="sales"), 5),
    (did("email.replied", kind="nurture"), 0),
    (did("email.replied", kind="newsletter"), 3),
    (did("page.form_submitted", form="newsletter"), 3),
    (did("email.replied", kind="survey"), 5),
    (did("page.form_submitted", form="survey"), 5),
    (did("page.form_submitted", form="contact"), 0),
    (did("email.unsubscribed"), -10),
    (did("email.bounced"), 0),
    (did("app.trial_started"), 15),
    (did("app.flow_started"), 10),
    (did("app.project_created"), 5),
    (did("app.task_created"), 1),
    (did("app.something_else"), 0),
    (did("booking.created", kind="call", provider="calendly"), 20),
    (did("booking.created"), 20),
    (did("booking.canceled", kind="demo"), -10),
    (did("booking.canceled", kind="call"), -10),
    (did("page.downloaded", kind="ebook"), 5),
    (did("page.downloaded", kind="price list"), 0),
    (did("page.viewed", path="/blog/why"), 0),
    (did("page.viewed", path="/careers"), -10),
    (did("page.viewed", path="/jobs/engineer"), -10),
    (did("social.clicked", network="linkedin"), 2),
    (did("social.clicked", network="facebook"), 1),
    (did("social.clicked", network="myspace"), 0),
]


@pytest.mark.parametrize(("event", "points"), ACTIVITIES)
def test_activity_points(event: Event, points: float) -> None:
    scored = score_of(MODEL, [event])
    assert scored.parts == {"fit": 0, "engagement": points}
    assert scored.total == points


def test_the_first_task_is_one_point_and_every_later_one_two() -> None:
    tasks = [did("app.task_created") for _ in range(4)]
    assert [score_of(MODEL, tasks[:count]).total for count in (1, 2, 3, 4)] == [1, 3, 5, 7]


def test_a_repeat_visit_counts_once_on_each_new_day() -> None:
    # 08:00, 11:36 and 20:00 of one day, then two visits of the next and one of the day after.
    visits = [did("page.viewed", day, path="/") for day in (0, 0.15, 0.5, 1, 1.1, 2)]
    points = [
        score_of(MODEL, visits[:count]).rules.get("Repeat visit on a new day", 0) for count in range(1, 7)
    ]
    assert points == pytest.approx([0, 0, 0, 1, 2 ** (-0.1 / 30), 2 ** (-1 / 30) + 1])


def test_engagement_halves_in_30_days_and_bookings_in_60() -> None:
    story = [did("app.trial_started"), did("booking.created")]
    rules = score_of(MODEL, story, until=60).rules
    assert rules["Trial signup"] == pytest.approx(15 / 4)
    assert rules["Call booked"] == pytest.approx(20 / 2)


def test_fit_does_not_fade() -> None:
    assert score_of(MODEL, [known(employees=25)], until=300).parts["fit"] == 10


def test_a_rescheduled_call_has_no_net_effect() -> None:
    booked = did("booking.created", kind="call")
    moved = [
        did("booking.canceled", kind="call", rescheduled=True),
        did("booking.created", kind="call", rescheduled=True),
    ]
    assert score_of(MODEL, [booked, *moved]).total == 20
    assert score_of(MODEL, [booked, *reversed(moved)]).total == 20
    assert score_of(MODEL, [booked, *moved, did("booking.canceled", kind="call")]).total == 10


def test_entering_active_subscribers_is_five_points() -> None:
    newsletters = [did("email.opened", day, kind="newsletter") for day in (0, 1, 2)]
    assert "Became an active subscriber" not in score_of(MODEL, newsletters[:2]).rules
    assert score_of(MODEL, newsletters).rules["Became an active subscriber"] == 5
    # Leaving and entering again is a new award.
    again = [*newsletters, *(did("email.opened", day, kind="newsletter") for day in (100, 101, 102))]
    assert score_of(MODEL, again).rules["Became an active subscriber"] == pytest.approx(
        5 + 5 * 2 ** (-100 / 30)
    )


def test_silence_costs_five_points_each_until_the_lead_comes_back() -> None:
    story = [did("email.opened"), did("page.viewed", path="/pricing")]
    silent = {"No e-mail opened lately": -5, "No critical page visited lately": -5}

    def held(*more: Event, until: float) -> dict[str, float]:
        rules = score_of(MODEL, [*story, *more], until=until).rules
        return {rule: points for rule, points in rules.items() if rule in silent}

    assert held(until=29.9) == {}
    assert held(until=30.1) == silent
    assert held(did("email.opened", 35), until=36) == {"No critical page visited lately": -5}
    assert held(did("page.viewed", 35, path="/blog"), until=36) == silent
    assert held(did("page.viewed", 35, path="/demo"), until=36) == {"No e-mail opened lately": -5}


def test_nobody_is_silent_on_arrival() -> None:
    assert score_of(MODEL, [known(country="US")], until=29).total == 1


def test_qualified_above_20_and_no_longer_below_15() -> None:
    exactly = score_of(MODEL, [known(decision_maker=True, employees=25)])
    assert (exactly.total, exactly.stage, exactly.outcomes) == (20, "Open", [])
    above = score_of(MODEL, [known(decision_maker=True, employees=25, country="US")])
    assert (above.total, above.stage) == (21, "Qualified")
    assert [(one["type"], one["total"]) for one in above.outcomes] == [("qualified", 21)]


def test_a_lead_is_no_longer_qualified_when_its_points_have_faded() -> None:
    # 10 + 15 * 2^(-t/30 days) falls below 15 after 47.5 days; in between silence would do it sooner.
    story = [known(employees=25), did("app.trial_started")]
    story += [did("page.viewed", 20, path="/demo"), did("email.opened", 20)]
    assert [one["type"] for one in score_of(MODEL, story, until=47).outcomes] == ["qualified"]
    left = score_of(MODEL, story, until=60).outcomes[1:]
    # Until day 50 the opened e-mail adds 3 * 2^(-(t-20)/30): (15 + 3 * 2^(20/30)) * 2^(-t/30) = 5.
    assert [(one["type"], one["reason"], one["cause"]) for one in left] == [("disqualified", "score", "time")]
    assert left[0]["day"] == 50


def test_a_student_without_interest_is_disqualified_after_60_days() -> None:
    student = known(role="student")
    assert score_of(MODEL, [student], until=0.001).outcomes == []
    assert score_of(MODEL, [student], until=59.9).outcomes == []
    (outcome,) = score_of(MODEL, [student], until=60.1).outcomes
    assert outcome["type"] == "disqualified"
    assert outcome["day"] == 60
    assert outcome["reason"] == "Student or unemployed without interest"
    assert outcome["deal_stage"] == "Disqualified / Lost"
    assert score_of(MODEL, [known(role="unemployed")], until=61).stage == "Unqualified"


@pytest.mark.parametrize(
    "story",
    [
        [known(role="engineer")],
        [known(role="student"), did("email.opened", 30)],
        [known(role="student"), did("page.viewed", 30, path="/blog/post")],
    ],
)
def test_others_are_not_disqualified_for_silence(story: list[Event]) -> None:
    assert score_of(MODEL, story, until=61).outcomes == []


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        ([did("page.viewed", day, path="/careers/sales") for day in (0, 1, 2)], "Job seeker"),
        ([known(role="job seeker")], "Job seeker"),
        ([known(company_type="Competitor")], "Misfit company"),
        ([did("feedback.rejected", reason="no budget")], "Rejected by sales"),
    ],
)
def test_disqualifications(story: list[Event], reason: str) -> None:
    scored = score_of(MODEL, story)
    assert scored.stage == "Unqualified"
    assert [(one["type"], one["reason"]) for one in scored.outcomes] == [("disqualified", reason)]


def test_two_looks_at_the_careers_page_disqualify_nobody() -> None:
    looks = [did("page.viewed", day, path="/careers") for day in (0, 1)]
    assert score_of(MODEL, looks).stage == "Open"


def test_a_rejected_lead_can_come_back() -> None:
    story = [did("feedback.rejected"), known(decision_maker=True, employees=25, country="US")]
    assert score_of(MODEL, story, until=10).stage == "Unqualified"
    story += [did("email.opened", 89), did("page.viewed", 89, path="/pricing")]
    assert score_of(MODEL, story, until=91).stage == "Qualified"


@pytest.mark.parametrize(
    ("answers", "band"),
    [
        ({}, "cold"),
        ({"budget": "yes", "authority": "yes", "need": "yes", "timeframe": "yes"}, "hot"),
        ({"budget": True, "authority": True, "need": True, "timeframe": True}, "hot"),
        ({"budget": "no", "authority": "yes", "need": "yes", "timeframe": "yes"}, "warm"),
        ({"authority": "yes", "need": "yes"}, "warm"),
        ({"budget": "yes", "need": "yes", "timeframe": "yes"}, "warm"),
        ({"need": "yes"}, "cold"),
        ({"budget": "yes", "authority": "yes", "timeframe": "yes"}, "cold"),
        ({"budget": "yes", "authority": "yes", "need": "no", "timeframe": "yes"}, "cold"),
    ],
)
def test_temperature(answers: dict[str, object], band: str) -> None:
    assert score_of(MODEL, [known(**answers), did("page.viewed", path="/")]).band == band


def test_a_cold_lead_can_be_revived() -> None:
    story = [known(need="yes"), known(5, budget="yes"), known(6, authority="yes", timeframe="yes")]
    assert [score_of(MODEL, story[:count]).band for count in (1, 2, 3)] == ["cold", "warm", "hot"]


def test_another_company_gives_a_ceo_ten_points() -> None:
    assert score_of(CEO_FIRST, [known(job="CEO")]).total == 10
    assert score_of(CEO_FIRST, [known(job="CMO")]).total == 5


# -- a marketer edits the file ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "story", "before", "after"),
    [
        ("points: +15", "points: +12.5", [did("app.trial_started")], 15, 12.5),
        ("employees: at least 25", "employees: at least 50", [known(employees=30)], 10, 0),
        ("[New York, London]", "[New York, London, Oslo]", [known(city="Oslo")], 0, 1),
        ("[US, UK]", "[US, UK, NO]", [known(country="NO")], 0, 1),
        ("later: +2 ", "later: +3 ", [did("app.task_created")] * 2, 3, 4),
    ],
)
def test_a_number_is_changed_in_the_text(
    old: str, new: str, story: list[Event], before: float, after: float
) -> None:
    text = DEFAULT.read_text("utf-8")
    assert text.count(old) == 1
    changed = loads(text.replace(old, new)).model
    assert changed is not None
    assert score_of(MODEL, story).total == before
    assert score_of(changed, story).total == after


def test_the_threshold_is_changed_in_the_text() -> None:
    text = DEFAULT.read_text("utf-8").replace("enter: above 20", "enter: above 25")
    changed = loads(text).model
    assert changed is not None
    story = [known(decision_maker=True, employees=25, country="US")]
    assert [one["type"] for one in score_of(MODEL, story).outcomes] == ["qualified"]
    assert score_of(changed, story).outcomes == []


# -- the shipped files -------------------------------------------------------------------------------


SHIPPED = sorted([*(ROOT / "rules").glob("*.yaml"), *(ROOT / "bench").glob("*.yaml")])


@pytest.mark.parametrize("path", [path for path in SHIPPED if not path.name.endswith(".test.yaml")])
def test_shipped_files_have_no_mistakes_and_no_warnings(path: Path) -> None:
    loaded = load(path)
    assert loaded.diagnostics == []
    assert loaded.model is not None


def test_every_default_rule_gives_points_in_a_test_above() -> None:
    """A new default rule needs a row in one of the tables, or a test of its own that is named here."""
    stories = [[known(**attributes)] for attributes, _ in ATTRIBUTES] + [[event] for event, _ in ACTIVITIES]
    given = {rule for story in stories for rule in score_of(MODEL, story).rules}
    given |= {
        "Repeat visit on a new day",
        "Became an active subscriber",
        "No e-mail opened lately",
        "No critical page visited lately",
    }
    assert given == {rule.id for rule in (*MODEL.awards, *MODEL.standings)}
