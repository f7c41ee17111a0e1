"""``scorer capacity``: what an installation takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from scorer.errors import UserError

if TYPE_CHECKING:
    from scorer.capacity.plan import Plan

SIZES = (1e7, 1e9, 1e11)
"""Events a day, where none are given."""


def _share(how: str) -> str:
    return f"The share of the events that come over HTTP {how}."


@click.command()
@click.option(
    "--events-per-day",
    "sizes",
    type=click.FloatRange(1),
    multiple=True,
    metavar="N",
    help="Several times for several columns.  [default: 10 million, 1 billion, 100 billion]",
)
@click.option(
    "--leads",
    type=click.FloatRange(1),
    metavar="N",
    help="That have ever done anything.  [default: one for five events a day, at most 5 billion]",
)
@click.option(
    "--peak",
    type=click.FloatRange(1),
    default=3.0,
    show_default=True,
    help="The busiest minutes, over the day's mean.",
)
@click.option(
    "--log-days", type=click.FloatRange(1), default=400.0, show_default=True, help="What the log keeps."
)
@click.option("--replicas", type=click.IntRange(1), default=3, show_default=True, help="Of each topic.")
@click.option("--single", type=click.FloatRange(0, 1), default=0.5, show_default=True, help=_share("alone"))
@click.option(
    "--batched", type=click.FloatRange(0, 1), default=0.5, show_default=True, help=_share("in batches")
)
@click.option("--core", type=click.FloatRange(0), metavar="PRICE", help="A core, a month.")
@click.option("--gb-memory", type=click.FloatRange(0), metavar="PRICE", help="A gigabyte of memory, a month.")
@click.option("--gb-disk", type=click.FloatRange(0), metavar="PRICE", help="A gigabyte of disk, a month.")
@click.option("--gb-network", type=click.FloatRange(0), metavar="PRICE", help="A gigabyte between machines.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each size.")
def command(
    sizes: tuple[float, ...],
    leads: float | None,
    peak: float,
    log_days: float,
    replicas: int,
    single: float,
    batched: float,
    *,
    as_json: bool,
    **prices: float | None,
) -> None:
    """Workers, partitions, brokers, disk, memory, network and money for so many events a day.

    Arithmetic over measured costs: docs/capacity.md has the formulas, and what they were checked against.
    Prices are round figures to compare sizes with: give your own.
    """
    from scorer.capacity.load import Load, Prices, Shape, usual_leads
    from scorer.capacity.plan import plan

    if single + batched > 1:
        raise UserError(f"--single {single} and --batched {batched} are more than all events")
    paid = Prices(**{name: price for name, price in prices.items() if price is not None})
    shape = Shape(log_days=log_days, replicas=replicas)
    plans = []
    for events in sizes or SIZES:
        load = Load(
            events_per_day=events,
            leads=leads if leads is not None else usual_leads(events),
            peak=peak,
            single=single,
            batched=batched,
        )
        try:
            plans.append((load, plan(load, shape, prices=paid)))
        except ValueError as error:
            hint = "several installations, each with topics of its own and a part of the leads"
            raise UserError(str(error), hint=hint) from error
    if as_json:
        for load, found in plans:
            click.echo(msgspec.json.encode({"load": load, "plan": _named(found)}))
        return
    click.echo(_table([(load.events_per_day, load.leads, found) for load, found in plans]))


def _named(found: Plan) -> dict[str, Any]:
    cost = found.cost._asdict() | {"all": found.cost.all}
    return found._asdict() | {"cost": cost}


def _table(columns: list[tuple[float, float, Plan]]) -> str:
    rows: list[tuple[str, list[str]]] = [
        ("events a day", [_count(events) for events, _, _ in columns]),
        ("leads", [_count(leads) for _, leads, _ in columns]),
    ]
    plans = [found for _, _, found in columns]
    rows += [
        ("events/s in the peak", [_count(one.peak_per_s) for one in plans]),
        ("workers", [_count(one.workers) for one in plans]),
        ("  cores in use in the peak, all", [f"{one.worker_cores:,.1f}" for one in plans]),
        ("  memory of each", [f"{one.worker_memory_gb:,.1f} GB" for one in plans]),
        ("  local disk of each", [_bytes(one.worker_disk_gb) for one in plans]),
        ("  scores again without its disk after", [f"{one.restore_s:,.0f} s" for one in plans]),
        ("collector processes", [_count(one.collectors) for one in plans]),
        ("partitions of the lead log", [_count(one.log_partitions) for one in plans]),
        ("partitions of all doors", [_count(one.door_partitions) for one in plans]),
        ("brokers", [_count(one.brokers) for one in plans]),
        ("  appended in the peak, with replicas", [f"{one.appended_mb_s:,.1f} MB/s" for one in plans]),
        ("  on their disks, with replicas", [_bytes(sum(one.kept_gb.values())) for one in plans]),
    ]
    rows += [(f"    {name}", [_bytes(one.kept_gb[name]) for one in plans]) for name in plans[0].kept_gb]
    rows.append(("network, a month", [_bytes(one.network_gb) for one in plans]))
    rows.append(("a month's cost", [f"${one.cost.all:,.0f}" for one in plans]))
    for name in plans[0].cost._fields:
        rows.append((f"  {name}", [f"${getattr(one.cost, name):,.0f}" for one in plans]))
    first = max(len(label) for label, _ in rows)
    widths = [max(len(cells[column]) for _, cells in rows) for column in range(len(columns))]
    return "\n".join(
        "  ".join([label.ljust(first), *(c.rjust(w) for c, w in zip(cells, widths, strict=True))])
        for label, cells in rows
    )


def _count(number: float) -> str:
    for size, word in ((1e9, " billion"), (1e6, " million")):
        if number >= size:
            return f"{number / size:,.4g}{word}"
    return f"{number:,.0f}"


def _bytes(gb: float) -> str:
    for size, unit in ((1e6, "PB"), (1e3, "TB")):
        if gb >= size:
            return f"{gb / size:,.1f} {unit}"
    return f"{gb:,.1f} GB"
