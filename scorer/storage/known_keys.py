"""The leads' keys that a process may seal with: those of the topic, and those that it makes itself.

Any number of processes may make a lead's first key at the same moment: each seals with its own until it has
read the topic, and from then on all of them with the newest. What is sealed names its key, so all of it
opens, and a person's erasure deletes every key that a lead has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.wire.sealing import LeadKey, new_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorer.storage.key_table import KeyTable


class KnownKeys:
    """Use it on the event loop's thread only. Whoever makes a key has to write its record."""

    def __init__(self, table: KeyTable) -> None:
        self.forget: Callable[[bytes], object] = lambda _: None
        """Called with the id of a lead of whom a key was deleted."""
        self._table = table
        self._made: dict[bytes, LeadKey] = {}  # until the table has them

    async def start(self) -> None:
        """Returns when all keys that were made before are known."""
        self._table.changed = self._changed
        await self._table.open()
        await self._table.caught_up()

    async def stop(self) -> None:
        await self._table.close()

    def known(self, lead: bytes) -> LeadKey | None:
        return self._made.get(lead) or self._table.get(lead)

    def make(self, lead: bytes) -> tuple[LeadKey, bytes]:
        """A new key, which is known from now on, and the value of its record."""
        key = self._made[lead] = new_key(lead)
        return key, self._table.wrap.close(key)

    def give_up(self, key: LeadKey) -> None:
        """Nothing is sealed any more with a key that this process has made: it may not be in the topic."""
        if self._made.get(key.lead) is key:
            del self._made[key.lead]

    def _changed(self, lead: bytes, key_id: bytes, deleted: bool) -> None:  # noqa: FBT001 - a callback
        made = self._made.get(lead)
        if made is not None and made.id == key_id:
            del self._made[lead]
        if deleted:
            self.forget(lead)
