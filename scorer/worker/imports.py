"""What Faust imports at its start and no worker of ours uses: imported when it is first used instead.

That is a quarter of what a worker imports. While it starts, its partitions stand still.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

UNUSED: Final = {
    "aiohttp.client": "ClientSession",  # app.http_client
    "croniter.croniter": "croniter",  # @app.crontab
    "intervaltree": "IntervalTree",  # gaps between acknowledged messages; ours go without
}
"""Module -> the one name that Faust takes from it, to call it or for its type hints."""


@contextmanager
def faust_alone() -> Iterator[None]:
    """Meanwhile importing Faust brings stand-ins for what is ``UNUSED``, unless it is imported already."""
    placed = []
    for module, name in UNUSED.items():
        if module in sys.modules:
            continue
        parts = module.split(".")
        for length in range(1, len(parts) + 1):
            part = ".".join(parts[:length])
            if part not in sys.modules:
                sys.modules[part] = ModuleType(part)
                placed.append(part)
        setattr(sys.modules[module], name, _stand_in(module, name))
    try:
        yield
    finally:
        for part in placed:
            del sys.modules[part]


def _stand_in(module: str, name: str) -> type:
    """A class whose calls go to the real thing."""

    def make(_: type, *args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(module), name)(*args, **kwargs)

    return type(name, (), {"__new__": make, "__module__": module})
