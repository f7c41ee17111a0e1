"""Kafka with TLS, names, passwords and ACLs: the whole road with exactly what is listed, and with less."""

from __future__ import annotations

import itertools
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from scorer import cli, rules_apply
from scorer.broker import Broker
from scorer.dev.certificates import Authority
from scorer.dev.kafka import KafkaCluster
from scorer.domain.model import encode_model
from scorer.errors import UserError
from scorer.migration import running
from scorer.rulefile import require as read_rules
from scorer.settings import Settings
from scorer.wire.cluster import Cluster
from scorer.wire.permissions import require_allowed
from scorer.wire.registry import CHANGELOG, LOG, QUALIFIED, RULES
from scorer.wire.topic_plan import Wishes
from scorer.wire.topics import apply_topics
from tests.bench.road import WorkerProcess
from tests.integration.guarding import PASSWORD, PATIENCE, REGISTRY, House, until
from tests.integration.score_running import make_topics
from tests.integration.test_migrate import Story, dies, score
from tests.support.collecting import BASIC, Client, CollectorProcess
from tests.support.intake import Publisher, event, reaching

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scorer.wire.acls import Grant

RULES_FILE = """
model: Guarded
qualify: {enter: above 20, exit: below 15}
scores:
  engagement: {decay: none}
rules:
  engagement:
    - {rule: Replied, on: email.replied, points: +15}
    - {rule: Task, on: app.task_created, points: +10}
"""
_names = itertools.count(1)


@pytest.fixture(scope="module")
def guarded() -> Iterator[KafkaCluster]:
    with KafkaCluster(secure=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def house(guarded: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> House:
    """Topics and rules, made by people who may do just that."""
    house = House(guarded, "guarded.")
    apply_topics(house.somebody("ops", "topics"), REGISTRY, Wishes(partitions={LOG: 2}))
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(RULES_FILE)
    rules_apply.apply(Broker(house.somebody("author", "rules")), encode_model(read_rules(path)))
    house.somebody("publisher", "publisher")
    house.somebody("consumer", "consumer")
    return house


def outcomes(house: House, topic: str = QUALIFIED) -> list[dict[str, Any]]:
    """As a consumer with nothing but its own permissions reads them."""
    broker = Broker(house.settings("consumer"))
    return [
        msgspec.json.decode(record.value)
        for number, wanted in broker.ranges(topic).items()
        for record in broker.read(topic, number, wanted)
        if record.value is not None
    ]


def worker(settings: Settings, folder: Path, *arguments: str) -> WorkerProcess:
    return WorkerProcess(settings, folder, *arguments, checkpoint=0.2)


def wait_ready(running: WorkerProcess) -> None:
    def ready() -> bool:
        assert running.process.poll() is None, running.last_words()
        return running.ready()

    until(ready, lambda: f"{running.problems()}\n{running.last_words()}")


# -- with what is listed --------------------------------------------------------------------------------


def test_an_event_becomes_an_outcome_and_a_restart_restores(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORER_SESSION_TIMEOUT", "2")  # the killed one's partitions are soon given away
    settings = house.somebody("worker", "intake", "score")
    publisher = Publisher(house.settings("publisher"))
    with CollectorProcess(house.somebody("collector", "collector"), tmp_path / "collector") as collector:
        with worker(settings, tmp_path / "worker") as running:
            wait_ready(running)
            collector.ready()
            with Client(collector.port) as ask:
                track = {"messageId": "m1", "userId": "ann", "event": "Task Created"}
                assert ask("/v1/track", track, BASIC).status == 200
            publisher.send("activity.email.v1", event("activity.email.v1", "bob", type="email.replied"))
            publisher.flush()
            until(lambda: running.total("scorer_score_facts_total") >= 2, running.last_words)
            running.kill()
        shutil.rmtree(tmp_path / "worker" / "data")  # what it knows is in the changelog, if it was told
        with worker(settings, tmp_path / "worker") as running:
            wait_ready(running)
            with Client(collector.port) as ask:
                track = {"messageId": "m2", "userId": "ann", "event": "Task Created"}
                assert ask("/v1/track", track, BASIC).status == 200
                track = {"messageId": "m3", "userId": "ann", "event": "Task Created"}
                assert ask("/v1/track", track, BASIC).status == 200
            publisher.send("activity.email.v1", event("activity.email.v1", "bob", type="email.replied"))
            publisher.flush()
            until(lambda: len(outcomes(house)) == 2, running.last_words)
            running.stop()
        collector.stop()
    assert sorted(one["data"]["total"] for one in outcomes(house)) == [30.0, 30.0]
    for log in (tmp_path / "worker" / "worker.log", collector.log):
        assert PASSWORD not in log.read_text()
        assert "Traceback" not in log.read_text()


COMMANDS: dict[str, list[tuple[list[str], int]]] = {
    "topics": [(["topics", "diff", "--partitions", "lead.log.v1=2"], 0)],
    "rules": [
        (["rules", "apply", "OTHERS", "--dry-run"], 0),
        (["shadow", "start", "OTHERS"], 0),
        (["shadow", "report"], 0),
        (["shadow", "stop"], 0),
    ],
    "export": [(["log", "export", "-o", "FOLDER/log.jsonl"], 0)],
    "explain": [(["explain", "ann", "--at", "2026-01-01"], 1)],
    "insights": [(["insights", "update", "--db", "FOLDER/insights.db"], 0)],
    "dead-letters": [(["dead-letters", "list"], 0)],
    "redrive": [(["dead-letters", "redrive", "--yes"], 0)],
    "import": [(["import", "HISTORY"], 0)],
    "erase": [(["erase", "--lead", "nobody", "--yes", "--timeout", "1"], 75)],
    "proof": [(["erase", "--prove", "--lead", "nobody"], 0)],
}
"""Component -> what it is for, and how that ends."""


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_can_do_with_what_is_listed_for_them(
    house: House,
    tmp_path: Path,
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = house.somebody(f"command-{name}", name)
    (tmp_path / "others.yaml").write_text(RULES_FILE.replace("+15", "+16"))
    past = event("activity.email.v1", "eve", type="email.replied", time="2026-06-01T10:00:00Z")
    (tmp_path / "history.jsonl").write_bytes(past + b"\n")
    places = {"OTHERS": "others.yaml", "HISTORY": "history.jsonl"}
    for variable, value in (reaching(settings) | {"SCORER_DATA_DIR": str(tmp_path / "data")}).items():
        monkeypatch.setenv(variable, value)
    until(lambda: lacks(settings, [name]) == "", "all is given")
    for given, code in COMMANDS[name]:
        words = [str(tmp_path / places[word]) if word in places else word for word in given]
        words = [word.replace("FOLDER", str(tmp_path)) for word in words]
        ended = cli.run([*words, "--topic-prefix", house.prefix])
        said = capsys.readouterr().err
        assert "refuse" not in said, said
        assert "not allow" not in said, said
        assert ended == code, said


def test_the_log_can_be_moved_with_what_is_listed_for_it(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Settings(
        bootstrap=house.kafka.bootstrap, topic_prefix=f"{house.prefix}old.", data_dir=tmp_path / "old"
    )
    broker, story = make_topics(old, 2), Story(3)
    story.tell(broker, story.piece(0, 0.2), [])
    score(old, broker, tmp_path)
    here, there = House(house.kafka, old.topic_prefix), House(house.kafka, f"{house.prefix}new.")
    mover = here.somebody("mover", "migrate")
    there.allow(mover.kafka.principal, there.grants(mover, "migrate"))
    for variable, value in reaching(mover).items():
        monkeypatch.setenv(variable, value)
    until(lambda: lacks(mover, ["migrate"]) == "", "all is given")
    move = ["log", "migrate", "--topic-prefix", old.topic_prefix, "--to-prefix", there.prefix]
    with monkeypatch.context() as patched:
        patched.setattr(running, "copy_rules", dies)
        assert cli.run(move) == cli.INTERRUPTED
    assert cli.run(move) == 0, capsys.readouterr().err


# -- with less ------------------------------------------------------------------------------------------


def lacks(settings: Settings, names: list[str], cluster: Cluster | None = None) -> str:
    """What is said of the permissions of these components; empty where nothing is missing."""
    try:
        require_allowed(cluster or Cluster(settings.kafka), settings, REGISTRY, names)
    except UserError as error:
        return f"{error.message} ({error.hint})"
    return ""


@pytest.mark.parametrize(
    ("names", "fields"),
    [
        (["collector"], {}),
        (["intake", "score"], {"sealed_fields": "email", "open_in_outcomes": "email", "app_id": "sealing"}),
    ],
    ids=["collector", "worker"],
)
def test_each_permission_is_missed_by_its_name(
    house: House, names: list[str], fields: dict[str, str]
) -> None:
    """One after the other is taken away and given back."""
    settings = house.somebody(f"somebody-{next(_names)}", *names, **fields)
    principal = settings.kafka.principal
    cluster = Cluster(settings.kafka)
    until(lambda: lacks(settings, names, cluster) == "", "all are given")
    needed: dict[str, tuple[Grant, set[str]]] = {}
    for grant in house.grants(settings, *names):
        needed.setdefault(str(grant), (grant, set()))[1].update(grant.operations)
    for grant, operations in needed.values():
        for operation in sorted(operations):
            if operation == "Describe" and operations & {"Read", "Write"}:
                continue  # comes with these
            house.forbid(principal, grant, operation)
            # Where nothing else lets us see a topic, nothing of what is needed can be seen.
            said = f"on {grant.kind} {house.prefix}{grant.name}"
            until(lambda: lacks(settings, names, cluster), f"{operation} {said}")
            message = lacks(settings, names, cluster)
            assert message.startswith(f"Kafka does not allow {principal} ")
            assert operation in message.partition(said)[0]
            assert said in message
            assert message.count(" on ") == 1
            command = " ".join(["scorer topics acls", *(f"--component {name}" for name in names)])
            assert message.endswith(f" (`{command}` prints what is needed)")
            house.allow(principal, [grant._replace(operations=(operation,))])
            until(lambda: lacks(settings, names, cluster) == "", f"{operation} {said} again")


def test_everything_that_is_missing_is_said_at_once(house: House) -> None:
    nobody = house.somebody(f"nobody-{next(_names)}")
    message = lacks(nobody, ["intake", "score"])
    for grant in house.grants(nobody, "intake", "score"):
        assert f"on {grant.kind} {house.prefix}{grant.name}" in message
    assert "; Read on group guarded.scorer-intake" in message
    assert "Read, Write on topic guarded.lead.score.v1" in message


def test_a_worker_waits_for_what_is_missing_and_goes_on_when_it_is_given(
    house: House, tmp_path: Path
) -> None:
    settings = house.somebody(f"worker-{next(_names)}", "intake", "score")
    wanted = {
        grant: operation
        for grant in house.grants(settings, "intake", "score")
        for operation in grant.operations
        if (grant.name, operation) in {("scorer-score", "Read"), (QUALIFIED, "Write")}
    }
    for grant, operation in wanted.items():
        house.forbid(settings.kafka.principal, grant, operation)
    with WorkerProcess(settings, tmp_path) as running:
        until(lambda: "Kafka does not allow" in " ".join(running.problems()), running.last_words)
        (problem,) = running.problems()
        assert problem.startswith(f"Kafka does not allow {settings.kafka.principal} ")
        assert "Write on topic guarded.lead.qualified.v1" in problem
        assert "Read on group guarded.scorer-score" in problem
        assert "`scorer topics acls --component intake --component score` prints what is needed" in problem
        house.allow(settings.kafka.principal, list(wanted))
        wait_ready(running)
        # And when it is taken away from a running one, that ends with the reason.
        (log_grant,) = [one for one in house.grants(settings, "intake") if one.name == LOG]
        house.forbid(settings.kafka.principal, log_grant, "Write")
        assert running.process.wait(PATIENCE) == 70
        said = running.log.read_text()
        assert f"Kafka has refused this worker topic guarded.{LOG}: an ACL is missing" in said
        assert "scorer topics acls" in said
        assert "Traceback" not in said


def test_a_collector_waits_for_what_is_missing_and_says_so_when_it_is_taken_away(
    house: House, tmp_path: Path
) -> None:
    settings = house.somebody(f"collector-{next(_names)}", "collector")
    (grant,) = [one for one in house.grants(settings, "collector") if one.name == LOG]
    house.forbid(settings.kafka.principal, grant, "Write")
    missing = f"Kafka does not allow {settings.kafka.principal} Write on topic guarded.{LOG}"
    with CollectorProcess(settings, tmp_path) as collector, Client(collector.port) as ask:
        collector.wait_for(lambda: missing in collector.status("/readyz")[1])
        assert "`scorer topics acls --component collector`" in collector.status("/readyz")[1]
        assert ask("/v1/track", {"messageId": "a", "userId": "x", "event": "y"}, BASIC).status == 503
        house.allow(settings.kafka.principal, [grant])
        collector.ready()
        house.forbid(settings.kafka.principal, grant, "Write")
        until(
            lambda: ask("/v1/track", {"messageId": "b", "userId": "x", "event": "y"}, BASIC).status == 503,
            "it is forbidden",
        )
        collector.wait_for(lambda: missing in collector.status("/readyz")[1])
        # Word of the record, or of the producer as a whole: whichever librdkafka has first.
        words = (f"Kafka does not allow Write on topic guarded.{LOG} any more", "has failed for good")
        assert any(one in collector.output() for one in words), collector.output()
        assert "Traceback" not in collector.output()


# -- not let in -----------------------------------------------------------------------------------------


def refused(settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command says that can't get through, in bounded time."""
    for name, value in reaching(settings).items():
        monkeypatch.setenv(name, value)
    began = time.monotonic()
    assert cli.run(["topics", "diff", "--topic-prefix", settings.topic_prefix]) == 1
    assert time.monotonic() - began < 20
    said = capsys.readouterr().err
    assert PASSWORD not in said
    assert "Traceback" not in said
    return said


def test_a_wrong_password(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = refused(house.settings("ops", "guessed"), capsys, monkeypatch)
    assert "does not accept the name or the password of User:ops" in said
    assert "SCORER_KAFKA_USERNAME" in said
    assert "guessed" not in said


def test_an_authority_that_we_do_not_know(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = house.settings("ops", kafka_ca_file=Authority(tmp_path).ca_file)
    said = refused(stranger, capsys, monkeypatch)
    assert "no TLS connection" in said
    assert "certificate verify failed" in said
    assert "SCORER_KAFKA_CA_FILE" in said


def test_a_plain_client_on_a_port_with_tls(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scorer.wire.cluster.TIMEOUT", 4.0)  # nothing but silence tells it
    plain = Settings(bootstrap=house.settings("ops").bootstrap, topic_prefix=house.prefix)
    said = refused(plain, capsys, monkeypatch)
    assert "SCORER_KAFKA_SECURITY_PROTOCOL (plaintext)" in said


def test_tls_on_a_plain_port(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = refused(house.settings("ops", bootstrap=house.kafka.bootstrap), capsys, monkeypatch)
    assert "no TLS connection" in said
    assert "SCORER_KAFKA_SECURITY_PROTOCOL says whether there is TLS at all" in said


def test_a_worker_with_a_wrong_password_is_not_ready_and_says_why(house: House, tmp_path: Path) -> None:
    with WorkerProcess(house.settings("worker", "guessed"), tmp_path) as running:
        until(lambda: "password" in " ".join(running.problems()), running.last_words)
        (problem,) = running.problems()
        assert "does not accept the name or the password of User:worker" in problem
        said = running.log.read_text()
        assert "guessed" not in said
        assert "Traceback" not in said


def test_a_command_names_the_topic_that_it_may_not_read(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = house.somebody(f"reader-{next(_names)}")
    said = refused(settings, capsys, monkeypatch)
    assert f"{settings.kafka.principal} the operation Describe on topic guarded." in said
    assert "scorer topics acls" in said
    monkeypatch.undo()
    # Who may write nowhere gets no producer id, and hears of that in whichever way the library has it.
    reading = [one for one in house.grants(settings, "rules") if one.operations == ("Read",)]
    house.allow(settings.kafka.principal, reading)
    until(lambda: CHANGELOG not in lacks(settings, ["rules"]), "it may read")
    writer = Broker(settings).writer()
    writer.append(CHANGELOG, 0, b"k", b"v")
    with pytest.raises(UserError, match=r"not appended|does not allow") as error:
        writer.flush()
    assert error.value.exit_code == 1
    # Who may write elsewhere.
    house.allow(settings.kafka.principal, house.grants(settings, "rules"))
    until(lambda: lacks(settings, ["rules"]) == "", "it may write to the log")
    writer = Broker(settings).writer()
    writer.append(CHANGELOG, 0, b"k", b"v")
    with pytest.raises(UserError, match=f"the operation Write on topic guarded.{CHANGELOG}"):
        writer.flush()


def test_a_certificate_is_a_name_too(house: House) -> None:
    assert house.kafka.guarded is not None
    signed = house.kafka.guarded.authority.sign("batch", password="open sesame")
    given = house.kafka.guarded.certificate_settings(signed, "open sesame")
    settings = Settings(**given | {"topic_prefix": house.prefix})
    settings.kafka.check()
    house.allow(settings.kafka.principal, house.grants(settings, "export"))
    until(lambda: lacks(settings, ["export"]) == "", "it may")
    assert Broker(settings).partitions(LOG) == 2
    with pytest.raises(UserError, match=f"User:CN=batch the operation Describe on topic guarded.{RULES}"):
        Broker(settings).partitions(RULES)
