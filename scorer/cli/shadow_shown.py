"""The comparison of two rule files on the same leads, as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scorer.cli.options import readable

if TYPE_CHECKING:
    from rich.table import Table

    from scorer.shadow_report import Named, Quantiles, Report

_WIDTH: Final = 80
"""Columns at least, where the output is no terminal."""
_SAME: Final = 0.05
"""Days that are none."""
_STATUSES: Final = ("open", "qualified", "disqualified", "with sales", "sent back")


def show(found: Report) -> None:
    """To standard output."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)  # ids are text
    console.width = max(console.width, _WIDTH)
    for line in _head(found):
        console.print(line, soft_wrap=True)
    if not found.leads:
        return
    for title, table in (
        ("Leads by status: in force (rows) and tried (columns)", _statuses(found)),
        ("Told since the trial began", _told(found)),
        ("Points now", _points(found)),
        ("Qualified only by the rules that are tried", _named(found.newly)),
        ("Qualified only by the rules in force", _named(found.no_longer)),
    ):
        if table is not None:
            console.print()
            console.print(title)
            console.print(table)
    console.print(_sooner(found), soft_wrap=True)


def _head(found: Report) -> list[str]:
    lines = [f"in force: {found.live_name} ({found.live})", f"tried:    {found.shadow_name} ({found.shadow})"]
    if found.unreached:
        lines.append(f"{found.unreached} partitions have not come to the beginning of the trial yet")
    if found.failed:
        lines.append(f"{found.failed:,} leads are left out: our own code failed on them, which is a bug")
    if found.through:
        lines.append(f"{found.leads:,} leads, scored up to {readable(found.through)}")
    return lines


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    return table


def _statuses(found: Report) -> Table:
    statuses = found.statuses
    known = {*statuses, *(other for row in statuses.values() for other in row)}
    shown = [one for one in _STATUSES if one in known]
    table = _table("", *shown)
    for live in shown:
        counts = statuses.get(live, {})
        table.add_row(live, *(f"{counts.get(other, 0):,}" for other in shown))
    return table


def _told(found: Report) -> Table:
    table = _table("", "in force", "tried")
    told, would = found.told, found.would
    table.add_row("qualified", f"{told.qualified:,}", f"{would.qualified:,}")
    table.add_row("  leads", f"{told.leads:,}", f"{would.leads:,}")
    table.add_row("  of both", f"{found.both:,}", f"{found.both:,}")
    table.add_row("disqualified", f"{told.disqualified:,}", f"{would.disqualified:,}")
    return table


def _points(found: Report) -> Table | None:
    table = _table("", "a tenth below", "median", "a tenth above")
    rows = (
        ("in force", found.points),
        ("tried", found.shadow_points),
        ("difference of a lead", found.difference),
    )
    for name, row in rows:
        if row is not None:
            table.add_row(name, *_three(row))
    return table


def _three(row: Quantiles) -> tuple[str, str, str]:
    return f"{row.tenth:.2f}", f"{row.median:.2f}", f"{row.nine_tenths:.2f}"


def _named(leads: list[Named]) -> Table | None:
    if not leads:
        return None
    table = _table("lead", "in force", "tried")
    for one in leads:
        table.add_row(one.lead, f"{one.live:.2f}", f"{one.shadow:.2f}")
    return table


def _sooner(found: Report) -> str:
    if not found.both or found.median_days_earlier is None:
        return "Nobody has been qualified by both since the trial began."
    days = found.median_days_earlier
    middle = f"{abs(days):.1f} days {'earlier' if days > 0 else 'later'} in the middle"
    if abs(days) < _SAME:
        middle = "at the same time in the middle"
    return (
        f"Of {found.both:,} leads qualified by both, the rules that are tried were earlier for"
        f" {found.earlier:,} and later for {found.later:,}: {middle}."
    )
