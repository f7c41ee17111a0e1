"""What Kafka refuses a running worker, in words for whoever runs it."""

from __future__ import annotations

from typing import Final

from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
)

from scorer.errors import UserError

ACLS_HINT: Final = (
    "`scorer topics acls --component intake --component score` prints what a worker must be allowed;"
    " at its next start it names what is missing"
)
_FORBIDDEN: Final = {
    TopicAuthorizationFailedError: "topic",
    GroupAuthorizationFailedError: "group",
    ClusterAuthorizationFailedError: "cluster",
}


def refusal(error: BaseException) -> UserError | None:
    """The error, or what it comes from, as a message and a hint; None where it is something else."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return cause
        for kind, resource in _FORBIDDEN.items():
            if isinstance(cause, kind):
                names = ", ".join(_names(cause.args))
                what = f"{resource} {names}" if names else f"a {resource}"
                return UserError(f"Kafka has refused this worker {what}: an ACL is missing", ACLS_HINT)
        if isinstance(cause, (AuthenticationFailedError, SaslAuthenticationFailed)):
            return UserError(
                f"Kafka does not accept this worker's name or password: {cause}",
                hint="SCORER_KAFKA_USERNAME, _PASSWORD (or _PASSWORD_FILE) and _SASL_MECHANISM say who it is",
            )
        cause = cause.__cause__
    return None


def _names(args: tuple[object, ...]) -> list[str]:
    """Aiokafka says one name or a set of them."""
    names: list[object] = []
    for arg in args:
        names += arg if isinstance(arg, (set, frozenset, list, tuple)) else [arg]
    return sorted(map(str, names))
