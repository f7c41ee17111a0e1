"""The live view of the board, and the plain lines for where there is no terminal.

Drawn for the console's size at each refresh, so that a resized terminal is simply drawn anew. Nothing
wraps: what does not fit is cut with an ellipsis, columns and lines that do not fit are left out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from scorer.demo import phrases
from scorer.demo.board import Board, News, Row

WIDE = 100
"""Columns from which on there is room for bars and longer words."""
FRESH = 1_500
"""ms for which a changed score is emphasised."""
FULL_BAR = 60.0
"""Points that fill a bar."""

BANDS = {"hot": "bold red", "warm": "yellow", "cold": "blue"}
PARTS = {"fit": "cyan", "engagement": "magenta"}
"""The scores that make up the total; the colours are those of the bars."""
STAGES = {
    "Qualified": "bold green",
    "Contacted": "cyan",
    "Negotiation": "cyan",
    "Customer": "bold cyan",
    "Nurture": "yellow",
    "Unqualified": "red",
    "Open": "dim",
    "Inactive": "dim",
}
ROAD = ("HTTP", "collector", "lead.log.v1", "score", "lead.(dis)qualified.v1")
WIDE_ROAD = (
    "SDKs, webhooks, pixels",
    "collector",
    "lead.log.v1",
    "score",
    "lead.score.v1, lead.qualified.v1, lead.disqualified.v1",
)


class View:
    """Renders a board. ``clock`` says how much time is left."""

    def __init__(self, board: Board, *, ascii_only: bool = False) -> None:
        self.board = board
        self.clock = ""
        self._arrow, self._up, self._down, self._rule, self._block = (
            (">", "+", "-", "-", "#") if ascii_only else ("→", "▲", "▼", "─", "━")
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or console.size.height
        now = int(time.time() * 1000)
        lines = [self._road(width), self._counters(width, now)]
        if self.board.page:
            lines.append(self._page(width))
        rest = max(2, height - len(lines) - 3)  # two rules and the table's heading
        for_news = max(3, min(rest * 2 // 5, 14))
        for_rows = rest - for_news
        ranking = self.board.ranking()
        yield from lines
        yield self._ruler(width, f"leads by score ({min(for_rows, len(ranking))} of {len(ranking)})")
        yield self._leads(ranking[:for_rows], width, now, for_rows)
        yield self._ruler(width, "outcomes, as they are read from their topics")
        yield self._news(width, for_news)

    def _road(self, width: int) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(" Scorer ", "bold reverse")
        room = len("".join(WIDE_ROAD)) + 3 * len(WIDE_ROAD) + len(text) + 2
        for number, stop in enumerate(WIDE_ROAD if room <= width else ROAD):
            text.append("  " if number == 0 else f" {self._arrow} ", "dim")
            text.append(stop, "bold" if stop.startswith("lead.") else "")
        text.truncate(width, overflow="ellipsis")
        return text

    def _counters(self, width: int, now: int) -> Text:
        board, counters = self.board, self.board.counters
        if board.step:
            left = Text(f" {board.step}", "italic")
        else:
            left = Text(" ")
            outcomes = counters.qualified + counters.disqualified
            for label, value in (
                ("events ", f"{counters.taken:,} ({board.rate(now):.0f}/s)"),
                ("refused ", f"{counters.refused:,}"),
                ("log ", f"{counters.log:,}"),
                ("outcomes ", f"{outcomes:,}"),
            ):
                left.append(label, "dim")
                left.append(f"{value}   ", "bold")
        ending = ", Ctrl-C ends " if width >= WIDE else " "
        right = Text(f"{self.clock}{ending}" if self.clock else "", "dim")
        left.truncate(max(0, width - len(right)), overflow="ellipsis", pad=True)
        return _line(left + right, width)

    def _page(self, width: int) -> Text:
        text = Text(" your own score ", "dim")
        text.append(self.board.page, "bold underline")
        text.append("  click around there, and watch it move", "dim")
        return _line(text, width)

    def _ruler(self, width: int, title: str) -> Text:
        text = Text(f"{self._rule * 2} ", "dim", no_wrap=True)
        text.append(title, "not dim")
        text.append(f" {self._rule * width}")
        text.truncate(width, overflow="crop")
        return text

    # -- leads --------------------------------------------------------------------------------------

    def _leads(self, rows: list[Row], width: int, now: int, lines: int) -> RenderableType:
        wide = width >= WIDE
        table = Table(
            box=None, expand=True, padding=(0, 1, 0, 0), show_edge=True, header_style="dim", pad_edge=True
        )
        table.add_column(" lead", width=22 if wide else 19, no_wrap=True, overflow="ellipsis")
        table.add_column("score", width=6, justify="right", no_wrap=True)
        if wide:
            table.add_column("", width=18, no_wrap=True)
        table.add_column(Text("fit", PARTS["fit"]), width=5, justify="right", no_wrap=True)
        table.add_column(Text("engag.", PARTS["engagement"]), width=6, justify="right", no_wrap=True)
        table.add_column("temp", width=4, no_wrap=True)
        table.add_column("stage", width=11, no_wrap=True)
        table.add_column("last did", ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column("ago", width=4, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*self._cells(row, now, wide=wide))
        for _ in range(lines - len(rows)):
            table.add_row("")
        return table

    def _cells(self, row: Row, now: int, *, wide: bool) -> Iterator[Text]:
        fresh = now - row.changed_at < FRESH
        mark = (self._up if row.change > 0 else self._down) if fresh and row.change else " "
        yield Text.assemble((mark, "green" if row.change > 0 else "red"), (row.name, "bold" if fresh else ""))
        yield Text(f"{row.total:.1f}", "bold")
        if wide:
            yield self._bar(row)
        for part in PARTS:
            yield Text(f"{row.parts.get(part, 0.0):.1f}")
        yield Text(row.band, BANDS.get(row.band, ""))
        yield Text(row.stage, STAGES.get(row.stage, ""))
        yield Text(row.did)
        yield Text(phrases.ago(now - row.did_at) if row.did_at else "", "dim")

    def _bar(self, row: Row) -> Text:
        """Fit and engagement, one after the other, as far as they are positive."""
        bar = Text()
        left = 18
        for part, style in PARTS.items():
            length = min(left, round(18 * max(0.0, row.parts.get(part, 0.0)) / FULL_BAR))
            bar.append(self._block * length, style)
            left -= length
        return bar

    # -- outcomes -----------------------------------------------------------------------------------

    def _news(self, width: int, lines: int) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis", end="")
        newest = list(self.board.news)[-lines:][::-1]
        shown = [self._headline(news, width) for news in newest]
        shown += [Text("")] * (lines - len(shown))
        text = Text("\n").join(shown)
        text.no_wrap, text.overflow, text.end = True, "crop", ""
        return text

    def _headline(self, news: News, width: int) -> Text:
        mark, style = (self._up, "green") if news.qualified else (self._down, "red")
        line = Text(" ")
        if width >= WIDE:
            line.append(time.strftime("%H:%M:%S ", time.localtime(news.at / 1000)), "dim")
        line.append(f"{mark} {'qualified   ' if news.qualified else 'disqualified'} ", style)
        line.append(f"{_cut(news.name, 16):16} ", "bold")
        line.append(f"{news.total:5.1f}  ")
        if news.why:
            line.append(news.why, style)
            line.append(": ", "dim")
        line.append(news.terms, "dim")
        return _line(line, width)


def plain(news: News) -> str:
    """One line for one outcome, where there is no terminal."""
    word = "qualified" if news.qualified else "disqualified"
    moment = time.strftime("%H:%M:%S", time.localtime(news.at / 1000))
    why = f" ({news.why})" if news.why else ""
    return f"{moment} {word} {news.name} at {news.total:.1f}{why}: {news.terms}"


def summary(
    board: Board, seconds: float, first_qualified: float | None, *, embedded: bool = True
) -> Iterator[str]:
    """The closing lines. ``first_qualified``: seconds from the start, None if nobody qualified.

    ``embedded``: it ran on the embedded broker.
    """
    counters = board.counters
    leads = sum(row.scored for row in board.rows.values())
    yield ""
    yield (
        f"{counters.taken:,} events came in through the collector in {seconds:.0f} s, after "
        f"{counters.imported:,} of history: {leads:,} leads scored."
    )
    first = "" if first_qualified is None else f" The first was seen {first_qualified:.1f} s after the start."
    yield f"{counters.qualified:,} qualified, {counters.disqualified:,} disqualified.{first}"
    reasons = ", ".join(f"{reason} {number}" for reason, number in sorted(board.reasons.items()))
    yield f"Bad requests that were refused: {counters.refused:,}" + (f" ({reasons})." if reasons else ".")
    yield ""
    yield "Where to go next:"
    yield "  rules/default.yaml       every point above is a number in it; change one and run this again"
    if embedded:
        yield "  scorer demo --kafka      the same on a real Apache Kafka"
    yield "  scorer demo --seed 2     other people"


def _line(text: Text, width: int) -> Text:
    text.truncate(width, overflow="ellipsis")
    text.no_wrap = True
    return text


def _cut(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"
