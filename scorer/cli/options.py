"""Options that several commands share."""

from __future__ import annotations

import os
from datetime import datetime
from functools import wraps
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from scorer.errors import UserError
from scorer.settings import Settings, from_environment

if TYPE_CHECKING:
    from collections.abc import Callable


def kafka_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --bootstrap and --topic-prefix; the command gets ``settings``, the environment's under them."""

    @click.option("--bootstrap", metavar="HOST:PORT", help="Kafka's address.  [SCORER_BOOTSTRAP]")
    @click.option("--topic-prefix", metavar="TEXT", help="Put before topics' names.  [SCORER_TOPIC_PREFIX]")
    @wraps(function)
    def command(*args: Any, bootstrap: str | None, topic_prefix: str | None, **kwargs: Any) -> Any:
        settings = kafka_settings(bootstrap=bootstrap, topic_prefix=topic_prefix)
        return function(*args, settings=settings, **kwargs)

    return command


def kafka_settings(**given: str | None) -> Settings:
    """The environment's settings under what options say, if they can reach a Kafka; raises ``UserError``."""
    changed = {name: value for name, value in given.items() if value is not None}
    settings = msgspec.structs.replace(from_environment(os.environ), **changed)
    settings.kafka.check()
    return settings


def milliseconds_of(option: str, text: str) -> int:
    """A day (its beginning, UTC) or an RFC 3339 time that an option was given; raises ``UserError``."""
    from scorer.wire.dead_letters import Rejected
    from scorer.wire.times import milliseconds

    try:
        return milliseconds(text if len(text) > len("2026-11-01") else f"{text}T00:00:00Z")
    except Rejected as rejected:
        hint = "such as 2026-11-01 or 2026-11-01T10:00:00Z"
        raise UserError(f"{option}: {rejected.detail}", hint=hint) from rejected


def readable(instant: str) -> str:
    """An RFC 3339 time of ours, to the second."""
    return datetime.fromisoformat(instant).strftime("%Y-%m-%d %H:%M:%S")


def default_rules() -> Path:
    """The default rule file that belongs to this code: installed with it, or the checkout's."""
    installed = Path(str(files("scorer").joinpath("_rules", "default.yaml")))
    return installed if installed.is_file() else Path(__file__).parents[2] / "rules" / "default.yaml"
