"""Insights of a stream that a worker scores on a real Kafka: read in pieces, as it goes, and rebuilt."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scorer import cli
from scorer.broker import Broker
from scorer.cli.options import default_rules
from scorer.settings import Settings
from tests.bench.road import WorkerProcess
from tests.bench.workload import FEEDBACK, PAGE, PROFILE
from tests.integration.road_running import prepare_road, settled, until
from tests.integration.score_running import outcomes_in
from tests.support.intake import Publisher, event
from tests.unit.insights.test_figures import TABLES, dump

if TYPE_CHECKING:
    from tests.kafka_fixtures import RunningKafka

READY = {"employees": 25, "decision_maker": "yes", "country": "US", "product": "team", "segment": "smb"}
"""Worth 21 points: a qualified lead."""


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str) -> Settings:
    return Settings(bootstrap=kafka.bootstrap, topic_prefix=topic_prefix)


def insights(settings: Settings, *arguments: str) -> int:
    flags = ("--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix)
    return cli.run(["insights", *arguments, *flags])


async def test_what_was_scored_is_counted_once_and_rebuilt_the_same(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = Broker(settings)
    prepare_road(settings, default_rules(), log_partitions=2)
    fed, built = str(tmp_path / "fed.db"), str(tmp_path / "built.db")
    assert insights(settings, "update", "--db", fed) == 0  # of nothing
    publisher = Publisher(settings)
    follower = following(settings, fed)
    with WorkerProcess(settings, tmp_path / "worker", checkpoint=0.2) as worker:
        for number in range(6):
            lead = f"lead-{number}"
            viewed = {"path": "/", "utm": {"source": "ads" if number % 2 else "mail"}}
            publisher.send(PAGE, event(PAGE, lead, type="page.viewed", data=viewed), lead)
            publisher.send(PROFILE, event(PROFILE, lead, data=READY if number < 4 else {"age": 30}), lead)
        linked = {"anonymous_id": "visitor", "user_id": "one"}
        publisher.send(
            PAGE,
            event(PAGE, "", subject=None, type="page.viewed", data={"path": "/", "anonymous_id": "visitor"}),
            "v",
        )
        publisher.flush()
        await until(lambda: said(broker, "lead.qualified.v1") == 4, "four have qualified", worker)
        follower.kill()
        follower.wait()
        again = following(settings, fed)
        again.terminate()
        assert again.wait(30) == 0
        publisher.send(PROFILE, event(PROFILE, "", subject=None, type="profile.linked", data=linked), "v")
        for kind, lead in (("accepted", 0), ("developed", 0), ("converted", 0), ("rejected", 1)):
            sent = event(FEEDBACK, f"lead-{lead}", type=f"feedback.{kind}", data={"reason": "so"})
            publisher.send(FEEDBACK, sent, f"lead-{lead}")
        publisher.flush()
        await until(lambda: said(broker, "lead.merged.v1") == 1, "two have become one", worker)
        await until(lambda: said(broker, "lead.stage.v1") >= 8, "sales has been heard", worker)
        assert insights(settings, "update", "--db", fed) == 0
        assert cli.run([*erasing(settings), "--lead", "lead-2", "--request", "r-1"]) == 0
        await settled(worker, broker)
    for _ in range(2):
        assert insights(settings, "update", "--db", fed) == 0
    assert insights(settings, "rebuild", "--db", built) == 0
    same(fed, built)
    assert insights(settings, "update", "--db", built) == 0  # once more from the topics
    same(fed, built)
    capsys.readouterr()
    assert cli.run(["insights", "show", "--db", fed, "--json", "--source"]) == 0
    figures: dict[str, Any] = json.loads(capsys.readouterr().out)
    counts = {row["group"]: row for row in figures["volume"]["totals"]}
    assert {group: row["created"]["leads"] for group, row in counts.items()} == {
        "ads": 3,
        "mail": 3,
        "(unknown)": 1,
    }
    assert {group: row["qualified"]["leads"] for group, row in counts.items() if group != "(unknown)"} == {
        "ads": 2,
        "mail": 2,
    }
    assert counts["mail"]["converted"]["leads"] == 1
    standing = {(one["stage"], one["group"]): one["leads"] for one in figures["pipeline"]["standing"]}
    assert standing == {
        ("Open", "ads"): 1,
        ("Open", "mail"): 1,
        ("Open", "(unknown)"): 1,
        ("Qualified", "ads"): 1,
        ("Customer", "mail"): 1,
        ("Unqualified", "ads"): 1,
    }
    assert cli.run(["insights", "lead", "--db", fed, "lead-2"]) == 1
    assert not mentioned(fed, b"lead-2")
    # Another system's topics do not go into the same file.
    other = settings.topic_prefix.replace("t", "u", 1)
    assert insights(Settings(bootstrap=settings.bootstrap, topic_prefix=other), "update", "--db", fed) != 0


def following(settings: Settings, file: str) -> subprocess.Popen[bytes]:
    """`scorer insights update --follow`, as a process to be killed."""
    flags = ("--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix)
    command = [sys.executable, "-m", "scorer", "insights", "update", "--db", file]
    process = subprocess.Popen(
        [*command, "--follow", "--every", "0.1", *flags],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert b"records read" in process.stderr.readline()
    process.stderr.close()
    time.sleep(0.2)
    return process


def mentioned(file: str, text: bytes) -> bool:
    return text in Path(file).read_bytes()


def erasing(settings: Settings) -> list[str]:
    flags = ("--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix)
    return ["erase", *flags, "--yes", "--no-count"]


def said(broker: Broker, topic: str) -> int:
    """Outcomes of a topic, repetitions aside."""
    return len({outcome.value for outcome in outcomes_in(broker) if outcome.topic == topic})


def same(one: str, other: str) -> None:
    """Each file has a key of its own, so that lives have other names."""
    found = [dump(Path(path)) for path in (one, other)]
    for tables in found:
        tables["settings"] = [row for row in tables["settings"] if row[0] != "key"]
        names = {row[0]: row[1] or "forgotten" for row in tables["lives"]}
        for table in TABLES:
            rows = [tuple(names.get(cell, cell) for cell in row) for row in tables[table]]
            tables[table] = sorted(rows, key=repr)
        tables["heard"] = sorted((row[1:] for row in tables["heard"]), key=repr)
    assert found[0] == found[1]
    assert found[0]["outcomes"]
