"""The display fits every terminal, and says what the board says."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live

from scorer.demo.board import Board
from scorer.demo.display import View, plain, summary
from scorer.domain.record import Fact


@pytest.fixture
def board(score_event: Any, outcome_event: Any) -> Board:
    board = Board(
        lambda lead: f"Wilhelmina Featherstonehaugh {lead}" if lead.endswith("7") else f"Ada {lead}"
    )
    now = int(time.time() * 1000)
    for number in range(60):
        lead = f"lead-{number}"
        path = "/a/very/long/path/" + "that/goes/on/" * 20
        board.fact(lead, Fact("page.viewed", now, now, 0, -1, b"", "", "", {"path": path}))
        board.score(score_event(lead, number + 0.25, stage="Unqualified", band="warm"), now)
        top = [{"rule": f"a-rule-with-a-long-name-{n}", "points": 12.345} for n in range(9)]
        board.outcome(outcome_event(lead, 21.0, top=top, reason="a_reason", cause="time"), now)
        board.published(now)
    return board


def drawn(board: Board, width: int, height: int, *, step: str = "", ascii_only: bool = False) -> list[str]:
    board.step = step
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    view = View(board, ascii_only=ascii_only)
    view.clock = "0:42 left"
    return [
        "".join(segment.text for segment in line)
        for line in console.render_lines(view, console.options.update(height=height), pad=False)
    ]


@pytest.mark.parametrize(
    ("width", "height"), [(80, 24), (120, 40), (100, 30), (60, 15), (200, 60), (40, 10), (20, 5)]
)
def test_nothing_wraps_and_nothing_runs_over(board: Board, width: int, height: int) -> None:
    lines = drawn(board, width, height)
    assert len(lines) <= height
    assert max(cell_len(line) for line in lines) <= width
    if height >= 15:
        assert len(lines) == height


def test_no_width_is_run_over(board: Board) -> None:
    for step in ("", "bringing in the history of the last weeks"):
        for width in (*range(20, 60, 9), *range(78, 122, 3)):
            assert max(cell_len(line) for line in drawn(board, width, 24, step=step)) <= width, width


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_the_page_is_shown_once_it_is_open(board: Board, width: int) -> None:
    board.page = "http://127.0.0.1:8088"
    lines = drawn(board, width, 24)
    assert len(lines) == 24
    assert max(cell_len(line) for line in lines) <= width
    if width > 40:
        assert board.page in lines[2]


def test_an_empty_board_is_drawn_too() -> None:
    lines = drawn(Board(str), 80, 24, step="starting the worker")
    assert len(lines) == 24
    assert "starting the worker" in lines[1]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_it_shows_the_best_leads_and_the_newest_outcomes(board: Board, width: int, height: int) -> None:
    lines = drawn(board, width, height)
    text = "\n".join(lines)
    assert "lead.log.v1" in lines[0]
    assert "0:42 left" in lines[1]
    assert "refused 0" in lines[1]
    assert "outcomes 60" in lines[1]
    best = lines[4]
    assert best.split()[:3] == ["▲Ada", "lead-59", "59.2"]
    assert {"warm", "Unqualified"} <= set(best.split())
    assert "a reason, by time alone" in text
    newest = next(line for line in lines if "▲ qualified" in line)
    assert "lead-59" in newest


def test_a_terminal_without_unicode_gets_none_of_ours(board: Board) -> None:
    text = "\n".join(drawn(board, 120, 40, ascii_only=True)).replace("…", "")
    assert text.isascii()


def test_a_resized_terminal_is_drawn_anew(board: Board) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, height=40, color_system=None)
    with Live(View(board), console=console, screen=True, auto_refresh=False) as live:
        live.refresh()
        console.size = (80, 24)  # type: ignore[assignment]
        out.truncate(0)
        live.refresh()
        frame = out.getvalue()
    assert frame.count("\n") == 23
    assert "\x1b[?1049l" in out.getvalue(), "the terminal's former content is back"


def test_plain_lines_say_it_all(board: Board) -> None:
    line = plain(board.news[-1])
    assert "qualified Ada lead-59 at 21.0 (a reason, by time alone): a-rule-with-a-long-name-0 +12.3" in line
    assert "\n" not in line


def test_the_summary_has_the_figures(board: Board) -> None:
    board.refused("not_json")
    text = "\n".join(summary(board, 61.2, 5.04))
    assert "60 events came in through the collector in 61 s" in text
    assert "60 leads scored" in text
    assert "60 qualified, 0 disqualified. The first was seen 5.0 s after the start." in text
    assert "not_json 1" in text
    assert "scorer demo --kafka" in text
    assert "rules/default.yaml" in text
