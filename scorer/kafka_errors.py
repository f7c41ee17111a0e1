"""What to say when Kafka does not answer, does not know us, or does not let us. For librdkafka's clients."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException

from scorer.errors import UserError

if TYPE_CHECKING:
    from scorer.kafka_access import KafkaAccess

ACLS_HINT: Final = "`scorer topics acls` prints what each part of the system must be allowed"
SLICE: Final = 3.0
"""Seconds after which it is asked whether Kafka has refused us for good."""
_UNKNOWN_US: Final = (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED)  # noqa: SLF001 - its only name
_TLS: Final = (KafkaError._SSL,)  # noqa: SLF001
_NO_TLS_THERE: Final = "connecting to a PLAINTEXT broker listener"
"""What librdkafka says of that; by its code it is a connection lost."""
FORBIDDEN: Final = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
)


class Heard:
    """What a client says beside its calls: why it does not get through. To be its ``error_cb``."""

    def __init__(self) -> None:
        self.refusal: KafkaError | None = None
        """What another try would not change."""
        self.last: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        if error.code() in (*_UNKNOWN_US, *_TLS) or _NO_TLS_THERE in error.str():
            self.refusal = error
        elif error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - its only name
            self.last = error


def ask_metadata(
    client: Any, access: KafkaAccess, heard: Heard, timeout: float, topic: str | None = None
) -> Any:
    """``list_topics`` of any client; raises ``UserError``.

    That is sooner than ``timeout`` (seconds) where Kafka refuses us for good.
    """
    until = time.monotonic() + timeout
    while True:
        left = until - time.monotonic()
        try:
            return client.list_topics(topic, min(SLICE, max(left, 0.1)))
        except KafkaException as error:
            hear(client)
            if heard.refusal is not None or left <= SLICE:
                raise unreachable(access, error, heard) from error


def hear(client: Any) -> None:
    """Lets a client say what it has to say; it does so only when asked, one thing at a time."""
    for _ in range(100):
        client.poll(0)


def fatal_in(error: BaseException) -> KafkaException | None:
    """A producer's fatal error, which comes out of whichever call serves its callbacks.

    Where that call has served another callback after it, it comes as the cause of a ``SystemError``.
    """
    fault = error.__cause__ if isinstance(error, SystemError) else error
    return fault if isinstance(fault, KafkaException) else None


def unreachable(access: KafkaAccess, error: KafkaException, heard: Heard | None = None) -> UserError:
    """What to say when Kafka does not answer, or refuses."""
    fault = error.args[0] if error.args and isinstance(error.args[0], KafkaError) else None
    if heard is not None and heard.refusal is not None:
        fault = heard.refusal
    if fault is None:
        return _gone(access, str(error))
    detail, code = fault.str(), fault.code()
    if code in _UNKNOWN_US:
        return UserError(
            f"Kafka at {access.bootstrap} does not accept the name or the password of {access.principal}:"
            f" {detail}",
            hint="SCORER_KAFKA_USERNAME, _PASSWORD (or _PASSWORD_FILE) and _SASL_MECHANISM say who we are",
            exit_code=1,
        )
    if code in _TLS or _NO_TLS_THERE in detail:
        return UserError(
            f"Kafka at {access.bootstrap}: no TLS connection: {detail}",
            hint="SCORER_KAFKA_CA_FILE names who has signed the brokers' certificates, and these must be for"
            " the names in SCORER_BOOTSTRAP; SCORER_KAFKA_SECURITY_PROTOCOL says whether there is TLS at all",
            exit_code=1,
        )
    if code in FORBIDDEN:
        return UserError(f"Kafka refuses {access.principal}: {detail}", hint=ACLS_HINT, exit_code=1)
    if heard is not None and heard.last is not None:
        detail = f"{detail}; {heard.last.str()}"
    return _gone(access, detail)


class NotAllowedError(UserError):
    """An ACL is missing."""


def not_allowed(access: KafkaAccess, operation: str, resource: str) -> NotAllowedError:
    """``resource``: such as ``topic lead.log.v1``."""
    return NotAllowedError(
        f"Kafka does not allow {access.principal} the operation {operation} on {resource}",
        hint=ACLS_HINT,
        exit_code=1,
    )


def _gone(access: KafkaAccess, detail: str) -> UserError:
    return UserError(
        f"Kafka at {access.bootstrap}: {detail}",
        hint="is it running, and are SCORER_BOOTSTRAP its address and SCORER_KAFKA_SECURITY_PROTOCOL"
        f" ({access.security_protocol}) what it speaks there?",
        exit_code=1,
    )
