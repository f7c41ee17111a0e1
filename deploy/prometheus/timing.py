"""How long everything has to last before somebody is told; shorter for a run that does not take days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_UNITS: Final = ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (1, "s"))


@dataclass(frozen=True, kw_only=True)
class Window:
    """One pair of windows of a burn rate (Google's SRE workbook, "Alerting on SLOs", chapter 5).

    Both have to be above the rate: the long one, so that enough of the budget is gone to be worth
    somebody's time; the short one, so that the alert ends soon after the trouble does.
    """

    name: str
    """Of the long one in the names of recorded series, whatever it is shortened to."""
    long: int
    """Seconds."""
    short_name: str
    short: int
    rate: float
    """How many times faster than planned the budget is used up."""
    budget: float = 1.0
    """How many times the error budget counts."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds, unless it says otherwise. As in production; ``shortened`` makes others."""

    fast: Window = Window(name="1h", long=HOUR, short_name="5m", short=5 * MINUTE, rate=14.4)
    """2% of a month's budget in an hour."""
    medium: Window = Window(name="6h", long=6 * HOUR, short_name="30m", short=30 * MINUTE, rate=6)
    """5% of it in six hours."""
    slow: Window = Window(name="3d", long=3 * DAY, short_name="6h", short=6 * HOUR, rate=1)
    """10% of it in three days."""
    page_after: int = MINUTE
    """A cause holds for so long before it pages: longer than a scrape that failed, and a rebalance."""
    gone_after: int = 2 * MINUTE
    """Without an owner, a worker or a collector. Twelve session timeouts: others have taken over long
    before."""
    ticket_after: int = 5 * MINUTE
    quiet_ticket_after: int = 15 * MINUTE
    """What mends itself in most cases, such as a rule change that is on its way or a start."""
    still: int = 2 * MINUTE
    """A clock that has not moved for so long stands. It moves every second."""
    behind: int = MINUTE
    """It has to be behind by so much, too: twelve times what timers may be late."""
    silent: int = MINUTE
    """Without one acknowledgement of Kafka, while clock records go out each second."""
    recovery: int = 2 * MINUTE
    """After Kafka's silence. A broker that is back takes some ten seconds until all is on its way again."""
    durable: int = 2 * MINUTE
    """Since a checkpoint. They come each second, every third while there is a backlog."""
    restore_still: int = 2 * MINUTE
    restore_slow: int = 30 * MINUTE
    """270 million leads at the 150,000 a second that a restore must do."""
    share: int = 15 * MINUTE
    """Over which dead letters and faults are counted."""
    lag: int = 10 * MINUTE
    """Of what waits to be read: with less, nobody needs to know."""
    lag_slope: int = 30 * MINUTE
    """Over which it is seen whether a lag falls."""
    expiry_slope: int = HOUR
    expiry_warning: int = DAY
    """Before records are deleted that nobody has read."""
    slot: int = 30 * MINUTE
    """Of a source's habits: none in it, and always some at this time of day, is silence."""
    day: int = DAY
    week: int = 7 * DAY
    read_lately: int = 5 * MINUTE
    """A door that has been read through less long ago holds nothing more: it is the source that is
    silent."""


PRODUCTION: Final = Timing()


def shortened(times: float, floor: int = 10, history: int = 150) -> Timing:
    """Everything so many times shorter, and nothing shorter than ``floor`` but windows of burn rates.

    The error budget grows as the windows shrink, so that as many seconds of outage fire as in production:
    52 of lateness page in an hour, and in the minute that stands for it. A window that is longer than the
    ``history`` (seconds) that there is has only that much in it, and its budget grows accordingly. Days
    can't be shortened so far that a run of minutes has seven of them; they become so many slots.
    """

    def less(seconds: int) -> int:
        return max(floor, round(seconds / times))

    def window(of: Window) -> Window:
        long = max(2, round(of.long / times))
        return Window(
            name=of.name,
            long=long,
            short_name=of.short_name,
            short=max(5, round(of.short / times)),
            rate=of.rate,
            budget=times * max(1.0, long / history),
        )

    usual = PRODUCTION
    return Timing(
        fast=window(usual.fast),
        medium=window(usual.medium),
        slow=window(usual.slow),
        page_after=less(usual.page_after) // 2,
        gone_after=less(usual.gone_after) * 2,
        ticket_after=less(usual.ticket_after) // 2,
        quiet_ticket_after=less(usual.quiet_ticket_after),
        still=less(usual.still),
        behind=less(usual.behind),
        silent=less(usual.silent),
        recovery=less(usual.recovery) * 3,
        durable=less(usual.durable) * 2,
        restore_still=less(usual.restore_still),
        restore_slow=less(usual.restore_slow),
        share=less(usual.share),
        lag=less(usual.lag),
        lag_slope=less(usual.lag_slope),
        expiry_slope=less(usual.expiry_slope),
        expiry_warning=less(usual.expiry_warning),
        slot=floor,
        day=2 * floor,
        week=6 * floor,
        read_lately=less(usual.read_lately),
    )


def text(seconds: int) -> str:
    """As Prometheus writes a duration: 90 is 90s, 3600 is 1h."""
    for size, unit in _UNITS:
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    raise AssertionError("a second is a whole number of seconds")
