"""All dashboards on one page each, drawn from a Prometheus without a Grafana.

It is an approximation: there is nothing to click. It shows what a stranger would see first.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from deploy.grafana import written
from deploy.grafana.asking import Prometheus, Refused
from deploy.grafana.drawing import drawn
from scorer.backtest.svg import Markup, joined, tag

Json = Mapping[str, Any]
CELL, ROW, GAP = 62, 30, 8
"""px: a column of Grafana's grid, a row of it, and what is between them."""
HEADING: Final = 26
STYLE: Final = """
body { margin: 0; background: #111217; color: #ccccdc; font: 13px/1.3 Inter, Helvetica, Arial, sans-serif; }
h1 { font-size: 18px; font-weight: 500; margin: 14px 16px 2px; } p { margin: 0 16px 10px; color: #9a9aaa; }
main { position: relative; margin: 8px; }
section, h2 { position: absolute; margin: 0; box-sizing: border-box; }
h2 { font-size: 15px; font-weight: 500; padding: 4px 2px; }
section { background: #181b1f; border: 1px solid #2a2d33; border-radius: 3px; overflow: hidden; }
h3 { font-size: 13px; font-weight: 500; margin: 0; padding: 5px 8px 3px; height: 18px; white-space: nowrap; }
h3 small { color: #777; cursor: help; }
svg { display: block; } svg text { fill: #9a9aaa; font-size: 11px; } svg .grid { stroke: #2a2d33; }
ul { list-style: none; margin: 0; padding: 0 8px; font-size: 11px; line-height: 17px; }
li { display: inline-block; margin-right: 12px; } li i { display: inline-block; width: 14px; height: 3px;
  margin: 0 5px 3px 0; vertical-align: middle; }
.stat { height: 100%; display: flex; align-items: center; justify-content: center; color: #fff;
  font-weight: 500; padding-bottom: 20px; box-sizing: border-box; }
.none { text-align: center; padding-top: 60px; color: #9a9aaa; }
.lying { display: flex; flex-direction: column; height: calc(100% - 32px); padding-top: 4px; }
.lying div { display: flex; flex: 1; max-height: 40px; min-height: 0; margin: 1px 8px; align-items: center; }
.lying span { width: 38%; text-align: right;
  padding-right: 8px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; line-height: 22px; }
.lying em { flex: 1; display: flex; align-items: center; font-style: normal; padding-right: 60px; }
.lying em { height: 80%; } .lying i { height: 100%; display: block; }
.lying b { font-weight: 400; margin-left: 6px; white-space: nowrap; margin-right: -60px;
  width: 60px; }
.upright { display: flex; height: calc(100% - 32px); margin: 0 8px; gap: 4px; }
.upright div { flex: 1; display: flex; flex-direction: column-reverse; text-align: center;
  font-size: 11px; min-width: 0; }
.upright em { flex: 1; display: flex; flex-direction: column; justify-content: flex-end; font-style: normal;
  padding-top: 16px; }
.upright b { font-weight: 400; overflow: hidden; } .upright i { display: block; }
"""


@click.command()
@click.argument("prometheus")
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/dashboards"), show_default=True)
@click.option("--minutes", type=float, help="How far back, instead of each dashboard's own.")
@click.option("--scrape", type=float, default=15.0, show_default=True, help="Seconds from scrape to scrape.")
@click.option("--pictures", is_flag=True, help="PNG too, by a Chromium.")
def command(prometheus: str, out: Path, minutes: float | None, scrape: float, *, pictures: bool) -> None:
    """Draw all dashboards from the Prometheus at the address PROMETHEUS."""
    try:
        made = pages(Prometheus(prometheus.rstrip("/"), scrape), out, time.time(), minutes)
    except Refused as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{prometheus}: {getattr(error, 'reason', error)}") from error
    if pictures:
        made += photographed(made)
    for path in made:
        click.echo(path)


def main(arguments: Sequence[str]) -> int:
    command(list(arguments), prog_name="preview")
    return 0


def pages(prometheus: Prometheus, out: Path, now: float, minutes: float | None = None) -> list[Path]:
    """One for each dashboard, in ``out``. Raises ``Refused``, ``OSError``."""
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for board in written.boards():
        hours = {"now-1h": 1.0, "now-7d": 24.0 * 7}[board["time"]["from"]]
        path = out / f"{board['uid']}.html"
        path.write_text(
            page(board, prometheus, now - (60 * minutes if minutes else 3600 * hours), now), "utf-8"
        )
        made.append(path)
    return made


def page(board: Json, prometheus: Prometheus, since: float, until: float) -> str:
    pieces = []
    height = 0
    marks = prometheus.marks(board, since, until)
    for panel in board["panels"]:
        place = panel["gridPos"]
        left, top = place["x"] * CELL, place["y"] * ROW
        wide, high = place["w"] * CELL - GAP, place["h"] * ROW - GAP
        height = max(height, top + high)
        where = f"left:{left}px;top:{top}px;width:{wide}px;height:{high}px"
        if panel["type"] == "row":
            pieces.append(tag("h2", panel["title"], style=where))
            continue
        series = prometheus.panel(panel, since, until)
        inside = drawn({**panel, "px": (wide - 2, high - HEADING)}, series, marks, (since, until))
        told = tag("small", " (?)", title=panel["description"])
        pieces.append(tag("section", tag("h3", panel["title"], told), inside, style=where))
    content = tag("main", *pieces, style=f"width:{24 * CELL}px;height:{height + GAP}px")
    head = joined(
        Markup('<!doctype html><meta charset="utf-8">'),
        tag("title", board["title"]),
        tag("style", Markup(STYLE)),
    )
    return joined(head, tag("h1", board["title"]), tag("p", board["description"]), content)


def photographed(made: Sequence[Path]) -> list[Path]:
    """A PNG beside each page, by the Chromium that the machine has."""
    import os  # noqa: PLC0415 - only for pictures
    import shutil  # noqa: PLC0415

    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    browser = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        raise click.ClickException("there is no Chromium here: make chromium")
    pictures = []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        view = running.new_page(viewport={"width": 24 * CELL + 16, "height": 900})
        for path in made:
            view.goto(path.resolve().as_uri())
            pictures.append(path.with_suffix(".png"))
            view.screenshot(path=pictures[-1], full_page=True)
        running.close()
    return pictures
