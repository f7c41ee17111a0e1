"""docs/security.md says what the code says, and pages for operators are not for everybody."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from scorer.cli import run
from scorer.collector.status import StatusPage
from scorer.settings import Settings, from_environment
from scorer.wire.acls import components
from scorer.wire.registry import Registry
from scorer.worker.status import StatusServer

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
REGISTRY = Registry.load()


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["topics", "acls", *arguments]) == 0
    return capsys.readouterr().out


def test_the_page_has_the_list_that_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    shown = "".join(f"    {line}".rstrip() + "\n" for line in printed(capsys).splitlines())
    written = PAGE.read_text().partition("<!-- acls -->\n")[2].partition("<!-- /acls -->")[0]
    assert written == f"\n{shown}\n"


def test_the_page_has_every_setting_of_the_connection() -> None:
    text = PAGE.read_text()
    for name in Settings.__struct_fields__:
        if name.startswith("kafka_"):
            assert f"`SCORER_{name.upper()}`" in text


def test_every_topic_is_somebodys_to_write_and_nobody_may_more_than_needed() -> None:
    every = components(REGISTRY)
    written = {grant.name for one in every.values() for grant in one.grants if "Write" in grant.operations}
    assert written == set(REGISTRY.topics)
    for name, one in every.items():
        for grant in one.grants:
            if name not in {"topics", "migrate"}:
                assert not {"Create", "Alter", "AlterConfigs", "Delete", "All"} & set(grant.operations)
    collector = {(grant.name, grant.operations) for grant in every["collector"].grants if not grant.where}
    assert collector == {("lead.log.v1", ("Write",)), ("lead.rules.v1", ("Read",))}


def test_commands_for_kafkas_tool(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORER_APP_ID", "blue")
    arguments = ["--component", "intake", "--format", "kafka-acls", "--topic-prefix", "eu."]
    lines = printed(capsys, *arguments).splitlines()
    assert (
        'kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$ADMIN" --add'
        " --allow-principal 'User:scorer-intake' --operation Read --group 'eu.blue-intake'"
    ) in lines
    assert not any("lead.key.v1" in line for line in lines)
    monkeypatch.setenv("SCORER_SEALED_FIELDS", "email")
    (keys,) = [
        line
        for line in printed(capsys, *arguments, "--principal", "User:CN=w").splitlines()
        if "lead.key" in line
    ]
    assert "'User:CN=w' --operation Read --operation Write --topic 'eu.lead.key.v1'" in keys


def test_a_component_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["topics", "acls", "--component", "worker"]) == 2
    said = capsys.readouterr().err
    assert "there is no component worker" in said
    assert "intake, score" in said


# -- pages for operators --------------------------------------------------------------------------------


def elsewhere(port: int) -> int:
    """The result of a connection to that port by an address of this machine that is not 127.0.0.1."""
    with socket.socket() as one:
        one.settimeout(2)
        return one.connect_ex(("127.0.0.2", port))


async def test_a_workers_page_is_on_the_loopback_address_alone() -> None:
    settings = from_environment({"SCORER_METRICS_PORT": "0"})
    status = StatusServer(settings.metrics_host, settings.metrics_port, list, None)
    await status.start()
    try:
        host, port = status.address
        assert host == "127.0.0.1"
        assert elsewhere(port) != 0
    finally:
        await status.stop()


def test_a_collectors_page_and_the_collector_are_on_the_loopback_address_alone(tmp_path: Path) -> None:
    settings = from_environment({"SCORER_COLLECTOR_METRICS_PORT": "0"})
    page = StatusPage(settings.metrics_host, settings.collector_metrics_port, tmp_path, list)
    try:
        host, port = page.address
        assert host == "127.0.0.1"
        assert elsewhere(port) != 0
    finally:
        page.close()
    assert settings.collector_host == "127.0.0.1"
