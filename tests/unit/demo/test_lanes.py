"""Requests arrive in each person's order, are sent again where they were not taken, and are heard of once."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from scorer.demo.lanes import AGAIN, Lanes
from scorer.demo.senders import Sent


class Collector:
    """Fails as it is told to: ``failures`` says how often each path does, and how; 0 cuts the connection."""

    def __init__(self) -> None:
        self.failures: dict[str, list[int]] = defaultdict(list)
        self.taken: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                failing = outer.failures[self.path]
                status = failing.pop() if failing else 200
                if not status:
                    self.close_connection = True
                    return
                if status == 200:
                    outer.taken.append(self.path)
                body = json.dumps({"code": "no"} if status == 400 else {"success": True}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nowhere."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.server.shutdown()
    found.server.server_close()


def heard(lanes: Lanes, count: int) -> list[tuple[str, int, tuple[str, ...]]]:
    deadline = time.monotonic() + 20
    while len(lanes.answers) < count:
        assert time.monotonic() < deadline, lanes.answers
        time.sleep(0.01)
    return [(sent.path, answer.status, answer.refused) for sent, answer in lanes.answers]


def test_each_persons_requests_arrive_in_order_whatever_fails(collector: Collector) -> None:
    kinds = (*AGAIN, 0)
    for number in range(0, 60, 7):
        collector.failures[f"/{number % 5}/{number}"] = [kinds[number % len(kinds)]]
    lanes = Lanes("127.0.0.1", collector.server.server_port)
    for number in range(60):
        lanes.send(str(number % 5), Sent("POST", f"/{number % 5}/{number}", {}, b"{}"))
    told = heard(lanes, 60)
    lanes.close()
    assert {status for _, status, _ in told} == {200}
    assert Counter(path for path, _, _ in told) == Counter(collector.taken)
    assert len(set(collector.taken)) == 60
    for person in "01234":
        numbers = [int(path.rpartition("/")[2]) for path in collector.taken if path[1] == person]
        assert numbers == sorted(numbers)


def test_what_is_refused_is_not_sent_again(collector: Collector) -> None:
    collector.failures["/bad"] = [400]
    lanes = Lanes("127.0.0.1", collector.server.server_port)
    lanes.send("a", Sent("POST", "/bad", {}, b"{}"))
    assert heard(lanes, 1) == [("/bad", 400, ("no",))]
    lanes.close()
    assert collector.taken == []


def test_an_end_does_not_wait_for_a_collector_that_is_away() -> None:
    lanes = Lanes("127.0.0.1", 1)
    lanes.send("a", Sent("POST", "/x", {}, b"{}"))
    began = time.monotonic()
    lanes.close()
    assert time.monotonic() - began < 10
    assert not lanes.answers
