"""Trying a rule file beside the one in force: it begins, is stopped, or is put in force, by a rules version.

A shadow is part of the version that it is tried beside (``Model.shadow``), so it reaches every lead at one
place of the log like any other change of rules: see ``rules_apply``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from scorer.domain.model import Model, decode_model, encode_model, fingerprint
from scorer.domain.record import ANNOUNCE_NONE
from scorer.errors import UserError
from scorer.rules_apply import apply, read

if TYPE_CHECKING:
    from scorer.broker import Broker
    from scorer.domain.record import Rules
    from scorer.rules_apply import Applied


class Shadow(NamedTuple):
    """What is tried beside the rules in force."""

    live: Model
    model: Model
    since: int
    """The version with which it began."""
    version: int
    """In force now."""

    @property
    def fingerprint(self) -> str:
        return fingerprint(encode_model(self.model))


def running(broker: Broker) -> Shadow:
    """Raises ``UserError`` where nothing is tried."""
    stored = read(broker)
    newest = stored.newest
    live = None if newest is None else decode_model(newest.model)
    if newest is None or live is None or live.shadow is None:
        raise UserError(
            "no rules are tried beside those in force", hint="scorer shadow start FILE", exit_code=1
        )
    since = newest.version
    while since - 1 in stored.versions and _shadow(stored.versions[since - 1]) == live.shadow:
        since -= 1
    return Shadow(live, live.shadow, since, newest.version)


def start(broker: Broker, model: bytes) -> Applied:
    """Try an encoded model beside the one in force, from now on; it takes the place of any other.

    Raises ``UserError`` as ``apply``, and where nothing is in force or the model itself is.
    """
    newest = read(broker).newest
    if newest is None:
        raise UserError("no rules are in force yet", hint="scorer rules apply FILE")
    live = replace(decode_model(newest.model), shadow=None)
    if encode_model(live) == model:
        raise UserError("these rules are in force: there is nothing to try", exit_code=1)
    both = encode_model(replace(live, shadow=decode_model(model)))
    return apply(broker, both, ANNOUNCE_NONE, newest.version, keep_shadow=False)


def stop(broker: Broker) -> Applied:
    """Try nothing any more; raises ``UserError`` as ``apply``, and where nothing is tried."""
    found = running(broker)
    live = encode_model(replace(found.live, shadow=None))
    return apply(broker, live, ANNOUNCE_NONE, found.version, keep_shadow=False)


def promote(broker: Broker, announce: int) -> Applied:
    """Put the rules that are tried in force; leads go on with what their shadows have been granted.

    ``announce``: see ``record.Rules``. Raises ``UserError`` as ``apply``, and where nothing is tried.
    """
    found = running(broker)
    return apply(broker, encode_model(found.model), announce, found.version)


def _shadow(rules: Rules) -> Model | None:
    return decode_model(rules.model).shadow
