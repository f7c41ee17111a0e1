"""A progress bar on stderr, for people only."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def progress(
    label: str, total: int | None, *, size: bool = False, prints: bool = False
) -> Iterator[Callable[[int], None]]:
    """Yields a function that moves the bar on; does nothing unless stderr is a terminal.

    ``total``: in the unit of the steps; None where nobody knows. ``size``: the unit is bytes. ``prints``:
    the command prints meanwhile, so there is no bar if it does so on a terminal.
    """
    if not sys.stderr.isatty() or (prints and sys.stdout.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn() if size else MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # Rich would send what the command prints to stderr as well, and a pipe behind it would get nothing.
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
    ) as bar:
        task = bar.add_task(label, total=total)
        yield lambda step: bar.advance(task, step)
