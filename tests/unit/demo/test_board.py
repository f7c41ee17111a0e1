"""What the topics say ends up on the board."""

from __future__ import annotations

from typing import Any

import pytest

from scorer.demo import phrases
from scorer.demo.board import RATE_WINDOW, Board
from scorer.domain.record import Fact

NOW = 1_795_000_000_000


def fact(kind: str, time: int, /, **properties: Any) -> Fact:
    return Fact(kind, time, time, 0, -1, b"", "id", "source", properties)


@pytest.fixture
def board() -> Board:
    return Board({"l1": "Ada Weiss", "l2": "Nils Demir"}.get)  # type: ignore[arg-type]


def test_leads_stand_by_score(board: Board, score_event: Any) -> None:
    board.score(score_event("l1", 3.0), NOW)
    board.score(score_event("l2", 5.0), NOW)
    assert [row.name for row in board.ranking()] == ["Nils Demir", "Ada Weiss"]
    board.score(score_event("l1", 25.0, stage="Qualified", band="hot"), NOW + 1)
    first = board.ranking()[0]
    assert (first.name, first.total, first.stage, first.band, first.change) == (
        "Ada Weiss", 25.0, "Qualified", "hot", 22.0,
    )  # fmt: skip


def test_a_lead_without_a_score_is_not_ranked(board: Board) -> None:
    board.fact("l1", fact("page.viewed", NOW, path="/pricing"))
    assert board.ranking() == []


def test_the_newest_activity_is_what_a_lead_did_last(board: Board) -> None:
    board.fact("l1", fact("booking.created", NOW, kind="call"))
    board.fact("l1", fact("page.viewed", NOW - 5_000, path="/pricing"))  # late
    board.fact("l1", fact("profile.updated", NOW + 1, age=30))  # no activity
    row = board.rows["l1"]
    assert (row.did, row.did_at) == ("booked a call", NOW)
    assert board.counters.log == 3


def test_outcomes_are_counted_and_told(board: Board, outcome_event: Any) -> None:
    news = board.outcome(outcome_event("l1", 25.0), NOW)
    assert (news.name, news.qualified, news.total) == ("Ada Weiss", True, 25.0)
    assert news.terms == "Call booked +20, No letter opened -5"
    news = board.outcome(outcome_event("l1", 12.0, "lead.disqualified", cause="time"), NOW)
    assert (news.qualified, news.why) == (False, "by time alone")
    assert news.terms == "No letter opened -5, Call booked +20", "what takes points comes first"
    assert (board.counters.qualified, board.counters.disqualified) == (1, 1)


def test_the_rate_is_of_the_last_seconds(board: Board) -> None:
    for number in range(50):
        board.published(NOW + number * 100)
    assert board.rate(NOW + 4_900) == pytest.approx(50 / RATE_WINDOW)
    assert board.rate(NOW + 60_000) == 0
    assert board.counters.taken == 50


def test_refusals_are_counted_by_reason(board: Board) -> None:
    for reason in ("not_json", "no_lead", "not_json"):
        board.refused(reason)
    assert board.counters.refused == 3
    assert board.reasons == {"not_json": 2, "no_lead": 1}


def test_a_lead_that_has_become_part_of_another_is_ranked_no_more(board: Board, score_event: Any) -> None:
    board.score(score_event("l1", 3.0), NOW)
    board.score(score_event("l2", 5.0), NOW)
    board.gone("l1")
    assert [row.name for row in board.ranking()] == ["Nils Demir"]


def test_the_newest_activities_are_kept_in_the_order_in_which_they_came(board: Board) -> None:
    for number in range(40):
        board.fact("l1", fact("page.viewed", NOW + number, path=f"/{number}"))
    board.fact("l1", fact("profile.updated", NOW + 99, age=30))
    assert board.rows["l1"].seen == tuple((NOW + number, f"read /{number}") for number in range(10, 40))


@pytest.mark.parametrize(
    ("kind", "properties", "words"),
    [
        ("booking.canceled", {"kind": "demo"}, "cancelled a demo"),
        ("booking.canceled", {"kind": "call", "rescheduled": True}, "moved a call"),
        ("booking.created", {}, "booked a call"),
        ("email.replied", {"kind": "sales"}, "replied to a sales e-mail"),
        ("email.unsubscribed", {}, "unsubscribed"),
        ("page.viewed", {"path": "/pricing"}, "read /pricing"),
        ("page.downloaded", {"kind": "ebook"}, "downloaded a book"),
        ("page.form_submitted", {"form": "survey"}, "answered a survey"),
        ("page.form_submitted", {"form": "contact"}, "sent the form contact"),
        ("page.form_submitted", {}, "sent the form"),
        ("app.trial_started", {}, "started a trial"),
        ("app.report_shared.twice", {}, "report shared twice"),
        ("social.clicked", {"network": "linkedin"}, "clicked on linkedin"),
        ("feedback.rejected", {"reason": "no budget"}, "sales rejected"),
    ],
)
def test_activities_in_words(kind: str, properties: dict[str, Any], words: str) -> None:
    assert phrases.did(kind, properties) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(-5, "now"), (900, "now"), (12_000, "12s"), (150_000, "2m"), (3_600_000, "1h"), (86_400_000 * 3, "3d"),
     (86_400_000 * 364, "52w")],
)  # fmt: skip
def test_ages_in_four_characters(milliseconds: int, words: str) -> None:
    assert phrases.ago(milliseconds) == words
