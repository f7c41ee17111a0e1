"""Every setting of the running system, read once at the edge and passed in from there.

Each field is an environment variable ``SCORER_<FIELD>`` in capitals; commands' flags override it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from scorer.errors import UserError
from scorer.kafka_access import KafkaAccess

SECRETS: Final = ("lead_secret", "kafka_password", "kafka_key_password")
"""Fields that are shown to nobody."""

PROPAGATE: Final = "propagate"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    bootstrap: str = "127.0.0.1:9092"
    """Kafka's host:port, several joined with commas."""
    kafka_security_protocol: str = "plaintext"
    """``ssl``, ``sasl_plaintext`` or ``sasl_ssl`` where the brokers want that: docs/security.md."""
    kafka_sasl_mechanism: str = ""
    """PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    kafka_username: str = ""
    kafka_password: str = ""
    kafka_password_file: Path | None = None
    """A file whose first line is the password, in place of the password itself."""
    kafka_ca_file: Path | None = None
    """PEM: who may have signed the brokers' certificates. Default: whom the system trusts."""
    kafka_cert_file: Path | None = None
    """PEM: this client's own certificate, where the brokers ask for one."""
    kafka_key_file: Path | None = None
    """PEM: the certificate's private key."""
    kafka_key_password: str = ""
    """What the private key is encrypted with, if it is."""
    topic_prefix: str = ""
    """Put before every topic's and group's name; lets several systems share one Kafka."""
    app_id: str = "scorer"
    """The consumer groups are ``<app_id>-intake`` and ``<app_id>-score``."""
    instance: str | None = None
    """Static group membership: a name that this worker keeps over restarts."""
    data_dir: Path = Path("scorer-data")
    """Local state; a cache of the changelog that may be deleted while the worker is stopped."""
    lead_secret: str = "development-only"  # noqa: S105 - `scorer worker` warns while it stands
    """Key of the HMAC that makes lead ids from identifiers."""
    lead_secret_file: Path | None = None
    """A file that holds it instead, without the white space around it."""
    blocked_identifiers: Path | None = None
    """A file of identifiers that name nobody, one a line, beside the usual ones (null, unknown ...)."""
    block_role_addresses: bool = False
    """Addresses like info@ and sales@ name nobody either."""
    free_mail_domains: Path | None = None
    """A file of mail domains that are no company's, one a line, beside the usual ones (gmail.com ...)."""
    sealed_fields: str = ""
    """Fields that identify a person (email, name ...) to be kept sealed, joined with commas; the others are
    dropped. Needs the topic ``lead.key.v1``."""
    open_in_outcomes: str = ""
    """Fields, sealed before, that outcomes are to carry readable, joined with commas."""
    checkpoint_interval: float = 1.0
    """Seconds between checkpoints, 0.05 to 60; three times as many while there is a backlog."""
    session_timeout: float = 10.0
    """Seconds without a heartbeat after which Kafka gives a worker's partitions away."""
    cache_leads: int = 20_000
    """Decoded leads kept in memory per partition and cache generation; there are two. About 3.5 KB each."""
    huge_pages: bool = True
    """Gather the score worker's memory into huge pages, where Linux has them."""
    metrics_port: int = 9464
    """Where /metrics is served, on ``metrics_host``; 0 takes a free port."""
    metrics_host: str = "127.0.0.1"
    advertised_url: str = ""
    """Where other workers reach what this one serves on its metrics port, such as http://worker-2:9464.
    Default: ``metrics_host`` and its port, or this machine's name where that is all addresses."""
    collector_keys: Path | None = None
    """The keys file: who may send to the collector (docs/collector.md)."""
    collector_host: str = "127.0.0.1"
    """Where the collector listens."""
    collector_port: int = 8080
    """0 takes a free port."""
    collector_processes: int = 1
    """One per core that the collector may have."""
    collector_metrics_port: int = 9465
    """Where the collector's /metrics is served, on ``metrics_host``; 0 takes a free port."""
    collector_public_url: str = ""
    """Scheme and host as senders see them, such as https://in.example.com: some vendors sign the address."""
    collector_proxies: int = 0
    """How many proxies stand in front, each adding to X-Forwarded-For; 0: the header is not believed."""
    collector_whole_addresses: bool = False
    """Sources see senders' IP addresses whole, not truncated to 24 (IPv4) or 48 bits (IPv6)."""
    collector_buffer_mb: int = 64
    """What a process may have taken and not yet got acknowledged; beyond it senders are told to come back."""
    collector_connections: int = 4_096
    """Open at once in a process; beyond it senders are told to come back."""
    log_format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object a line (docs/logs.md)."""
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    """The least that is logged."""
    tracing: Literal["off", "propagate"] = "off"
    """``propagate``: a request's or record's W3C trace context goes on to the outcomes it brings about."""
    broker_profile: str = "kafka"
    """``kafka``, or ``embedded`` for the demo's broker: no topic creation, no configuration checks."""

    @property
    def kafka(self) -> KafkaAccess:
        """What a client needs to reach Kafka."""
        return KafkaAccess(
            bootstrap=self.bootstrap,
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_username,
            password=self.kafka_password,
            password_file=self.kafka_password_file,
            ca_file=self.kafka_ca_file,
            cert_file=self.kafka_cert_file,
            key_file=self.kafka_key_file,
            key_password=self.kafka_key_password,
        )

    def __repr__(self) -> str:
        fields = msgspec.structs.asdict(self)
        shown = (f"{name}={'...' if name in SECRETS else repr(fields[name])}" for name in fields)
        return f"Settings({', '.join(shown)})"


_WORDS: Final = frozenset({"log_format", "log_level", "tracing"})
"""Settings whose values are words of ours, which may be written in capitals."""


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Settings from ``SCORER_*``; raises ``UserError`` naming each variable that does not fit."""
    values: dict[str, str] = {}
    names = {f"SCORER_{field.upper()}": field for field in Settings.__struct_fields__}
    for variable, text in environment.items():
        if variable in names:
            field = names[variable]
            values[field] = text.lower() if field in _WORDS else text
    try:
        settings = msgspec.convert(values, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise UserError(f"environment: {error}", hint="the variables are SCORER_<SETTING>") from error
    if settings.lead_secret_file is None:
        return settings
    if "lead_secret" in values:
        raise UserError("SCORER_LEAD_SECRET and SCORER_LEAD_SECRET_FILE are both set", hint="leave one out")
    return msgspec.structs.replace(
        settings, lead_secret=_secret(settings.lead_secret_file), lead_secret_file=None
    )


def _secret(file: Path) -> str:
    """What the file of the lead secret holds; raises ``UserError``."""
    try:
        secret = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"SCORER_LEAD_SECRET_FILE: {file} can't be read") from error
    if not secret:
        raise UserError(f"SCORER_LEAD_SECRET_FILE: {file} is empty")
    return secret


def _path(kind: type, text: Any) -> Any:
    if kind is Path and isinstance(text, str) and text:
        return Path(text)
    raise ValueError(f"expected {kind.__name__}")
