"""What is answered over HTTP."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from scorer.errors import UserError
from scorer.insights.serving import Answers, server
from scorer.insights.store import Store
from scorer.wire.registry import ERASED, LOG, QUALIFIED, STAGE
from tests.unit.insights.test_figures import KEY
from tests.unit.insights.test_store import ANN, BEGAN, DAY, FORGOTTEN, heard, said, told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOB = "bob/1 ü"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "insights.db"
    with Store.open(path, KEY) as store:
        store.add(
            [
                said(LOG, heard(ANN, BEGAN), heard(BOB, BEGAN, segment="smb"), heard("eve", BEGAN + DAY)),
                said(QUALIFIED, told(BOB, 1, "qualified", BEGAN + 2 * DAY, "Qualified")),
                said(STAGE, told(BOB, 2, "stage", BEGAN + 5 * DAY, "Customer", previous="Qualified")),
                said(ERASED, FORGOTTEN),
            ]
        )
    return path


@pytest.fixture
def answers(path: Path) -> Answers:
    return Answers(path, lambda: (BEGAN + 10 * DAY) / 1000)


def get(answers: Answers, target: str) -> tuple[int, Any]:
    status, body = answers.get(target)
    return status, json.loads(body)


def test_volume(answers: Answers) -> None:
    status, said = get(answers, "/insights/volume?by=week&group=segment")
    assert status == 200
    assert (said["by"], said["group"], said["time_zone"]) == ("week", "segment", "UTC")
    assert [(row["period"], row["begins"], row["group"]) for row in said["rows"]] == [
        ("2026-W39", "2026-09-21", "smb"),
        ("2026-W39", "2026-09-21", "(unknown)"),
    ]
    assert [row["created"] for row in said["totals"]] == [
        {"events": 1, "leads": 1},
        {"events": 2, "leads": 2},
    ]
    status, said = get(answers, "/insights/volume?by=day&time_zone=Asia/Tokyo&from=2026-09-22&to=2026-09-22")
    assert (status, len(said["rows"]), said["time_zone"]) == (200, 1, "Asia/Tokyo")
    assert said["rows"][0]["created"] == {"events": 1, "leads": 1}


def test_pipeline_stages_and_cohorts(answers: Answers) -> None:
    _, said = get(answers, "/insights/pipeline")
    # Who has been forgotten stands nowhere.
    assert {one["stage"]: one["leads"] for one in said["standing"]} == {"Open": 1, "Customer": 1}
    assert [(one["stage"], one["following"], one["stays"], one["share"]) for one in said["conversions"]] == [
        ("Open", "Qualified", 1, 0.333333),
        ("Open", None, 1, 0.333333),
        ("Qualified", "Customer", 1, 1.0),
    ]
    _, said = get(answers, "/insights/stages")
    assert said["at"] == "2026-10-01T14:13:20.000Z"
    assert said["rows"][0]["completed"] == {"stays": 2, "median": 2.0, "ninetieth": 2.0}
    assert said["rows"][0]["going_on"] == {"stays": 1, "median": 9.0, "ninetieth": 9.0}
    _, said = get(answers, "/insights/cohorts?by=quarter")
    assert said["rows"] == [
        {
            "period": "2026-Q3",
            "begins": "2026-07-01",
            "group": None,
            "leads": 1,
            "converted": 1,
            "median_days": 3.0,
        }
    ]


def test_a_lead(answers: Answers) -> None:
    status, said = get(answers, "/insights/leads/bob%2F1%20%C3%BC")
    assert (status, said["lead"], said["segment"]) == (200, BOB, "smb")
    assert [(one["kind"], one["time"]) for one in said["events"]] == [
        ("created", "2026-09-21T14:13:20.000Z"),
        ("qualified", "2026-09-23T14:13:20.000Z"),
        ("stage", "2026-09-26T14:13:20.000Z"),
    ]
    assert get(answers, f"/insights/leads/{ANN}") == (410, {"error": "the person has been forgotten"})
    assert get(answers, "/insights/leads/nobody") == (404, {"error": "there is no such lead"})
    assert get(answers, "/insights/leads/")[0] == 400


@pytest.mark.parametrize(
    ("target", "status", "error"),
    [
        ("/", 404, "there is no /"),
        ("/insights/volumes", 404, "there is no /insights/volumes"),
        ("/insights/volume?by=hour", 400, "by: 'hour' is none of day, week, month, quarter"),
        ("/insights/volume?group=owner", 400, "group: 'owner' is none of product, segment, source"),
        ("/insights/volume?group=1);DROP TABLE lives", 400, "group: "),
        ("/insights/volume?from=20260101", 400, "from: '20260101' is no day such as 2026-11-01"),
        ("/insights/volume?to=2026-02-30", 400, "to: '2026-02-30' is no day"),
        ("/insights/volume?from=2026-02-02&to=2026-02-01", 400, "from 2026-02-02 is after to 2026-02-01"),
        ("/insights/volume?time_zone=Mars", 400, "there is no time zone Mars"),
        ("/insights/volume?by=day&by=week", 400, "the query gives a word twice"),
        ("/insights/volume?what", 400, "the query is none"),
        ("/insights/stages?by=day", 400, "there is no by here"),
        ("/insights/leads/x?by=day", 400, "there is no by here"),
        ("/insights/leads/%ff", 400, "'utf-8' codec"),
    ],
)
def test_what_is_refused_and_why(answers: Answers, target: str, status: int, error: str) -> None:
    found, said = get(answers, target)
    assert (found, said["error"][: len(error)]) == (status, error)


def test_a_file_that_has_gone_is_no_news_of_ours(answers: Answers, path: Path) -> None:
    path.unlink()
    assert get(answers, "/insights/volume")[0] == 503


@contextmanager
def serving(answers: Answers) -> Iterator[HTTPConnection]:
    running = server(answers, "127.0.0.1", 0)
    Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
    connection = HTTPConnection("127.0.0.1", running.server_port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()
        running.shutdown()
        running.server_close()


def test_over_the_network(answers: Answers) -> None:
    with serving(answers) as connection:
        connection.request("GET", "/insights/volume")
        reply = connection.getresponse()
        body = reply.read()
        assert (reply.status, reply.getheader("Content-Type")) == (200, "application/json")
        assert body == answers.get("/insights/volume")[1]
        connection.request("HEAD", "/insights/volume")
        reply = connection.getresponse()
        assert (reply.read(), reply.getheader("Content-Length")) == (b"", str(len(body)))
        for method in ("POST", "DELETE", "BREW"):
            connection.request(method, "/insights/volume", body=b"{}")
            reply = connection.getresponse()
            assert (reply.status, reply.getheader("Allow")) == (405, "GET, HEAD")
            assert json.loads(reply.read()) == {"error": "this is for reading: GET"}


def test_a_request_that_is_none_gets_json_too(answers: Answers) -> None:
    with serving(answers) as connection:
        with socket.create_connection(("127.0.0.1", connection.port), timeout=10) as raw:
            raw.sendall(b"GET /insights/volume HTTP/9.9\r\n\r\n")
            said = raw.makefile("rb").read()
        assert said.startswith(b"HTTP/1.1 505")
        assert b'{"error":' in said


def test_a_taken_port_is_the_users_to_mend(answers: Answers) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="can't be served"):
            server(answers, "127.0.0.1", taken.getsockname()[1])
