"""How far a system is: 8 bytes of a file in memory, little-endian, written by it and read by the meter."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_NUMBER = struct.Struct("<q")
EVERY = 256
"""Records between two writes."""


class Progress:
    """The writing side, for systems in Python."""

    def __init__(self, path: Path, wanted: int) -> None:
        """``path``: an existing file of 8 bytes. ``wanted``: the count after which nothing is left."""
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), _NUMBER.size)
        self._wanted = wanted
        self.count = 0

    def one(self) -> None:
        """A record has been processed."""
        self.count += 1
        if self.count % EVERY == 0 or self.count >= self._wanted:
            self.tell()

    def add(self, records: int) -> None:
        self.count += records
        self.tell()

    def tell(self) -> None:
        _NUMBER.pack_into(self._bytes, 0, self.count)


def create(path: Path) -> None:
    path.write_bytes(_NUMBER.pack(0))


def read(path: Path) -> int:
    number: int = _NUMBER.unpack(path.read_bytes())[0]
    return number
