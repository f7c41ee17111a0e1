"""``scorer demo`` as a person runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from scorer.demo.run import Options, run
from scorer.dev.kafka import KafkaCluster
from scorer.domain.record import NO_DOOR
from scorer.errors import UserError
from scorer.settings import Settings
from scorer.wire.registry import Registry
from tests.e2e.demo_running import BEGINS, LIVE, Demo
from tests.e2e.snippet_server import until
from tests.support.intake import end_of, facts, read_log

ENTER, LEAVE, HOME = "\x1b[?1049h", "\x1b[?1049l", "\x1b[H"

SENDERS = {
    "segment/app",
    "page/site",
    "pixel/opens",
    "sendgrid/mail",
    "calendly/calls",
    "calendly/demos",
    "webhook/crm",
}
"""Who sends within the first minute, by the keys of the collector."""

pytestmark = pytest.mark.slow


def test_it_shows_outcomes_ends_by_itself_and_leaves_nothing(demo: Callable[..., Demo]) -> None:
    running = demo("--for", "25s")
    running.end(seconds=120)
    text = running.output
    assert re.search(r" qualified \S+ \S+ at \d+\.\d: .*Trial signup \+15", text)
    assert re.search(r" disqualified .* at 1\d\.\d: Call or demo cancelled -10, Call booked \+20", text)
    assert re.search(r" disqualified .* \(by time alone\): .*No e-mail opened lately -5", text), (
        "nobody did a thing"
    )
    assert re.search(r" disqualified .*Rejected by sales", text)
    assert re.search(r" disqualified .*Student or unemployed.*by time alone", text)
    assert re.search(
        r"\d+ events came in through the collector in 25 s, after 1\d\d of history: \d+ leads scored", text
    )
    assert re.search(r"Bad requests that were refused: 2 \(no_lead 1, not_json 1\)", text)
    assert "scorer demo --kafka" in text
    assert "\x1b" not in text, "no terminal, no escape sequences"
    running.assert_nothing_left()
    figure = json.loads(running.figures.read_text())
    assert figure["figure"] == "demo_first_qualified_s"
    assert figure["unit"] == "s"
    assert 1 < figure["value"] < BEGINS


def test_it_can_be_stopped_while_it_starts(demo: Callable[..., Demo]) -> None:
    running = demo("--for", "10m")
    running.await_output("starting the worker")
    running.process.send_signal(signal.SIGINT)
    running.end()
    assert "Stopped before it began." in running.output
    running.assert_nothing_left()


def test_a_killed_demonstration_leaves_nothing(demo: Callable[..., Demo]) -> None:
    running = demo("--for", "10m")
    running.await_output(LIVE)
    running.process.kill()
    running.end(-signal.SIGKILL)
    running.assert_nothing_left()


@pytest.mark.parametrize("part", ["worker", "collector"])
def test_a_part_that_dies_is_told_of(demo: Callable[..., Demo], part: str) -> None:
    running = demo("--for", "10m")
    running.await_output(LIVE)
    for pid in running.parts(part):
        os.kill(pid, signal.SIGKILL)
    running.end(1)
    assert f"the {part} ended" in running.output
    running.assert_nothing_left()


def test_in_a_terminal_it_is_a_live_view_until_ctrl_c(demo: Callable[..., Demo]) -> None:
    running = demo("--for", "10m", columns=80, rows=24)
    running.await_output(LIVE)
    running.await_output(r"events [^\n]*\d+ \(\d+/s\)")
    running.process.send_signal(signal.SIGINT)
    running.end()
    text = running.output
    entered, left = text.index(ENTER), text.rindex(LEAVE)
    frames = [
        [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in frame.split("\r\n")]
        for frame in text[entered:left].split(HOME)
        if "\n" in frame
    ]
    assert len(frames) > 10, "several a second"
    assert {len(frame) for frame in frames} == {24}
    assert max(len(line) for frame in frames for line in frame) <= 80
    assert all("lead.log.v1" in frame[0] for frame in frames)
    counters = [frame[1] for frame in frames]
    assert any("starting the worker" in line for line in counters)
    assert any(re.search(r"events \d+ \(\d+/s\) .* left", line) for line in counters)
    assert any(re.search(r"your own score http://127\.0\.0\.1:\d+ ", frame[2]) for frame in frames)
    assert re.search(r"▲ qualified .*Trial signup \+15", "\n".join(frames[-1]))
    assert "events came in through the collector" in text[left:]
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is back"
    running.assert_nothing_left()


def test_on_somebodys_kafka_its_topics_are_removed_again(
    demo: Callable[..., Demo], kafka: KafkaCluster
) -> None:
    client = AdminClient({"bootstrap.servers": kafka.bootstrap})
    before = set(client.list_topics(timeout=10).topics)
    running = demo("--for", "10m", "--bootstrap", kafka.bootstrap)
    running.await_output(LIVE)
    made = set(client.list_topics(timeout=10).topics) - before
    assert {name.partition(".")[2] for name in made} >= {
        "lead.log.v1",
        "lead.qualified.v1",
        "activity.page.v1",
    }
    assert len({name.partition(".")[0] for name in made if name.startswith("scorer-demo-")}) == 1
    (prefix,) = {f"{name.partition('.')[0]}." for name in made if name.startswith("scorer-demo-")}
    settings = Settings(bootstrap=kafka.bootstrap, topic_prefix=prefix)

    def senders() -> set[str]:
        return {fact.source for _, fact in facts(read_log(settings)) if fact.door == NO_DOOR}

    until(lambda: senders() >= SENDERS, f"events of all of {SENDERS}, there are {senders()}", BEGINS)
    assert all(end_of(settings, door.name) == 0 for door in Registry.load().doors), "nothing came by a door"
    running.process.terminate()
    running.end()
    running.assert_nothing_left()
    deadline = time.monotonic() + 20
    while any(name.startswith("scorer-demo-") for name in client.list_topics(timeout=10).topics):
        assert time.monotonic() < deadline, "its topics are still there"
        time.sleep(0.1)
    groups = client.list_consumer_groups().result(10).valid
    assert not [group.group_id for group in groups if group.group_id.startswith("scorer-demo-")]


def test_a_rule_file_with_mistakes_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rules = tmp_path / "rules.yaml"
    rules.write_text("model: Mine\nqualify: {enter: above ten}\n")
    with pytest.raises(UserError, match=r"(?s)rules\.yaml.*above ten") as caught:
        run(Options(5.0, rules), time.monotonic())
    assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["rules.yaml"]


def test_a_kafka_that_is_not_there_is_told_of(demo: Callable[..., Demo]) -> None:
    running = demo("--bootstrap", "127.0.0.1:1")
    running.end(1)
    assert "Kafka at 127.0.0.1:1" in running.output
    running.assert_nothing_left()
