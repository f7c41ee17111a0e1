"""`scorer dead-letters` on a real Kafka: what dies is listed, explained, sent again, and counts once."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from scorer import cli, rules_apply
from scorer.broker import Broker
from scorer.domain.model import Award, Fixed, Matcher, Model, Score, encode_model
from scorer.domain.record import Fact, encode_record
from scorer.settings import Settings
from scorer.wire.dead_letters import Reason, dead_letter
from scorer.wire.letter_topic import LetterTopic, Sender
from scorer.wire.partitioner import partition_of
from scorer.wire.redrive import Again, Letter
from scorer.wire.registry import DEAD_LETTERS, LOG, SCORE
from scorer.worker.score_app import build_score_app
from scorer.worker.supervise import supervise
from tests.bench.road import WorkerProcess, scored_to_the_end
from tests.integration.score_running import all_scored, make_topics, read, until
from tests.support.intake import Publisher, event, eventually, facts, read_log
from tests.worker.score_faults import Planted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from scorer.worker.transport import ChunkedApp
    from tests.kafka_fixtures import RunningKafka

EMAIL = "activity.email.v1"
MODEL = Model(
    name="t",
    scores=(Score("engagement"),),
    awards=(Award("Opened", "engagement", Matcher(("email.opened",)), Fixed(1.0)),),
)


@pytest.fixture
def settings(kafka: RunningKafka, topic_prefix: str, tmp_path: Path) -> Settings:
    return Settings(
        bootstrap=kafka.bootstrap,
        topic_prefix=topic_prefix,
        data_dir=tmp_path / "data",
        instance="one",
        checkpoint_interval=0.2,
    )


@pytest.fixture
def broker(settings: Settings) -> Broker:
    broker = make_topics(settings, 2)
    rules_apply.apply(broker, encode_model(MODEL))
    return broker


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Commands:
    """`scorer dead-letters ...` as in a terminal."""

    def __init__(self, settings: Settings, captured: pytest.CaptureFixture[str]) -> None:
        self._flags = ("--bootstrap", settings.bootstrap, "--topic-prefix", settings.topic_prefix)
        self._captured = captured

    def __call__(self, *arguments: str) -> Ended:
        self._captured.readouterr()
        code = cli.run(["dead-letters", *arguments, *self._flags])
        return Ended(code, *self._captured.readouterr())

    def listed(self) -> list[dict[str, Any]]:
        """The letters in order of death."""
        told = self("list", "--json", "--limit", "1000")
        assert told.code == 0
        return [json.loads(line) for line in told.out.splitlines()]


@pytest.fixture
def dead_letters(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(settings, capsys)


def points(broker: Broker) -> dict[str, float]:
    """Lead -> its points, by the newest view."""
    views = [json.loads(one.value or b"") for stored in read(broker, SCORE).values() for one in stored]
    return {view["subject"]: view["data"]["total"] for view in views}


# -- the doors' -------------------------------------------------------------------------------------------


def test_what_died_at_a_door_is_sent_again_and_counts_once(
    settings: Settings, broker: Broker, dead_letters: Commands, tmp_path: Path
) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5, seconds=5)
    ahead = event(EMAIL, id="ahead", time=soon.isoformat())
    publisher = Publisher(settings)
    publisher.send(EMAIL, b'{"half": ', key="k", partition=1)
    publisher.send(EMAIL, ahead, partition=1)
    publisher.flush()
    with WorkerProcess(settings, tmp_path, checkpoint=0.2) as worker:

        def wait_for(condition: Any) -> None:
            def holds() -> bool:
                assert worker.process.poll() is None, worker.last_words()
                return bool(condition())

            until(holds)

        wait_for(lambda: len(dead_letters.listed()) == 2)
        half, early = dead_letters.listed()
        assert (half["record"], half["reason"], half["key"]) == (f"{EMAIL}[1]@0", "not_json", "k")
        assert (half["value"], early["value"].encode()) == ('{"half": ', ahead)
        assert time.time() - datetime.fromisoformat(early["when"]).timestamp() < 60

        told = dead_letters("list")
        assert told.out.splitlines()[-1] == "2 dead letters: 1 not_json, 1 future"
        assert f"future    {EMAIL}[1]@1  time: " in told.out
        assert dead_letters("list", "--reason", "future", "--since", "1h").out.count(EMAIL) == 1
        assert dead_letters("list", "--topic", LOG) == (0, "no dead letters\n", "")
        told = dead_letters("show", early["record"])
        assert "more than 5 minutes after it was received" in told.out
        assert '"id": "ahead"' in told.out
        assert dead_letters("show", f"{EMAIL}[1]@77").code == 1

        # Its time comes, and the command says so.
        wait_for(
            lambda: "1 record would be sent again, 1 refused" in dead_letters("redrive", "--dry-run").out
        )
        assert not list(facts(read_log(settings)))
        told = dead_letters("redrive", "--yes")
        assert told.code == 1
        assert told.out.splitlines()[0].startswith(
            f"not re-driven: {EMAIL}[1]@0: not_json: would be refused again"
        )
        assert told.out.splitlines()[-1] == "1 record sent again, 1 refused"
        wait_for(lambda: points(broker) == {"lead-1": 1.0})

        # The notes tell that it was sent; where they are passed over, source and id tell that it has counted.
        assert (
            "0 records sent again, 1 re-driven before"
            in dead_letters("redrive", early["record"], "--yes").out
        )
        told = dead_letters("redrive", early["record"], "--again", "--yes")
        assert (told.code, told.out.splitlines()[-1]) == (0, "1 record sent again")
        wait_for(lambda: [fact.id for _, fact in facts(read_log(settings))] == ["ahead", "ahead"])
        wait_for(lambda: scored_to_the_end(worker, broker))
        assert points(broker) == {"lead-1": 1.0}
        assert dead_letters("show", early["record"]).out.count("  re-driven ") == 2

        # What is sent by force dies again, and is known to have done so.
        for times in (1, 2):
            assert dead_letters("redrive", "--reason", "not_json", "--force", "--yes").code == 0
            wait_for(lambda: dead_letters.listed()[-1]["redriven_before"] == times)  # noqa: B023
        assert [one["redriven_since"] is not None for one in dead_letters.listed()] == [
            True,
            True,
            True,
            False,
        ]
        assert "[died again x2]" in dead_letters("list").out
        worker.stop()
    assert cli.run(["log", "export", "-o", str(tmp_path / "log"), *dead_letters._flags]) == 0


# -- the lead log's -----------------------------------------------------------------------------------


@asynccontextmanager
async def score_here(settings: Settings) -> AsyncIterator[ChunkedApp]:
    """In this process, so that a bug can be planted and mended."""
    app = build_score_app(settings)
    stop = asyncio.Event()
    running = asyncio.create_task(supervise([app], stop))
    try:
        yield app
    finally:
        stop.set()
        await running


def append(broker: Broker, *opened: tuple[str, int]) -> None:
    """Facts of lead-1, each an id and its offset in door 1."""
    with broker.writer() as writer:
        for id_, offset in opened:
            fact = Fact(
                "email.opened", 1_800_000_000_000, 1_800_000_000_000, 1, offset, id_.encode(), id_, "/t", {}
            )
            writer.append(LOG, partition_of(b"lead-1", 2), b"lead-1", encode_record(fact))


async def test_what_our_code_failed_on_is_applied_once_when_it_is_mended(
    settings: Settings, broker: Broker, dead_letters: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = Planted(monkeypatch, {"bad-fact"})
    append(broker, ("fact-001", 1), ("bad-fact", 2), ("fact-003", 3))
    async with score_here(settings) as app:

        async def command(*arguments: str) -> Ended:
            return await asyncio.to_thread(dead_letters, *arguments)

        async def opened(count: float) -> None:
            await eventually(lambda: all_scored(broker))
            assert sum(app.owner.leads["lead-1"].masses.values()) == count

        await eventually(lambda: len(dead_letters.listed()) == 1)
        await opened(2.0)
        (letter,) = await asyncio.to_thread(dead_letters.listed)
        assert (letter["reason"], letter["topic"]) == ("engine_error", LOG)
        assert '"id": "bad-fact"' in (await command("show", letter["record"])).out

        # The code is not mended yet.
        assert (await command("redrive", "--reason", "engine_error", "--yes")).code == 0
        append(broker, ("fact-004", 4))
        await eventually(lambda: len(dead_letters.listed()) == 2)
        await opened(3.0)
        assert [one["redriven_before"] for one in await asyncio.to_thread(dead_letters.listed)] == [0, 1]

        planted.bad.clear()
        told = await command("redrive", "--yes")
        assert told.out.splitlines()[-1].startswith("1 record sent again, 1 re-driven before")
        await opened(4.0)
        told = await command("redrive", "--yes", "--again")
        assert told.out.splitlines()[-1] == "2 records sent again"
        await opened(4.0)


# -- many ---------------------------------------------------------------------------------------------


def test_letters_of_all_partitions_are_read_and_each_is_sent_and_noted_once(
    settings: Settings, broker: Broker, dead_letters: Commands
) -> None:
    with broker.writer() as writer:
        for number in range(4_000):
            value = event(EMAIL, f"lead-{number}", id=f"e{number}")
            partition = number % 4
            letter = dead_letter(Reason.ENGINE_ERROR, "x", EMAIL, partition, number, b"%d" % number, value, 1)
            writer.append(DEAD_LETTERS, partition, *letter)
        writer.append(DEAD_LETTERS, 3, b"no", b"letter", [("reason", b"mood")])
    told = dead_letters("list", "--limit", "3")
    assert told.out.splitlines()[-3:] == [
        "4,000 dead letters: 4,000 engine_error",
        "these are the newest 3; --limit shows more",
        "1 record in dead.letters.v1 that scorer has not written",
    ]
    rows = told.out.splitlines()[1:-3]
    letters = [letter for letter in LetterTopic(broker).read() if isinstance(letter, Letter)]
    newest = sorted(letters, key=lambda letter: (letter.died, letter.partition, letter.offset))[-3:]
    assert [row.split()[3] for row in rows] == [str(letter.origin.place) for letter in newest]
    assert dead_letters("list", "--json").out.count("\n") == 4_000
    assert "10 records sent again" in dead_letters("redrive", "--yes", "--limit", "10").out
    told = dead_letters("redrive", "--yes")
    assert told.out.splitlines()[-1].startswith("3,990 records sent again, 10 re-driven before")
    for partition, stored in read(broker, EMAIL, headers=True).items():
        numbers = [int(one.key or b"") for one in stored]
        assert numbers == list(range(partition, 4_000, 4))  # in the order of their letters
        assert stored[0].headers == {
            "redriven": b"1",
            "redriven-from": f"{EMAIL}[{partition}]@{partition}".encode(),
        }
    assert dead_letters("redrive", "--yes").out.startswith("0 records sent again, 4,000 re-driven before")


def test_an_interrupted_run_has_noted_what_it_has_sent(settings: Settings, broker: Broker) -> None:
    value = event(EMAIL)
    with broker.writer() as writer:
        for number in range(5):
            writer.append(
                DEAD_LETTERS, 0, *dead_letter(Reason.ENGINE_ERROR, "", EMAIL, 0, number, None, value, 1)
            )
    letters = [letter for letter in LetterTopic(broker).read() if isinstance(letter, Letter)]

    def interrupted() -> None:
        with Sender(broker) as sender:
            for letter in letters[:3]:
                sender.send(letter, Again(EMAIL, 0, None, value), 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    notes = [found.note for found in LetterTopic(broker).read() if not isinstance(found, Letter)]
    assert [(note.place.offset, note.sent.offset) for note in notes] == [(0, 0), (1, 1), (2, 2)]
    assert len(read(broker, EMAIL)[0]) == 3


def test_without_the_topic_the_command_is_named(
    settings: Settings, dead_letters: Commands, kafka: RunningKafka
) -> None:
    told = dead_letters("list")
    assert told.code == 2
    assert "scorer topics apply" in told.err
