"""From settings to what clients of Kafka want, and what is said of settings that can't work."""

from __future__ import annotations

import ast
import ssl
from pathlib import Path
from typing import Any

import pytest

import scorer
from scorer.cli import run
from scorer.dev.certificates import Authority, Signed
from scorer.errors import UserError
from scorer.kafka_access import KafkaAccess
from scorer.settings import Settings, from_environment

SASL = {
    "security_protocol": "sasl_ssl",
    "sasl_mechanism": "SCRAM-SHA-512",
    "username": "worker",
    "password": "secret",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def signed(authority: Authority) -> Signed:
    return authority.sign("worker")


def access(**fields: Any) -> KafkaAccess:
    return KafkaAccess(bootstrap="a:1,b:2", **fields)


def mistakes(**fields: Any) -> list[str]:
    with pytest.raises(UserError) as error:
        access(**fields).check()
    assert error.value.hint
    return error.value.message.splitlines()


def test_without_any_setting_connections_are_plain() -> None:
    plain = Settings(bootstrap="a:1,b:2").kafka
    plain.check()
    assert plain.librdkafka() == {"bootstrap.servers": "a:1,b:2", "security.protocol": "plaintext"}
    assert plain.aiokafka() == {"bootstrap_servers": "a:1,b:2", "security_protocol": "PLAINTEXT"}
    assert plain.principal == "User:ANONYMOUS"


def test_a_password_over_tls(authority: Authority) -> None:
    settings = from_environment(
        {
            "SCORER_BOOTSTRAP": "a:1",
            "SCORER_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "SCORER_KAFKA_SASL_MECHANISM": "scram-sha-512",
            "SCORER_KAFKA_USERNAME": "worker",
            "SCORER_KAFKA_PASSWORD": "secret",
            "SCORER_KAFKA_CA_FILE": str(authority.ca_file),
        }
    )
    given = settings.kafka
    given.check()
    assert given.librdkafka() == {
        "bootstrap.servers": "a:1",
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "worker",
        "sasl.password": "secret",
        "ssl.ca.location": str(authority.ca_file),
    }
    keywords = given.aiokafka()
    context = keywords.pop("ssl_context")
    assert keywords == {
        "bootstrap_servers": "a:1",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "worker",
        "sasl_plain_password": "secret",
    }
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert [one["subject"] for one in context.get_ca_certs()] == [((("commonName", "Scorer development"),),)]
    assert given.principal == "User:worker"


def test_a_certificate(authority: Authority, signed: Signed) -> None:
    given = access(security_protocol="ssl", ca_file=authority.ca_file, **signed._asdict())
    given.check()
    assert given.librdkafka() == {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "ssl",
        "ssl.ca.location": str(authority.ca_file),
        "ssl.certificate.location": str(signed.cert_file),
        "ssl.key.location": str(signed.key_file),
    }
    assert isinstance(given.aiokafka()["ssl_context"], ssl.SSLContext)
    assert given.principal == "User:CN=worker"


def test_an_encrypted_key_needs_its_password_and_nobody_is_asked_for_it(authority: Authority) -> None:
    locked = authority.sign("locked", password="open sesame")
    given = {"security_protocol": "ssl", **locked._asdict()}
    access(**given, key_password="open sesame").check()
    assert access(**given, key_password="open sesame").librdkafka()["ssl.key.password"] == "open sesame"
    for wrong in ("", "no"):
        assert "SCORER_KAFKA_KEY_PASSWORD" in mistakes(**given, key_password=wrong)[0]


def test_a_password_file_is_read_whenever_a_client_is_made(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    given = access(**SASL | {"password": "", "password_file": file})
    given.check()
    assert given.librdkafka()["sasl.password"] == "first"
    file.write_text("second\r\nand a line of no meaning\n")
    assert given.aiokafka()["sasl_plain_password"] == "second"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"security_protocol": "tls"}, ["SECURITY_PROTOCOL is 'tls'; it is one of plaintext, ssl"]),
        (SASL | {"sasl_mechanism": "GSSAPI"}, ["SASL_MECHANISM is 'GSSAPI'; it is one of PLAIN, SCRAM"]),
        (SASL | {"sasl_mechanism": ""}, ["SASL_MECHANISM is not set; sasl_ssl needs one of PLAIN"]),
        (SASL | {"username": ""}, ["USERNAME is not set"]),
        (SASL | {"password": ""}, ["neither SCORER_KAFKA_PASSWORD nor SCORER_KAFKA_PASSWORD_FILE"]),
        (SASL | {"password_file": Path("x")}, ["PASSWORD and SCORER_KAFKA_PASSWORD_FILE are both set"]),
        (SASL | {"cert_file": Path("x")}, ["CERT_FILE is set without SCORER_KAFKA_KEY_FILE"]),
        (SASL | {"key_file": Path("x")}, ["KEY_FILE is set without SCORER_KAFKA_CERT_FILE"]),
        (SASL | {"key_password": "x"}, ["KEY_PASSWORD is set without SCORER_KAFKA_KEY_FILE"]),
        (SASL | {"ca_file": Path("/no/such.pem")}, ["CA_FILE: /no/such.pem: No such file"]),
        ({"username": "worker"}, ["USERNAME is set, and would tell nobody who we are"]),
        ({"ca_file": Path("x")}, ["CA_FILE is set, and without TLS nobody looks at it"]),
        (
            {"security_protocol": "sasl_plaintext", "username": "worker", "ca_file": Path("x")},
            ["SASL_MECHANISM is not set", "neither SCORER_KAFKA_PASSWORD", "CA_FILE is set, and without TLS"],
        ),
    ],
)
def test_everything_that_can_not_work_is_said_at_once(fields: dict[str, Any], words: list[str]) -> None:
    found = mistakes(**fields)
    assert len(found) == len(words), found
    for line, word in zip(found, words, strict=True):
        assert line.removeprefix("neither SCORER_KAFKA_").removeprefix("SCORER_KAFKA_") != line
        assert word in line


def test_files_that_hold_something_else(tmp_path: Path, authority: Authority, signed: Signed) -> None:
    other = tmp_path / "other.pem"
    other.write_text("no certificate\n")
    empty = tmp_path / "empty"
    empty.write_text("\n")
    tls = {"security_protocol": "ssl"}
    assert "CA_FILE: " in mistakes(**tls, ca_file=other)[0]
    assert mistakes(**SASL | {"password": "", "password_file": empty}) == [
        f"SCORER_KAFKA_PASSWORD_FILE: {empty} is empty"
    ]
    anothers = authority.sign("another").key_file
    assert "do not fit" in mistakes(**tls, cert_file=signed.cert_file, key_file=anothers)[0]
    assert "do not fit" in mistakes(**tls, cert_file=other, key_file=signed.key_file)[0]


def test_secrets_are_shown_to_nobody() -> None:
    settings = Settings(lead_secret="the secret", kafka_password="hunter2", kafka_key_password="sesame")
    shown = repr(settings) + str(settings) + repr(settings.kafka) + f"{settings.kafka}"
    assert "worker" not in shown
    assert not any(secret in shown for secret in ("the secret", "hunter2", "sesame"))
    assert "bootstrap='127.0.0.1:9092'" in repr(settings)


@pytest.mark.parametrize(
    "command",
    [
        ["topics", "diff"],
        ["topics", "apply", "--partitions", "lead.log.v1=2"],
        ["worker"],
        ["worker", "--restart"],
        ["collector"],
        ["demo", "--bootstrap", "127.0.0.1:1"],
        ["dead-letters", "list"],
        ["insights", "update", "--db", "insights.sqlite"],
    ],
)
def test_commands_begin_with_the_settings(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCORER_KAFKA_SECURITY_PROTOCOL", "sasl_ssl")
    monkeypatch.setenv("SCORER_KAFKA_PASSWORD", "hunter2")
    assert run(command) == 2
    said = capsys.readouterr().err
    assert "SCORER_KAFKA_SASL_MECHANISM is not set" in said
    assert "SCORER_KAFKA_USERNAME is not set" in said
    assert "hunter2" not in said


# -- no connection without it -------------------------------------------------------------------------

SOURCES = Path(scorer.__file__).parent
LIBRARIES = {"confluent_kafka", "aiokafka"}
CLIENTS = {
    "AdminClient",
    "Consumer",
    "DeserializingConsumer",
    "Producer",
    "SerializingProducer",
    "AIOKafkaAdminClient",
    "AIOKafkaClient",
    "AIOKafkaConsumer",
    "AIOKafkaProducer",
    "AIOConsumer",
    "AIOProducer",
}
OWN_BROKERS = {"demo/embedded.py", "dev/kafka.py", "dev/guarded.py"}
"""Their clients know one broker, which they have started themselves."""
GIVES_ACCESS = {"librdkafka", "aiokafka", "producer_config"}
"""``producer_config``: the collector's, which begins with ``access.librdkafka()``."""


def name_of(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def plain_clients(source: str) -> list[int]:
    """Lines of code that open a connection to Kafka otherwise than ``KafkaAccess`` says."""
    found = []
    tree = ast.parse(source)
    from_kafka = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in LIBRARIES
        for alias in node.names
        if alias.name in CLIENTS
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node.func) in from_kafka:
            within = (inner for inner in ast.walk(node) if isinstance(inner, ast.Call) and inner is not node)
            if not any(name_of(inner.func) in GIVES_ACCESS for inner in within):
                found.append(node.lineno)
        elif (isinstance(node, ast.Constant) and node.value == "bootstrap.servers") or (
            isinstance(node, ast.keyword) and node.arg in {"bootstrap_servers", "broker_credentials"}
        ):
            found.append(node.lineno)
    return found


def test_no_connection_is_opened_without_the_access() -> None:
    own = OWN_BROKERS | {"kafka_access.py"}
    found = {
        (name, line)
        for path in sorted(SOURCES.rglob("*.py"))
        if (name := path.relative_to(SOURCES).as_posix()) not in own
        for line in plain_clients(path.read_text(encoding="utf-8"))
    }
    assert found == set()


def test_modules_of_kafka_are_imported_so_that_the_check_sees_their_clients() -> None:
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not {alias.name.partition(".")[0] for alias in node.names} & {
                    "confluent_kafka",
                    "aiokafka",
                }


@pytest.mark.parametrize(
    "plain",
    [
        "from confluent_kafka import Producer\nProducer({'bootstrap.' + 'servers': where})",
        "from confluent_kafka.admin import AdminClient as Admin\nAdmin(config)",
        "from aiokafka import AIOKafkaConsumer\nAIOKafkaConsumer(client_id='x')",
        "config = {'bootstrap.servers': where}",
        "made(bootstrap_servers=where)",
    ],
)
def test_the_check_finds_what_it_is_to_find(plain: str) -> None:
    assert plain_clients(plain)
