"""The topics of the system, as data: one YAML file per topic under ``schemas/topics``."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.resources.abc import Traversable

LOG = "lead.log.v1"
RULES = "lead.rules.v1"
RULES_KEY = b"rules:"
"""Before the number in the key of a version of the rules."""
RULES_COMPLETE = b"rules.complete"
"""Key, in the rules topic, of the newest rules version that every log partition has."""
CHANGELOG = "lead.changelog.v1"
DEAD_LETTERS = "dead.letters.v1"
QUALIFIED = "lead.qualified.v1"
DISQUALIFIED = "lead.disqualified.v1"
STAGE = "lead.stage.v1"
MERGED = "lead.merged.v1"
ERASED = "lead.erased.v1"
ACCOUNT_QUALIFIED = "account.qualified.v1"
ACCOUNT_DISQUALIFIED = "account.disqualified.v1"
OPENED = (QUALIFIED, DISQUALIFIED, STAGE)
"""Outcomes that may say who a lead is (``Settings.open_in_outcomes``)."""
OUTCOMES = (QUALIFIED, DISQUALIFIED, STAGE, MERGED, ERASED, ACCOUNT_QUALIFIED, ACCOUNT_DISQUALIFIED)
SCORE = "lead.score.v1"
IDENTITY = "lead.identity.v1"
ACCOUNT_SCORE = "account.score.v1"
LEAD_KEYS = "lead.key.v1"

_OPENED_MS = 30 * 24 * 3600 * 1000
"""How long a new topic keeps outcomes that say who a lead is: as long as dead letters, readable as well."""
_INTAKE_ADDS = 127 * 1024
"""Generously."""

Role = Literal["door", "log", "outcome", "view", "rules", "dead_letters", "changelog", "keys"]


class Topic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One topic, as its YAML file says."""

    name: str
    role: Role
    summary: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    key: str
    """What a record's key is, in words."""
    schema: str
    """The schema of a value: a file under ``schemas``."""
    examples: str | None = None
    """A folder under ``schemas`` with ``valid`` and ``invalid`` examples."""
    types: tuple[str, ...] = ()
    """Event types of a door, or of an outcome."""
    type_pattern: str | None = None
    """Regular expression that further event types match whole."""
    partitions: int | None = None
    """By default when the topic is created; None: as many as the topic ``partitions_of`` has."""
    partitions_of: str | None = None
    config: dict[str, str]
    """Kafka's settings of the topic."""

    def __post_init__(self) -> None:
        if (self.partitions is None) == (self.partitions_of is None):
            raise ValueError("a topic has either partitions or partitions_of")

    def full_name(self, prefix: str) -> str:
        """The topic's name in Kafka."""
        return prefix + self.name

    def type_matcher(self) -> Callable[[str], bool]:
        """Whether a text is one of the topic's event types."""
        listed = frozenset(self.types)
        if self.type_pattern is None:
            return listed.__contains__
        matches = re.compile(self.type_pattern).fullmatch
        return lambda kind: kind in listed or matches(kind) is not None


class Registry(msgspec.Struct, frozen=True):
    """All topics by name, doors first; the folder that they and the message schemas were read from."""

    topics: dict[str, Topic]
    folder: Any
    """The schemas folder; has ``joinpath`` and ``iterdir`` as a ``pathlib.Path`` does."""

    @classmethod
    def load(cls) -> Registry:
        """The registry that belongs to this code: installed with it, or the checkout's."""
        folder = _schemas_folder()
        topics = [
            _read(entry)
            for entry in sorted(folder.joinpath("topics").iterdir(), key=lambda entry: entry.name)
            if entry.name.endswith(".yaml")
        ]
        topics.sort(key=lambda topic: topic.role != "door")
        return cls({topic.name: topic for topic in topics}, folder)

    @property
    def doors(self) -> tuple[Topic, ...]:
        """The topics that publishers write to, by name."""
        return tuple(topic for topic in self.topics.values() if topic.role == "door")

    @property
    def max_log_bytes(self) -> int:
        """Bytes that key and value of a fact may hold together: what a door takes, and what intake adds.

        A lead that becomes part of another may be larger.
        """
        return max(int(door.config["max.message.bytes"]) for door in self.doors) + _INTAKE_ADDS

    def partitions(self, overrides: Mapping[str, int] | None = None) -> dict[str, int]:
        """Planned partition count per topic; ``overrides`` by topic name, for counts that the file gives.

        Raises ``ValueError`` for a topic that does not exist or follows another.
        """
        overrides = overrides or {}
        for name in overrides:
            if name not in self.topics:
                raise ValueError(f"there is no topic {name}")
            if (leader := self.topics[name].partitions_of) is not None:
                raise ValueError(f"{name} has as many partitions as {leader}: give that one's number")
        counts: dict[str, int] = {}
        for name, topic in self.topics.items():
            source = topic.partitions_of or name
            counts[name] = overrides.get(source) or self.topics[source].partitions or 1
        return counts

    def opened(self) -> Registry:
        """As it is where outcomes say who a lead is: no person is readable in them for over a year."""
        topics = dict(self.topics)
        for name in OPENED:
            config = topics[name].config | {"retention.ms": str(_OPENED_MS)}
            topics[name] = msgspec.structs.replace(topics[name], config=config)
        return msgspec.structs.replace(self, topics=topics)

    def read(self, path: str) -> bytes:
        """The bytes of a file under ``schemas``."""
        content: bytes = self.folder.joinpath(*path.split("/")).read_bytes()
        return content


def _schemas_folder() -> Traversable:
    installed = files("scorer").joinpath("_schemas")
    if installed.is_dir():
        return installed
    return Path(__file__).parents[2] / "schemas"


def _read(entry: Traversable) -> Topic:
    content = yaml.load(entry.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    try:
        topic = msgspec.convert(content, Topic)
    except msgspec.ValidationError as error:
        raise ValueError(f"{entry.name}: {error}") from error
    if entry.name != f"{topic.name}.yaml":
        raise ValueError(f"{entry.name}: is about {topic.name}")
    return topic
