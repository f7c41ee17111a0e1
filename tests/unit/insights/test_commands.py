"""``scorer insights`` as a person uses it, and what goes wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from scorer.cli import run
from scorer.insights.drawing import Bar, Series, bars, columns, lines, tick
from scorer.insights.reading import InForce
from scorer.insights.serving import Answers
from scorer.insights.store import Store
from scorer.wire.registry import ERASED, LOG, MERGED, QUALIFIED, STAGE
from tests.unit.insights.test_figures import KEY
from tests.unit.insights.test_store import ANN, BEGAN, DAY, FORGOTTEN, heard, said, told

NASTY = '<script>alert("1")</script> & [red]'


@pytest.fixture
def db(tmp_path: Path) -> str:
    path = tmp_path / "insights.db"
    sold = told("bob", 2, "stage", BEGAN + 5 * DAY, "Customer", previous="Qualified", reason=NASTY)
    with Store.open(path, KEY) as store:
        store.add(
            [
                said(LOG, InForce(1, "Europe/Berlin"), heard(ANN, BEGAN), heard("old", BEGAN)),
                said(LOG, heard("bob", BEGAN + DAY, source=NASTY), heard("eve", BEGAN + 40 * DAY)),
                said(QUALIFIED, told("bob", 1, "qualified", BEGAN + 2 * DAY, "Qualified", total=25.5)),
                said(STAGE, sold),
                said(MERGED, told("old", 1, "merged", BEGAN + 6 * DAY, "Open", into="bob", reason="merge")),
                said(ERASED, FORGOTTEN),
            ]
        )
    return str(path)


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(["insights", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_show_as_text(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = command(capsys, "show", "--db", db, "--by", "month", "--source")
    assert code == 0
    lines_ = [" ".join(re.sub(r"[|+]", " ", line).split()) for line in out.splitlines()]
    assert "Times are of the zone Europe/Berlin." in lines_
    assert '2026-09 <script>alert("1")<~ 1 1 1 ########' in lines_
    assert "2026-09 (unknown) 1" in lines_
    assert "2026-10 (unknown) 1" in lines_
    assert "Trend by month, 2026-09 to 2026-10" in lines_
    assert any(line.startswith("Customer") for line in lines_)
    assert out.isascii()


def test_show_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store.open(tmp_path / "db", KEY).close()
    code, out, _ = command(capsys, "show", "--db", str(tmp_path / "db"))
    assert code == 0
    assert "Nothing of what is asked for has been read yet." in out


def test_show_as_json_is_what_is_served(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = command(capsys, "show", "--db", db, "--json", "--by", "day", "--to", "2026-09-30")
    figures = json.loads(out)
    assert (code, sorted(figures)) == (0, ["cohorts", "pipeline", "stages", "volume"])
    assert figures["volume"]["rows"][-1]["period"] == "2026-09-26"
    assert figures["cohorts"]["rows"][0]["converted"] == 1


def test_a_lead(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = command(capsys, "lead", "--db", db, "old")
    assert code == 0
    assert out.splitlines() == [
        "bob (asked for as old)",
        f"product unknown, segment unknown, source {NASTY}",
        "2026-09-21 14:13:20  created  as old",
        "2026-09-22 14:13:20  created",
        "2026-09-23 14:13:20  qualified by score with 25.50 points",
        f"2026-09-26 14:13:20  stage Qualified to Customer by {NASTY}",
        "2026-09-27 14:13:20  merged into bob  as old",
    ]
    code, out, _ = command(capsys, "lead", "--db", db, "bob", "--json")
    assert json.loads(out)["lead"] == "bob"
    assert command(capsys, "lead", "--db", db, "nobody") == (1, "", "nobody: there is no such lead\n")
    assert command(capsys, "lead", "--db", db, ANN) == (1, "", f"{ANN}: forgotten\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "--db", "nothing.db"], "there is no file nothing.db"),
        (["report", "--db", "nothing.db", "--html", "page.html"], "there is no file nothing.db"),
        (["serve", "--db", "nothing.db"], "there is no file nothing.db"),
        (["lead", "--db", "nothing.db", "x"], "there is no file nothing.db"),
        (["show"], "Missing option '--db'"),
        (
            ["show", "--db", "DB", "--product", "--source"],
            "one of --product, --segment and --source at a time",
        ),
        (["show", "--db", "DB", "--by", "hour"], "'hour' is not one of 'day', 'week', 'month', 'quarter'"),
        (["show", "--db", "DB", "--from", "yesterday"], "from: 'yesterday' is no day"),
        (["show", "--db", "DB", "--time-zone", "Berlin"], "there is no time zone Berlin"),
        (["show", "--db", "DB", "--from", "2026-02-02", "--to", "2026-02-01"], "is after to"),
        (["report", "--db", "DB", "--html", "no/such/page.html"], "no/such/page.html: No such file"),
        (["serve", "--db", "DB", "--port", "99999"], "99999 is not in the range"),
    ],
)
def test_what_a_person_can_do_wrong(
    db: str,
    tmp_path: Path,
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = command(capsys, *(db if one == "DB" else one for one in arguments))
    assert code == 2
    assert said in err
    assert "Traceback" not in err


def test_a_damaged_file_is_the_users_to_mend(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(db)
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(len(content) // 2) + content[100 + len(content) // 2 :])
    for arguments in (["show"], ["lead", "bob"], ["report", "--html", str(path.with_name("page.html"))]):
        code, _, err = command(capsys, *arguments, "--db", db)
        assert code == 1
        assert "malformed" in err
    assert Answers(path).get("/insights/volume")[0] == 503
    assert Answers(path).get("/insights/leads/bob")[0] == 503


# -- the page -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [[], ["--source"]])
def test_the_page_stands_alone_and_escapes_everything(
    db: str, tmp_path: Path, group: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert command(capsys, "report", "--db", db, "--html", str(page), "--by", "week", *group)[0] == 0
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert not re.search(r"(?i)\b(src|href|url|@import|on\w+)\s*[=(]", text)
    assert "://" not in text
    root = ET.fromstring(
        text.removeprefix("<!DOCTYPE html>\n")
        .replace('<meta charset="utf-8">', "")
        .replace('<meta name="viewport" content="width=device-width, initial-scale=1">', "")
        .replace(" class=n>", ' class="n">')
    )
    assert root.tag == "html"
    assert (NASTY in "".join(root.itertext())) == bool(group)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("text")]


def numbers(svg: str, name: str) -> list[float]:
    return [float(one.attrib[name]) for one in ET.fromstring(svg).iter("rect")]


def test_bars_are_as_long_as_their_values() -> None:
    svg = bars([Bar("a", 10, "ten"), Bar("b<", 5, "five"), Bar("c", 0, "")], title='t"')
    assert texts(svg) == ["a", "ten", "b<", "five", "c", ""]
    longest, half, none = numbers(svg, "width")
    assert (half, none) == (pytest.approx(longest / 2, abs=0.1), 0)
    assert ET.fromstring(svg).attrib["aria-label"] == 't"'
    assert bars([], title="t")


def test_columns_stand_on_a_scale_from_nothing() -> None:
    svg = columns(["a", "b"], [Series("x", [4, 8]), Series("y", [0, 2])], title="t", height=120)
    first, second, third = numbers(svg, "height")
    assert (first, third) == (pytest.approx(second / 2, abs=0.2), pytest.approx(second / 4, abs=0.2))
    assert texts(svg)[:5] == ["0", "2", "4", "6", "8"]
    titles = [one.text for one in ET.fromstring(svg).iter("title")]
    assert titles == ["a, x: 4", "b, x: 8", "b, y: 2"]


def test_lines_pass_through_their_values() -> None:
    svg = lines(["a", "b", "c"], [Series("x", [0, 1, 3])], title="t")
    points: Any = ET.fromstring(svg).find("polyline")
    heights = [float(point.split(",")[1]) for point in points.attrib["points"].split()]
    assert heights[0] > heights[1] > heights[2]


def test_many_labels_do_not_overlap() -> None:
    labels = [f"2026-W{number:02}" for number in range(1, 54)]
    svg = columns(labels, [Series("x", [1] * 53)], title="t", width=330)
    assert 2 <= sum(text.startswith("2026") for text in texts(svg)) <= 6


@pytest.mark.parametrize(
    ("highest", "step"),
    [(0, 1), (3, 1), (4, 1), (5, 2), (8, 2), (9, 5), (37, 10), (900, 500), (801, 500), (1e6, 500_000)],
)
def test_ticks_are_round(highest: float, step: float) -> None:
    assert tick(highest) == step
