"""How Kafka is reached: its address, how the connection is protected, and who we say we are.

One ``KafkaAccess`` is passed to whatever opens a connection; only this module knows how the client libraries
want to be told. ``Settings.kafka`` makes it.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from scorer.errors import UserError

PROTOCOLS: Final = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
VARIABLE: Final = "SCORER_KAFKA_"
"""What the environment variables of the fields below begin with."""


@dataclass(frozen=True, kw_only=True)
class KafkaAccess:
    bootstrap: str
    """host:port, several joined with commas."""
    security_protocol: str = "plaintext"
    sasl_mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    password_file: Path | None = None
    """Its first line is the password; read whenever a client is made."""
    ca_file: Path | None = None
    """PEM: who may have signed the brokers' certificates; None: whom the system trusts."""
    cert_file: Path | None = None
    """PEM: our own certificate, and ``key_file`` its private key."""
    key_file: Path | None = None
    key_password: str = field(default="", repr=False)

    @property
    def encrypted(self) -> bool:
        return self._protocol in {"ssl", "sasl_ssl"}

    @property
    def authenticated(self) -> bool:
        """Whether there is a name and a password."""
        return self._protocol in {"sasl_plaintext", "sasl_ssl"}

    @property
    def principal(self) -> str:
        """Who we are to Kafka's ACLs, unless the brokers map names."""
        if self.authenticated:
            return f"User:{self.username}"
        if self.encrypted and self.cert_file is not None:
            from cryptography import x509  # noqa: PLC0415 - hardly anybody needs it

            try:
                certificate = x509.load_pem_x509_certificate(self.cert_file.read_bytes())
            except (OSError, ValueError):
                return f"whoever {self.cert_file} names"
            return f"User:{certificate.subject.rfc4514_string()}"
        return "User:ANONYMOUS"

    def check(self) -> None:
        """Raises ``UserError`` with everything that can't work, the variables named."""
        mistakes = self._mistakes()
        if not mistakes:
            mistakes = self._unusable()
        if mistakes:
            raise UserError("\n".join(mistakes), hint="docs/security.md has all of these settings")

    # -- as the libraries want it -----------------------------------------------------------------

    def librdkafka(self) -> dict[str, Any]:
        """Part of the configuration of confluent-kafka's clients. Raises ``UserError`` as ``check`` does."""
        config: dict[str, Any] = {"bootstrap.servers": self.bootstrap, "security.protocol": self._protocol}
        if self.authenticated:
            config |= {
                "sasl.mechanism": self._mechanism,
                "sasl.username": self.username,
                "sasl.password": self._secret(),
            }
        if self.encrypted:
            if self.ca_file is not None:
                config["ssl.ca.location"] = str(self.ca_file)
            if self.cert_file is not None:
                config |= {
                    "ssl.certificate.location": str(self.cert_file),
                    "ssl.key.location": str(self.key_file),
                }
            if self.key_password:
                config["ssl.key.password"] = self.key_password
        return config

    def aiokafka(self) -> dict[str, Any]:
        """Keyword arguments of aiokafka's clients. Raises ``UserError`` as ``check`` does."""
        keywords: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self._protocol.upper(),
        }
        if self.authenticated:
            keywords |= {
                "sasl_mechanism": self._mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self._secret(),
            }
        if self.encrypted:
            try:
                keywords["ssl_context"] = self._context()
            except (OSError, ValueError) as error:
                raise UserError(f"{VARIABLE}*_FILE: {_reason(error)}") from error
        return keywords

    # -- how --------------------------------------------------------------------------------------

    @property
    def _protocol(self) -> str:
        return self.security_protocol.lower()

    @property
    def _mechanism(self) -> str:
        return self.sasl_mechanism.upper()

    def _secret(self) -> str:
        if self.password_file is None:
            return self.password
        try:
            return self.password_file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
        except (OSError, ValueError) as error:
            raise UserError(f"{VARIABLE}PASSWORD_FILE: {self.password_file}: {_reason(error)}") from error

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            # Without a function OpenSSL would ask on the terminal.
            context.load_cert_chain(self.cert_file, self.key_file, lambda: self.key_password)
        return context

    def _mistakes(self) -> list[str]:
        """What does not fit together, without looking at any file."""
        found: list[str] = []
        if self._protocol not in PROTOCOLS:
            return [
                f"{VARIABLE}SECURITY_PROTOCOL is {self.security_protocol!r}; it is one of {_list(PROTOCOLS)}"
            ]
        if self._mechanism and self._mechanism not in MECHANISMS:
            found.append(
                f"{VARIABLE}SASL_MECHANISM is {self.sasl_mechanism!r}; it is one of {_list(MECHANISMS)}"
            )
        found += self._sasl_mistakes()
        if not self.encrypted:
            found += [
                f"{VARIABLE}{name.upper()} is set, and without TLS nobody looks at it:"
                f" {VARIABLE}SECURITY_PROTOCOL is {self._protocol}, not ssl or sasl_ssl"
                for name in ("ca_file", "cert_file", "key_file", "key_password")
                if getattr(self, name)
            ]
        elif self.cert_file is not None and self.key_file is None:
            found.append(f"{VARIABLE}CERT_FILE is set without {VARIABLE}KEY_FILE, its private key")
        elif self.key_file is not None and self.cert_file is None:
            found.append(f"{VARIABLE}KEY_FILE is set without {VARIABLE}CERT_FILE, its certificate")
        elif self.key_password and self.key_file is None:
            found.append(f"{VARIABLE}KEY_PASSWORD is set without {VARIABLE}KEY_FILE")
        return found

    def _sasl_mistakes(self) -> list[str]:
        if not self.authenticated:
            return [
                f"{VARIABLE}{name.upper()} is set, and would tell nobody who we are:"
                f" {VARIABLE}SECURITY_PROTOCOL is {self._protocol}, not sasl_ssl or sasl_plaintext"
                for name in ("sasl_mechanism", "username", "password", "password_file")
                if getattr(self, name)
            ]
        found = []
        if not self._mechanism:
            found.append(
                f"{VARIABLE}SASL_MECHANISM is not set; {self._protocol} needs one of {_list(MECHANISMS)}"
            )
        if not self.username:
            found.append(f"{VARIABLE}USERNAME is not set; {self._protocol} needs one")
        if self.password and self.password_file is not None:
            found.append(f"{VARIABLE}PASSWORD and {VARIABLE}PASSWORD_FILE are both set: choose")
        elif not self.password and self.password_file is None:
            found.append(
                f"neither {VARIABLE}PASSWORD nor {VARIABLE}PASSWORD_FILE is set; {self._protocol} needs one"
            )
        return found

    def _unusable(self) -> list[str]:
        """What is wrong with the files."""
        found = []
        for name in ("password_file", "ca_file", "cert_file", "key_file"):
            path: Path | None = getattr(self, name)
            if path is not None:
                try:
                    empty = not path.read_bytes().strip()
                except OSError as error:
                    found.append(f"{VARIABLE}{name.upper()}: {path}: {_reason(error)}")
                else:
                    if empty:
                        found.append(f"{VARIABLE}{name.upper()}: {path} is empty")
        if found or not self.encrypted:
            return found
        try:
            ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ValueError) as error:
            return [f"{VARIABLE}CA_FILE: {self.ca_file} holds no certificates in PEM: {_reason(error)}"]
        try:
            self._context()
        except (OSError, ValueError) as error:
            what = f"{VARIABLE}CERT_FILE, {VARIABLE}KEY_FILE and {VARIABLE}KEY_PASSWORD do not fit"
            return [f"{what}: {self.cert_file} and {self.key_file}: {_reason(error)}"]
        return []


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).partition(" (_ssl")[0]


def _list(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
