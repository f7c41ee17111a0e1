"""Which worker owns which partition, as the consumer group tells every member at each rebalance."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, cast

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from faust.assignor.client_assignment import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping

ANY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104 - recognised, not listened on


class OwnersAssignor(PartitionAssignor):
    """Faust's, whose members say where they can be asked (``ChunkedApp.address``)."""

    @property
    def _url(self) -> URL:
        return URL(cast("Any", self.app).address)

    def on_assignment(self, assignment: Any) -> None:
        # A static member that comes back gets its old assignment, with the address that it had then.
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
                return url
        return ""


def advertised(url: str, host: str, port: int) -> str:
    """Where others reach a server: ``url`` if there is one, else what ``host`` and ``port`` come to."""
    if url:
        return url.rstrip("/")
    if host in ANY_ADDRESS:
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
