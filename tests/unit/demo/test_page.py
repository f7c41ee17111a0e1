"""The page's server: the site, the collector behind it, and what a visitor is told."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from msgspec.structs import replace

from scorer.demo import page_server
from scorer.demo.page_server import PATHS, PageServer
from scorer.demo.standing import SEEN, standing
from scorer.domain.explaining import Coming, Contribution, Explanation, InForce, Read

SEEN_HEADERS: list[dict[str, str]] = []


class Collector(BaseHTTPRequestHandler):
    """Says what it was asked."""

    def do_POST(self) -> None:
        SEEN_HEADERS.append({name.lower(): value for name, value in self.headers.items()})
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(429 if b"much" in body else 200)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps([self.command, self.path, body.decode()]).encode())

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: Any) -> None:
        """Nowhere."""


class Host:
    def __init__(self) -> None:
        self.met: list[tuple[str, str]] = []

    def standing(self, visitor: str) -> dict[str, Any]:
        return {"known": True, "visitor": visitor}

    def meeting(self, what: str, email: str) -> None:
        self.met.append((what, email))


class Asking:
    def __init__(self, page: PageServer, host: Host) -> None:
        self.page = page
        self.host = host
        self._port = int(page.address.rpartition(":")[2])

    def __call__(
        self, path: str, body: str | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=10)
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content


@pytest.fixture
def asking() -> Iterator[Asking]:
    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, args=(0.02,), daemon=True).start()
    host = Host()
    with PageServer(0) as page:
        page.open(host, "web_1", ("127.0.0.1", collector.server_port))
        yield Asking(page, host)
    collector.shutdown()
    collector.server_close()


def test_the_site_is_there_with_its_key_and_loads_nothing_from_elsewhere(asking: Asking) -> None:
    for path in PATHS:
        status, headers, html = asking(path)
        assert (status, headers["cache-control"]) == (200, "no-store")
        assert b'data-key="web_1" data-consent="required"' in html
        assert f'data-path="{path}"'.encode() in html
        assert b"http://" not in html
        assert b"https://" not in html
        assert headers["content-security-policy"].startswith("default-src 'self'")
    assert asking("/nothing")[0] == 404
    for path, kind in (("/page.js", "text/javascript"), ("/page.css", "text/css")):
        status, headers, _ = asking(path)
        assert (status, headers["content-type"].partition(";")[0]) == (200, kind)


def test_every_link_of_the_site_leads_somewhere() -> None:
    html = page_server._file("index.html").decode()
    paths = {path.partition("?")[0] for path in re.findall(r'(?:href|data-go|data-path)="(/[^"]*)"', html)}
    assert paths - {"/page.css"} == PATHS


def test_what_is_the_collectors_goes_there_and_back(asking: Asking) -> None:
    own = {"Origin": "http://localhost:8088", "User-Agent": "Mine", "Sec-GPC": "1", "Cookie": "secret=1"}
    status, headers, body = asking("/v1/snippet?a=b", "too much", **own)
    assert (status, headers["retry-after"], headers["content-type"]) == (429, "7", "application/json")
    assert json.loads(body) == ["POST", "/v1/snippet?a=b", "too much"]
    passed = SEEN_HEADERS[-1]
    assert (passed["origin"], passed["user-agent"], passed["sec-gpc"]) == (
        "http://localhost:8088",
        "Mine",
        "1",
    )
    assert "cookie" not in passed
    assert json.loads(asking("/v1/scorer.js")[2])[:2] == ["GET", "/v1/scorer.js"]


def test_a_collector_that_is_away_is_one_to_come_back_to(asking: Asking) -> None:
    with PageServer(0) as page:
        page.open(Host(), "web_1", ("127.0.0.1", 1))
        status, headers, _ = Asking(page, Host())("/v1/snippet", "{}")
    assert (status, headers["retry-after"]) == (503, "1")


def test_a_score_is_told_and_the_page_counts_as_open(asking: Asking) -> None:
    assert not asking.page.visited
    assert json.loads(asking("/score?visitor=a%20b")[2]) == {"known": True, "visitor": "a b"}
    assert json.loads(asking("/score")[2])["visitor"] == ""
    assert asking.page.visited


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"what": "book"}',
        '{"what": "steal", "email": "a@b.example"}',
        '{"what": "book", "email": 7}',
        '{"what": "book", "email": "nobody"}',
        '{"what": "book", "email": "a@b@c"}',
    ],
)
def test_a_meeting_that_is_none(asking: Asking, body: str) -> None:
    assert asking("/meeting", body)[0] == 400
    assert asking.host.met == []


def test_a_meeting(asking: Asking) -> None:
    assert asking("/meeting", '{"what": "book", "email": " anna@example.com "}')[0] == 202
    assert asking.host.met == [("book", "anna@example.com")]


def test_a_port_that_is_taken_is_left_to_whoever_has_it(asking: Asking) -> None:
    taken = int(asking.page.address.rpartition(":")[2])
    with PageServer(taken) as other:
        other.open(Host(), "web_2", ("127.0.0.1", 1))
        assert other.address != asking.page.address
        assert Asking(other, Host())("/")[0] == 200


# -- in words ---------------------------------------------------------------------------------------------

ANNA = Explanation(
    lead="e_1",
    at="2026-11-01T12:00:00Z",
    total=23.46,
    enter=20.0,
    exit=15.0,
    parts={"fit": 5.0, "engagement": 18.46},
    status="qualified",
    band="cold",
    stage="Qualified",
    sequence=2,
    ledger=[
        Contribution("Task created", "later", "engagement", 3.9, 3.9),
        Contribution("Call booked", "", "engagement", 1.0, 19.96),
        Contribution("Careers page visited", "", "engagement", 0.04, -0.4),
        Contribution("First grant", "", "engagement", 1.0, 0.0),
    ],
    next=[
        Coming("2026-12-08T10:00:00Z", "lead.stage", "score", 14.9, "Open"),
        Coming("2026-12-08T10:00:00Z", "lead.disqualified", "score", 14.9),
        Coming("2027-01-09T10:00:00Z", "lead.disqualified", "Student", 9.9),
    ],
    foreseen="2027-12-01T00:00:00Z",
    rules=InForce("Default", 1, "abc"),
    log=Read(0, 1, "2026-11-01T12:00:00Z"),
    members=["a_1"],
)


def test_a_standing_in_words() -> None:
    told = standing(ANNA, [(number, f"read /{number}") for number in range(20)])
    assert (told["total"], told["points"], told["share"]) == ("23.5", 23.5, pytest.approx(0.5865))
    assert told["verdict"] == "Sales has been told: worth a call, until it falls below 15."
    assert told["lines"] == [
        {"rule": "Call booked", "note": "", "points": "+20"},
        {"rule": "Task created", "note": "later, 4 times", "points": "+3.9"},
        {"rule": "Careers page visited", "note": "", "points": "-0.4"},
    ]
    assert told["next"] == [
        "8 December 2026: below 15, no longer worth a call",
        "9 January 2027: off the list of sales (Student)",
    ]
    assert len(told["seen"]) == SEEN
    assert "joined from 2 ids" in told["who"]


@pytest.mark.parametrize(
    ("status", "total", "words"),
    [
        ("open", 4.26, "15.7 points below 20, where sales is told."),
        ("open", 21.0, "0.0 points below 20"),
        ("with sales", 30.0, "You are with sales."),
        ("disqualified", 3.0, "Off the list of sales: Job seeker."),
    ],
)
def test_verdicts(status: str, total: float, words: str) -> None:
    one = replace(ANNA, status=status, total=total, disqualified_by="Job seeker")
    assert standing(one, [])["verdict"].startswith(words)


def test_points_below_zero_and_far_above_stay_within_the_bar() -> None:
    assert standing(replace(ANNA, total=-12.0), [])["share"] == 0
    assert standing(replace(ANNA, total=900.0), [])["share"] == 1
