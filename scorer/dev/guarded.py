"""Listeners of the development Kafka for which a client needs TLS and a name, and the authorizer behind them.

    with KafkaCluster(secure=True) as kafka:
        add_user(kafka.bootstrap, "worker", "secret")
        Settings(**kafka.guarded.settings("worker", "secret"))

The plain listener stays, for the brokers and whoever sets the cluster up: its clients are super users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorer.dev.certificates import Authority, Signed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PASSWORD, CERTIFICATE = "PASSWORD", "CERTIFICATE"
LISTENERS = {PASSWORD: "SASL_SSL", CERTIFICATE: "SSL"}
"""Name -> protocol."""
MECHANISM = "SCRAM-SHA-512"
_LOGIN = "org.apache.kafka.common.security"


class Guarded:
    def __init__(self, folder: Path, ports: Sequence[tuple[int, int]], host: str) -> None:
        """``ports``: of each node, for clients with a password and for those with a certificate."""
        self.authority = Authority(folder)
        self.bootstrap = ",".join(f"{host}:{port}" for port, _ in ports)
        """For clients with a password."""
        self.certificate_bootstrap = ",".join(f"{host}:{port}" for _, port in ports)
        broker = self.authority.sign("broker", host=host)
        self._store = folder / "broker-store.pem"
        self._store.write_bytes(broker.key_file.read_bytes() + broker.cert_file.read_bytes())

    def settings(self, username: str, password: str) -> dict[str, Any]:
        """Fields of ``Settings`` for somebody with a password."""
        return {
            "bootstrap": self.bootstrap,
            "kafka_security_protocol": "sasl_ssl",
            "kafka_sasl_mechanism": MECHANISM,
            "kafka_username": username,
            "kafka_password": password,
            "kafka_ca_file": self.authority.ca_file,
        }

    def certificate_settings(self, signed: Signed, key_password: str = "") -> dict[str, Any]:
        """Fields of ``Settings`` for somebody with a certificate of ``authority``."""
        return {
            "bootstrap": self.certificate_bootstrap,
            "kafka_security_protocol": "ssl",
            "kafka_ca_file": self.authority.ca_file,
            "kafka_cert_file": signed.cert_file,
            "kafka_key_file": signed.key_file,
            "kafka_key_password": key_password,
        }

    def properties(self) -> dict[str, str]:
        """The broker's."""
        scram = f"listener.name.{PASSWORD.lower()}.{MECHANISM.lower()}"
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.ca_file),
            f"listener.name.{CERTIFICATE.lower()}.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": MECHANISM,
            f"{scram}.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": "false",
        }


def add_user(bootstrap: str, username: str, password: str) -> None:
    """Somebody who may come in with that password. ``bootstrap``: of the plain listener."""
    from confluent_kafka.admin import (  # noqa: PLC0415 - 0.1 s that other uses don't pay
        AdminClient,
        ScramCredentialInfo,
        ScramMechanism,
        UserScramCredentialUpsertion,
    )

    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    wish = UserScramCredentialUpsertion(username, info, password.encode())
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for changed in client.alter_user_scram_credentials([wish]).values():
        changed.result(30)
