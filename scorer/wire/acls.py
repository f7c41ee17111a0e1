"""What each part of the system must be allowed in Kafka, and nothing more: the one list of it.

`scorer topics acls` prints it, a worker and a collector look through it before they begin
(``scorer.wire.permissions``), and the tests run them with exactly this.

Kafka lets whoever may Read, Write or Alter a resource also Describe it, and whoever may AlterConfigs also
DescribeConfigs, so these are listed only where they stand alone. Idempotent producers need nothing besides
Write on a topic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from scorer.errors import UserError
from scorer.wire.registry import (
    ACCOUNT_SCORE,
    CHANGELOG,
    DEAD_LETTERS,
    DISQUALIFIED,
    ERASED,
    IDENTITY,
    LEAD_KEYS,
    LOG,
    MERGED,
    OUTCOMES,
    QUALIFIED,
    RULES,
    SCORE,
    STAGE,
    Registry,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from scorer.settings import Settings

Operation = Literal[
    "Read", "Write", "Create", "Delete", "Alter", "Describe", "DescribeConfigs", "AlterConfigs"
]
Kind = Literal["topic", "group"]
SEALED, OPENED = "sealed_fields", "open_in_outcomes"
_VIEWS: Final = (SCORE, IDENTITY, ACCOUNT_SCORE)


class Grant(NamedTuple):
    kind: Kind
    name: str
    """Without the deployment's prefix."""
    operations: tuple[Operation, ...]
    where: str = ""
    """Needed only where this field of the settings is set."""

    def full_name(self, settings: Settings) -> str:
        return settings.topic_prefix + self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Component(NamedTuple):
    name: str
    what: str
    """The commands that it stands for, in words."""
    grants: tuple[Grant, ...]

    def needed(self, settings: Settings) -> list[Grant]:
        """With these settings."""
        return [grant for grant in self.grants if not grant.where or getattr(settings, grant.where)]


def components(registry: Registry, app_id: str = "scorer") -> dict[str, Component]:
    """All of them by name, in the order of the road. ``app_id``: the settings', which names the groups."""
    doors = [topic.name for topic in registry.doors]
    every = list(registry.topics)
    listed = [
        Component(
            "topics",
            "scorer topics apply, scorer topics diff",
            (
                *_topics(every, "Create", "Alter", "AlterConfigs"),
                *_topics([LOG, RULES], "Read", "Write"),
            ),
        ),
        Component(
            "rules",
            "scorer rules apply, scorer shadow start, stop, promote and status",
            (*_topics([RULES, LOG], "Read", "Write"), *_topics([CHANGELOG, DEAD_LETTERS], "Read")),
        ),
        Component(
            "collector",
            "scorer collector",
            (
                *_topics([LOG], "Write"),
                *_topics([RULES], "Read"),
                Grant("topic", LEAD_KEYS, ("Read", "Write"), SEALED),
            ),
        ),
        Component(
            "intake",
            "scorer worker, scorer worker --only intake",
            (
                *_topics([*doors, RULES], "Read"),
                *_topics([LOG, DEAD_LETTERS], "Write"),
                Grant("topic", LEAD_KEYS, ("Read", "Write"), SEALED),
                Grant("group", f"{app_id}-intake", ("Read",)),
            ),
        ),
        Component(
            "score",
            "scorer worker, scorer worker --only score",
            (
                *_topics([LOG, CHANGELOG, *_VIEWS], "Read", "Write"),
                *_topics([CHANGELOG], "DescribeConfigs"),
                *_topics([*OUTCOMES, DEAD_LETTERS], "Write"),
                *_topics([RULES], "Read"),
                *_topics([LEAD_KEYS], "Describe"),
                Grant("topic", LEAD_KEYS, ("Read",), OPENED),
                Grant("group", f"{app_id}-score", ("Read",)),
            ),
        ),
        Component("import", "scorer import", _topics([LOG], "Write")),
        Component("export", "scorer log export", _topics([LOG, DEAD_LETTERS], "Read")),
        Component(
            "migrate",
            "scorer log migrate: under the old prefix and under the new one",
            (
                *_topics(every, "Create", "Alter", "AlterConfigs"),
                *_topics([name for name in every if name not in doors], "Delete"),
                *_topics([LOG, RULES, CHANGELOG, LEAD_KEYS], "Read", "Write"),
                *_topics(_VIEWS, "Write"),
                Grant("group", f"{app_id}-intake", ("Describe",)),
                Grant("group", f"{app_id}-score", ("Describe",)),
            ),
        ),
        Component("explain", "scorer explain", _topics([LOG, DEAD_LETTERS], "Read")),
        Component(
            "insights",
            "scorer insights update, rebuild and export",
            _topics([LOG, QUALIFIED, DISQUALIFIED, STAGE, MERGED, ERASED, DEAD_LETTERS], "Read"),
        ),
        Component("dead-letters", "scorer dead-letters list and show", _topics([DEAD_LETTERS], "Read")),
        Component(
            "redrive",
            "scorer dead-letters redrive",
            (
                *_topics([DEAD_LETTERS], "Read", "Write"),
                *_topics([ERASED], "Read"),  # what was of a person who is forgotten is not sent again
                *_topics([*doors, LOG], "Write"),
            ),
        ),
        Component(
            "proof",
            "scorer erase prove, scorer subject-access",
            (*_topics(every, "Read", "DescribeConfigs"),),
        ),
        Component(
            "erase",
            "scorer erase",
            (
                *_topics(every, "Read", "DescribeConfigs"),
                *_topics([LOG, RULES, LEAD_KEYS], "Write"),
                Grant("group", f"{app_id}-score", ("Describe",)),
            ),
        ),
        Component("publisher", "whoever sends events to the doors", _topics(doors, "Write")),
        Component(
            "consumer",
            "whoever reads outcomes and views; its consumer group is its own",
            _topics([*OUTCOMES, *_VIEWS], "Read"),
        ),
    ]
    return {component.name: component._replace(grants=tuple(_merged(component))) for component in listed}


def chosen(every: dict[str, Component], names: Collection[str]) -> list[Component]:
    """The named ones, all where none is named; raises ``UserError`` for a name that nobody has."""
    for name in names:
        if name not in every:
            raise UserError(f"there is no component {name}", hint=f"there are {', '.join(every)}")
    return [component for name, component in every.items() if not names or name in names]


def as_text(component: Component, settings: Settings) -> Iterator[str]:
    """Lines to read."""
    yield f"{component.name}: {component.what}"
    width = max(len(grant.full_name(settings)) for grant in component.grants)
    for grant in component.grants:
        condition = f"  (where SCORER_{grant.where.upper()} is set)" if grant.where else ""
        operations = ", ".join(grant.operations)
        yield f"  {grant.kind}  {grant.full_name(settings):<{width}}  {operations}{condition}"


def as_commands(component: Component, settings: Settings, principal: str) -> Iterator[str]:
    """Lines for Kafka's own tool, one for each resource; ``principal``: such as ``User:scorer-collector``."""
    for grant in component.needed(settings):
        operations = " ".join(f"--operation {operation}" for operation in grant.operations)
        yield (
            f'kafka-acls.sh --bootstrap-server "$BOOTSTRAP" --command-config "$ADMIN" --add'
            f" --allow-principal '{principal}' {operations} --{grant.kind} '{grant.full_name(settings)}'"
        )


def _topics(names: Collection[str], *operations: Operation) -> tuple[Grant, ...]:
    return tuple(Grant("topic", name, operations) for name in names)


def _merged(component: Component) -> list[Grant]:
    """One grant for each resource and condition, topics in the order of their names, then groups."""
    found: dict[tuple[str, str, str], list[Operation]] = {}
    for grant in component.grants:
        operations = found.setdefault((grant.kind, grant.name, grant.where), [])
        operations += [operation for operation in grant.operations if operation not in operations]
    kinds: dict[str, Kind] = {"topic": "topic", "group": "group"}
    ordered = sorted(found, key=lambda key: (key[0] != "topic", key[1], key[2]))
    return [Grant(kinds[kind], name, tuple(found[kind, name, where]), where) for kind, name, where in ordered]
