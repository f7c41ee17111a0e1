"""Which worker owns which partition, as the consumer group tells every member at each rebalance."""

from __future__ import annotations

import socket
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from faust.assignor.client_assignment import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor
from yarl import URL

from scorer.errors import UserError
from scorer.wire.asking import ANY_ADDRESS, check_address

if TYPE_CHECKING:
    from collections.abc import Mapping


class OwnersAssignor(PartitionAssignor):
    """Faust's, whose members say where they can be asked (``ChunkedApp.address``)."""

    @cached_property
    def _token(self) -> str:
        return uuid4().hex

    @property
    def _url(self) -> URL:
        # Faust keys what it tells the members by their URLs: equal ones would hide all but one of them.
        return URL(f"{cast('Any', self.app).address}#{self._token}")

    def on_assignment(self, assignment: Any) -> None:
        # A static member that comes back gets its old assignment, with the URL that it had then.
        metadata: Any = ClientMetadata.loads(self._decompress(assignment.user_data))
        if metadata.url != str(self._url):
            metadata.url = str(self._url)
            data = self._compress(metadata.dumps())
            assignment = ConsumerProtocolMemberAssignment(assignment.version, assignment.assignment, data)
        super().on_assignment(assignment)

    def owner_of(self, topic: str, partition: int) -> str:
        """The address of its owner; empty: nobody has it, or its owner can't be asked."""
        distribution: Mapping[str, Mapping[str, list[int]]] = self.external_topics_metadata()
        for url, topics in distribution.items():
            if partition in topics.get(topic, ()):
                return url.partition("#")[0].rstrip("/")
        return ""


def advertised(url: str, host: str, port: int) -> str:
    """Where others reach a server: ``url`` if there is one, else what ``host`` and ``port`` come to.

    Raises ``UserError``.
    """
    if not url:
        return f"http://{socket.gethostname() if host in ANY_ADDRESS else host}:{port}"
    try:
        check_address(url)
    except ValueError as error:
        raise UserError(f"SCORER_ADVERTISED_URL: {error}", hint="such as http://worker-1:9464") from error
    return url.rstrip("/")
