"""A Kafka that asks for names and enforces ACLs, and people who come to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from scorer.dev.guarded import add_user
from scorer.settings import Settings
from scorer.wire.acls import components
from scorer.wire.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scorer.dev.kafka import KafkaCluster
    from scorer.wire.acls import Grant

PATIENCE = 60.0  # seconds
PASSWORD = "correct horse"
REGISTRY = Registry.load()
OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Create": AclOperation.CREATE,
    "Delete": AclOperation.DELETE,
    "Alter": AclOperation.ALTER,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
}


def until(condition: Callable[[], object], what: str | Callable[[], str], seconds: float = PATIENCE) -> None:
    """Until it is so; ``what`` is said where it does not become so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what if isinstance(what, str) else what()
        time.sleep(0.05)


class House:
    """One deployment on a guarded Kafka: its topics' prefix, and who may do what there."""

    def __init__(self, kafka: KafkaCluster, prefix: str) -> None:
        self.kafka = kafka
        self.prefix = prefix
        self._admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})

    def somebody(self, name: str, *names: str, **fields: object) -> Settings:
        """Settings of a new user with the permissions of these components, as the project lists them."""
        add_user(self.kafka.bootstrap, name, PASSWORD)
        settings = self.settings(name, **fields)
        self.allow(settings.kafka.principal, self.grants(settings, *names))
        return settings

    def settings(self, name: str, password: str = PASSWORD, **fields: object) -> Settings:
        assert self.kafka.guarded is not None
        given = self.kafka.guarded.settings(name, password)
        return Settings(**given | {"topic_prefix": self.prefix, "lead_secret": "test"} | fields)

    def grants(self, settings: Settings, *names: str) -> list[Grant]:
        every = components(REGISTRY, settings.app_id)
        return [grant for name in names for grant in every[name].needed(settings)]

    def allow(self, principal: str, grants: Sequence[Grant]) -> None:
        bindings = [
            self._binding(principal, grant, operation) for grant in grants for operation in grant.operations
        ]
        if not bindings:
            return
        for created in self._admin.create_acls(list(dict.fromkeys(bindings))).values():
            created.result(PATIENCE)

    def forbid(self, principal: str, grant: Grant, operation: str) -> None:
        """Takes one operation away."""
        one = self._binding(principal, grant, operation)
        allowed, literal = AclPermissionType.ALLOW, ResourcePatternType.LITERAL
        wanted = AclBindingFilter(one.restype, one.name, literal, principal, "*", one.operation, allowed)
        for deleted in self._admin.delete_acls([wanted]).values():
            assert len(deleted.result(PATIENCE)) == 1

    def _binding(self, principal: str, grant: Grant, operation: str) -> AclBinding:
        kind = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP}[grant.kind]
        return AclBinding(
            kind,
            self.prefix + grant.name,
            ResourcePatternType.LITERAL,
            principal,
            "*",
            OPERATIONS[operation],
            AclPermissionType.ALLOW,
        )
