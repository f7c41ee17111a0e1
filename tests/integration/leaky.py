"""The scorer command with bugs of ours, whose errors repeat what they met.

python -m tests.integration.leaky worker
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorer.cli import main
from scorer.domain import partition
from scorer.wire import intake

if TYPE_CHECKING:
    from collections.abc import Callable


def _failing(real: Callable[..., Any], marked: Callable[[Any], bool]) -> Callable[..., Any]:
    def fails(what: Any, *more: Any) -> Any:
        if marked(what):
            raise ValueError(f"{what!r}") from KeyError(what)
        return real(what, *more)

    return fails


def plant() -> None:
    """Intake and engine fail on events whose ids are so marked."""
    planted: Any = intake
    planted.decode = _failing(intake.decode, lambda value: b"intake-bug" in value)
    planted._check = _failing(intake._check, lambda event: "intake-bug" in event.id)
    planted = partition
    planted.decode_posted = _failing(partition.decode_posted, lambda value: b"engine-bug" in value)


if __name__ == "__main__":
    plant()
    main()
