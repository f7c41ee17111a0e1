"""A migration from beginning to end.

1. look whether the old installation is at rest; name everything that is not
2. make the topics of the new one, which nobody uses before the last step
3. carry over rules, states, views, keys, and cuts behind them
4. close the old log, and make sure that nothing has come since 1
5. say in the old place where it is now; then open the new one

Whatever ends a run, the next one begins anew, until the old place says where the log is: then it opens the
new one. Until 4 is done the old installation is as it was; between 4 and 5 only its log is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scorer.errors import UserError
from scorer.migration.closing import closed
from scorer.migration.copying import Carried, carry_over
from scorer.migration.settled import Obstacle, look, members, refuse, unread
from scorer.migration.target import arrived, copy_rules, make_ready, open_for_use
from scorer.wire.moved import MOVED_TO, encode_place
from scorer.wire.registry import LOG, RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scorer.migration.copying import Bar
    from scorer.migration.settled import Source
    from scorer.settings import Settings
    from scorer.wire.moved import Place
    from scorer.wire.registry import Registry


class Migrated(NamedTuple):
    place: Place
    carried: Carried | None
    """None: it had been done before."""
    partitions: int
    """Of the log, now."""


def check(old: Settings, new: Settings, registry: Registry) -> None:
    """Raises ``UserError`` with all that stands in the way; changes nothing."""
    _refuse_other_secret(old, new)
    source = look(old, registry)
    _, is_open = arrived(source, new, registry)
    if not is_open:
        refuse(source.obstacles, "not yet:")


def migrate(
    old: Settings,
    new: Settings,
    registry: Registry,
    counts: Mapping[str, int],
    bar: Bar,
    tell: Callable[[str], None],
) -> Migrated:
    """``counts``: partitions by topic, as of `scorer topics apply`; ``bar``: see ``scorer.cli.progress``.

    Raises ``UserError``.
    """
    _refuse_other_secret(old, new)
    source = look(old, registry)
    before = source.rules.marks.moved_to
    place, is_open = arrived(source, new, registry)
    if before is not None:
        if before.log != place.log:
            raise UserError(f"the lead log has been moved to {before}", exit_code=1)
        if not is_open:
            open_for_use(source, new)
        return Migrated(place, None, 0)
    refuse(source.obstacles, "nothing was changed, because something is still under way:")
    target = make_ready(source, new, registry, counts, tell)
    copy_rules(source, target)
    carried = carry_over(source, target, bar)
    with closed(source, registry) as taken:
        _nothing_has_come(source, taken)
    _say_where(source, target.place)
    open_for_use(source, new)
    return Migrated(target.place, carried, len(target.starts))


def _refuse_other_secret(old: Settings, new: Settings) -> None:
    if old.lead_secret != new.lead_secret:
        raise UserError(
            "the new place has another SCORER_LEAD_SECRET: everybody would be somebody else there",
            hint="give it the same; nothing was changed",
        )


def _say_where(source: Source, place: Place) -> None:
    with source.broker.writer() as writer:
        writer.append(RULES, 0, MOVED_TO, encode_place(place))


def _nothing_has_come(source: Source, taken: Mapping[int, int]) -> None:
    """``taken``: records of ours that the log has got since it was found at rest."""
    late = [
        str(number)
        for number, (_, end) in source.broker.ranges(LOG).items()
        if end - taken[number] != source.ends[number]
    ]
    obstacles = [
        *members(source.settings, source.cluster),
        *unread(source.broker, source.settings, source.doors),
    ]
    if late:
        hint = "stop workers and collectors; what has come is scored by `scorer worker --only score`"
        obstacles.append(Obstacle(f"written to meanwhile: the lead log's partition {', '.join(late)}", hint))
    refuse(obstacles, "the old installation is as it was, and goes on:")
