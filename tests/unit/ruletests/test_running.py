"""Rule tests through ``scorer test``: what passes, what fails, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scorer.cli import run

RULES = """
model: Small
time zone: Europe/Berlin
qualify: {enter: above 10, exit: below 5}
scores:
  fit: {decay: none}
  engagement: {decay: half every 10 days}
rules:
  fit:
    - {rule: Country, when: {country: DE}, points: +2}
  engagement:
    - {rule: Opened, on: email.opened, points: +4}
    - {rule: Daily, on: page.viewed, points: +1, limit: once a day}
    - {rule: Tasks, on: app.task_created, first: +1, later: +2}
    - {rule: Plan, on: app.plan_chosen, points by: {property: plan, values: {basic: +2, team: +6}}}
    - {rule: Reader, entering: Readers, points: +1}
segments:
  Readers: {at least: 2, of: email.opened, within: 5 days}
disqualify:
  - {rule: Silent, when: {no: email.opened, for: 20 days}, reason: silent}
temperature:
  hot: {budget: true}
  otherwise: cold
"""


class Author:
    """Writes rule tests beside a rule file and runs them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        (folder / "rules.yaml").write_text(RULES)

    def __call__(self, *steps: str, options: tuple[str, ...] = (), starts: str = "") -> tuple[int, str]:
        """The exit code of one test with these steps, and all that was said."""
        text = "rules: rules.yaml\ntests:\n  - test: The test\n"
        text += f"    starts: {starts}\n" * bool(starts) + "    story:\n"
        return self.file(text + "".join(f"      - {{{step}}}\n" for step in steps), *options)

    def file(self, text: str, *options: str) -> tuple[int, str]:
        file = self.folder / "rules.test.yaml"
        file.write_text(text)
        code = run(["test", str(file), *options])
        out, err = self._capsys.readouterr()
        return code, err + out


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Author:
    return Author(tmp_path, capsys)


OPENED = "at: start, does: email.opened"


@pytest.mark.parametrize(
    "expected",
    [
        "total: 4",
        "total: 4.00",
        "total: at least 4",
        "total: at most 4",
        "total: above 3.99",
        "total: below 4.01",
        "total: 3 to 4",
        "total: 4, scores: {engagement: 4, fit: 0}, points: {Opened: 4, Daily: 0}",
        "stage: Open, temperature: cold, segments: nothing, emitted: nothing",
    ],
)
def test_what_is_so_passes(told: Author, expected: str) -> None:
    code, out = told(OPENED, f"at: start, expect: {{{expected}}}")
    assert (code, "1 test, all passed" in out) == (0, True), out


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ("total: 5", "the total is 4, not 5"),
        ("total: 4.01", "the total is 4, not 4.01"),
        ("total: above 4", "the total is 4, not above 4"),
        ("total: below 4", "the total is 4, not below 4"),
        ("scores: {fit: 1}", "`fit` is 0, not 1"),
        ("scores: {fitness: 0}", "these rules have no score `fitness`"),
        ("points: {Opened: 3}", "`Opened` gives 4, not 3"),
        ("points: {Opend: 0}", "these rules have no rule `Opend`; did you mean `Opened`?"),
        ("segments: Reader", "these rules have no segment `Reader`; did you mean `Readers`?"),
        ("segments: Readers", "the lead is in no segment"),
        ("stage: Qualified", "the stage is Open, not Qualified"),
        ("temperature: hot", "the temperature is cold, not hot"),
        ("temperature: warm", "these rules have no temperature `warm`"),
        ("emitted: qualified", "qualified was not emitted"),
    ],
)
def test_what_is_not_so_fails_and_shows_the_ledger(told: Author, expected: str, message: str) -> None:
    code, out = told(OPENED, f"at: start, expect: {{{expected}}}")
    assert code == 1
    assert message in out
    assert "rules.test.yaml:6:" in out
    assert "+4.00  Opened" in out
    assert "emitted since the last look: nothing" in out
    assert "1 test, 1 failed" in out


def test_outcomes_come_at_their_instants(told: Author) -> None:
    story = ["at: start, does: email.opened, times: 3", "at: 9 days, expect: {emitted: [qualified: start]}"]
    # 12 points and one for reading, half after 10 days: below 5 after 13.78 days.
    fell, silent = "disqualified: 13.79 days", "disqualified: {at: 20 days, reason: Silent}"
    good = f"at: 20 days, expect: {{emitted: [{fell}, {silent}]}}"
    code, out = told(*story, good)
    assert code == 0, out
    code, out = told(*story, "at: 19 days, expect: {emitted: [disqualified: 13.8 days]}")
    assert code == 0, out  # to the precision written
    code, out = told(*story, "at: 19 days, expect: {emitted: [disqualified: 13.9 days]}")
    assert code == 1
    assert "disqualified at 13 days 18 hours" in out
    code, out = told(*story, "at: 19 days, expect: {emitted: nothing}")
    assert "was emitted all the same" in out
    code, out = told(*story, "at: 19 days, expect: {emitted: qualified}")
    assert ", not qualified" in out


def test_each_expectation_sees_what_was_emitted_since_the_one_before(told: Author) -> None:
    code, out = told(
        "at: start, does: email.opened, times: 3",
        "at: start, expect: {emitted: qualified}",
        "at: 1 day, expect: {emitted: nothing, stage: Qualified}",
    )
    assert code == 0, out


def test_attributes_come_and_go(told: Author) -> None:
    code, out = told(
        "at: start, is: {country: de, budget: true}",
        "at: start, expect: {total: 2, temperature: hot}",
        "at: 1 hour, is: {country: , budget: 'true'}",
        "at: 1 hour, expect: {total: 0}",
    )
    assert code == 0, out


def test_an_activity_may_arrive_late(told: Author) -> None:
    code, out = told(
        "at: 10 days, does: page.viewed",
        "at: start, does: email.opened",
        "at: 10 days, expect: {points: {Opened: 2}}",
    )
    assert code == 0, out


def test_days_begin_in_the_time_zone_of_the_rules(told: Author) -> None:
    views = ["at: start, does: page.viewed", "at: 1 hour, does: page.viewed"]
    code, out = told(*views, "at: 1 hour, expect: {total: 1.99 to 2}", starts="2026-07-01 23:30")
    assert code == 0, out
    code, out = told(*views, "at: 1 hour, expect: {total: below 1}", starts="2026-07-01 22:30")
    assert code == 0, out


def test_what_no_test_has_seen_at_work_is_named(told: Author) -> None:
    code, out = told("at: start, does: app.plan_chosen, with: {plan: team}", "at: start, expect: {total: 6}")
    assert code == 0
    for missed in ("Country", "Opened", "Tasks: later", "segment Readers", "disqualification Silent", "hot"):
        assert f"{missed}\n" in out
    assert "not seen  Plan: basic" in out
    assert "Plan: team" not in out


def test_changes_that_no_test_notices_are_named(told: Author) -> None:
    code, out = told(
        "at: start, does: email.opened", "at: start, expect: {total: 4}", options=("--mutate", "-v")
    )
    assert code == 0
    assert "Opened: points 5 instead of 4" not in out
    assert "not noticed  Country: points 3 instead of 2" in out
    assert "changes noticed" in out


def test_mutation_waits_for_tests_that_pass(told: Author) -> None:
    code, out = told(OPENED, "at: start, expect: {total: 5}", options=("--mutate",))
    assert code == 1
    assert "the tests have to pass before" in out


def test_other_rules_can_be_tested(told: Author) -> None:
    other = told.folder / "other.yaml"
    other.write_text(RULES.replace("points: +4", "points: +5"))
    code, out = told(OPENED, "at: start, expect: {total: 5}", options=("--rules", str(other)))
    assert code == 0, out


def test_every_mistake_is_shown_at_once(told: Author) -> None:
    code, out = told.file("""rules: rules.yaml
tests:
  - test: One
    starts: tomorrow
    story:
      - {at: soon, does: email.opend}
      - {at: 1 day, on: email.opened}
      - {at: 1 day, does: email.opened, is: {country: DE}}
      - {at: 1 day, expect: {totl: 5}}
      - {at: 2 hours, expect: {total: five, emitted: qualifed, stage: MQL}}
      - {does: email.opened}
  - test: One
    story: []
""")
    assert code == 2
    for mistake in (
        "4:13: error: `tomorrow` is not a moment",
        "6:14: error: `soon` is not a time",
        "6:26: error: unknown activity `email.opend`",
        "7:21: error: unknown key `on` in a step",
        "8:41: error: a step says one thing",
        "9:30: error: unknown key `totl` in an expectation",
        "10:31: error: an expectation can't be earlier",
        "10:39: error: `five` is not a number",
        "10:54: error: `qualifed` is not emitted by any rules",
        "10:71: error: `MQL` is not a stage",
        "11:9: error: `at` is missing in a step",
    ):
        assert mistake in out, mistake
    assert "did you mean `email.opened`?" in out
    assert "write `does`" in out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("- a\n", "a file of rule tests is written as `key: value` lines"),
        ("rules: rules.yaml\n", "`tests` is missing"),
        ("rules: rules.yaml\ntests: []\n", "this list is empty"),
        ("tests:\n  - test: A\n    story: [{at: start, expect: {total: 0}}]\n", "does not say what it tests"),
        (
            "rules: gone.yaml\ntests:\n  - test: A\n    story: [{at: start, expect: {total: 0}}]\n",
            "gone.yaml",
        ),
        (
            "rules: rules.yaml\ntests:\n  - test: A\n    story: [{at: start, does: page.viewed}]\n",
            "expects nothing",
        ),
        ("rules: rules.yaml\ntests:\n  - test: A\n    story: \x00", "not a text file"),
    ],
)
def test_files_that_are_none(told: Author, text: str, message: str) -> None:
    code, out = told.file(text)
    assert code == 2
    assert message in out
    assert "Traceback" not in out


def test_a_folder_is_searched(told: Author, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(OPENED, "at: start, expect: {total: 4}")[0] == 0
    assert run(["test", str(told.folder), "-v"]) == 0
    assert "The test" in capsys.readouterr().out
    (told.folder / "rules.test.yaml").unlink()
    assert run(["test", str(told.folder)]) == 2
    assert "has no rule tests" in capsys.readouterr().err


def test_the_default_rules_are_tested(capsys: pytest.CaptureFixture[str]) -> None:
    rules = Path(__file__).parents[3] / "rules"
    assert run(["test", str(rules)]) == 0
    assert capsys.readouterr().out.count("100% of ") >= 2
