"""Where the demonstration is shown: a live view in a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from scorer.demo.board import Board, News
from scorer.demo.display import View, plain

REFRESH = 0.2
"""Seconds between two frames."""


class Screen(Protocol):
    """Shown from ``with`` to the end of it."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
    def step(self, words: str) -> None:
        """What the start is busy with; "" when everything runs."""

    def invite(self, address: str) -> None:
        """The page is open there."""

    def told(self, news: News) -> None:
        """An outcome has arrived."""

    def draw(self, clock: str) -> None:
        """Something may have changed; ``clock`` says how much time is left."""


class LiveScreen:
    """The whole terminal, redrawn five times a second; its former content comes back at the end."""

    def __init__(self, console: Console, board: Board) -> None:
        self._board = board
        self._view = View(board, ascii_only=not console.encoding.lower().startswith("utf"))
        self._live = Live(
            self._view, console=console, screen=True, auto_refresh=False, vertical_overflow="crop"
        )
        self._drawn = 0.0

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.__exit__(exc_type, exc, traceback)

    def step(self, words: str) -> None:
        self._board.step = words
        self._live.refresh()

    def invite(self, address: str) -> None:
        """It is on the board already."""

    def told(self, news: News) -> None:
        """Likewise."""

    def draw(self, clock: str) -> None:
        if monotonic() - self._drawn >= REFRESH:
            self._view.clock = clock
            self._live.refresh()
            self._drawn = monotonic()


class PlainScreen:
    """A line for each step of the start and for each outcome."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to restore."""

    def step(self, words: str) -> None:
        if words:
            self._say(words)

    def invite(self, address: str) -> None:
        self._say(f"your own score: {address} (click around there, and watch it move)")

    def told(self, news: News) -> None:
        self._say(plain(news))

    def draw(self, clock: str) -> None:
        """Nothing is drawn."""


def screen_for(console: Console, board: Board) -> Screen:
    """Live where a terminal can show it."""
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveScreen(console, board)
    return PlainScreen(lambda line: print(line, flush=True))  # noqa: T201 - its output is what it is for
