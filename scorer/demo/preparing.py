"""What the demonstration does by the same code as the commands: topics, rules, import; and its undoing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from scorer import rulefile, rules_apply
from scorer.broker import Broker
from scorer.demo.embedded import PARTITIONS, EmbeddedBroker
from scorer.demo.traces import encode
from scorer.domain.model import encode_model
from scorer.errors import UserError
from scorer.history import History
from scorer.kafka_access import KafkaAccess
from scorer.kafka_errors import Heard, ask_metadata
from scorer.settings import Settings
from scorer.wire.doors import NOTHING, announce, plan, save_entry
from scorer.wire.identity import identity_of
from scorer.wire.registry import Registry

LOOK, TIMEOUT = 6.0, 15.0  # seconds
GROUPS = ("intake", "score")
GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND)


def find(access: KafkaAccess) -> None:
    """Raises ``UserError`` if no Kafka answers there."""
    heard = Heard()
    client = AdminClient(access.librdkafka() | {"error_cb": heard, "log_level": 0})
    ask_metadata(client, access, heard, LOOK)


def make_topics(settings: Settings, embedded: EmbeddedBroker | None, say: Callable[[str], None]) -> None:
    """Topics and doors, as `scorer topics apply` makes them; the embedded broker has no such interface."""
    registry = Registry.load()
    if embedded is None:
        from scorer.wire.topics import apply_topics  # noqa: PLC0415 - only here

        say("creating the topics")
        apply_topics(settings, registry)
        return
    doors = [topic.name for topic in registry.doors]
    # In the same order: no clock can pass a door that it has not been told of.
    embedded.create(name for name in registry.topics if name not in doors)
    broker = Broker(settings)
    entry = plan(NOTHING, dict.fromkeys(doors, PARTITIONS))
    with broker.writer() as writer:
        save_entry(broker, writer, announce(broker, writer, entry, "embedded"))
    embedded.create(doors)


def apply_rules(settings: Settings, path: Path) -> None:
    """As `scorer rules apply` does; raises ``UserError`` with all mistakes of the file."""
    rules_apply.apply(Broker(settings), encode_model(rulefile.require(path)))


def import_history(settings: Settings, path: Path, now: int, events: Iterable[dict[str, Any]]) -> int:
    """As `scorer import` does, from a file made at ``path``; returns the number of events imported."""
    path.write_bytes(b"".join(encode(event) + b"\n" for event in events))
    history = History(path, identity_of(settings), now)
    checked = history.check()
    history.append(Broker(settings), checked)
    return checked.facts


def remove(settings: Settings) -> None:
    """Deletes the registry's topics under the settings' prefix, and the worker's groups.

    Raises ``UserError`` that names what could not be deleted. The prefix must not be empty.
    """
    if not settings.topic_prefix:
        raise ValueError("only topics under a prefix of their own are deleted")
    client = AdminClient(settings.kafka.librdkafka() | {"log_level": 0})
    topics = [topic.full_name(settings.topic_prefix) for topic in Registry.load().topics.values()]
    groups = [f"{settings.topic_prefix}{settings.app_id}-{kind}" for kind in GROUPS]
    deleted = client.delete_topics(topics, operation_timeout=TIMEOUT)
    left: list[str] = []
    for name, future in {**deleted, **client.delete_consumer_groups(groups)}.items():
        try:
            future.result(TIMEOUT)
        except KafkaException as error:
            if error.args[0].code() not in GONE:
                left.append(name)
        except TimeoutError:
            left.append(name)
    if left:
        raise UserError(
            f"these could not be removed from {settings.bootstrap}: {', '.join(left)}",
            hint="they belong to this run of the demonstration only",
            exit_code=1,
        )
