"""PromQL in the few forms that the dashboards need.

Every query names the jobs that the dashboard is set to and ends in an aggregation, so that it means the same
with one worker and with fifty. A metric that is empty in good health counts as 0 *where somebody answers*:
without anybody who does there is no data, and a tile says so in red. So nothing looks well because nobody
looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

BETWEEN: Final = "$__rate_interval"
"""Grafana's: wide enough for a rate at any zoom."""
RANGE: Final = "$__range"
"""Grafana's: all that the dashboard shows."""
STEP: Final = "$__interval"
"""Grafana's: from one point of a graph to the next."""
DAY: Final = "1d"
LOOKBACK: Final = "1h"
"""Prometheus may have been gone for so long without a series being taken for a new one."""

NOTHING: Final = "nothing"
"""Name of the series that is there where there is none."""
Names = Sequence[str]


class Scope:
    """What a dashboard is set to look at."""

    def __init__(self, *variables: str) -> None:
        """``variables``: labels that are variables of the dashboard too."""
        self._matchers = [f'{name}=~"${name}"' for name in variables]

    def __call__(self, metric: str, **labels: str) -> str:
        """A selector. A value may begin with ``!``, for all but it, ``~`` for a pattern, or both."""
        told = [*self._matchers, *(_matcher(name, value) for name, value in labels.items())]
        return f"{metric}{{{','.join(told)}}}"

    def rate(self, *metrics: str, by: Names = (), **labels: str) -> str:
        """Counters' growth a second, summed over all of the metrics."""
        rates = " or ".join(f"rate({self(one, **labels)}[{BETWEEN}])" for one in metrics)
        return f"{aggregated('sum', by)} ({rates})"

    def gained(self, *metrics: str, by: Names = (), over: str = RANGE, **labels: str) -> str:
        """How much counters have grown, the first event of a series included.

        A series begins with its first event, so it never grows from 0 to 1, and `increase` sees nothing of
        that. The smallest value of a series that is new in ``over`` is what it began with.
        """
        chosen = [self(one, **labels) for one in metrics]
        grown = " or ".join(f"increase({one}[{over}])" for one in chosen)
        begun = " or ".join(
            f"(min_over_time({one}[{over}]) unless last_over_time({one}[{LOOKBACK}] offset {over}))"
            for one in chosen
        )
        a, b = f"{aggregated('sum', by)} ({grown})", f"{aggregated('sum', by)} ({begun})"
        return f"({a} + {b} or {a} or {b})"

    def quantile(self, quantile: float, histogram: str, by: Names = ()) -> str:
        """In the histogram's unit; nothing while nothing is observed."""
        rate = f"rate({self(histogram + '_bucket')}[{BETWEEN}])"
        return f"histogram_quantile({quantile:g}, {aggregated('sum', ('le', *by))} ({rate}))"

    def within(self, histogram: str, bound: str, alive: str, over: str = RANGE) -> str:
        """Share of observations up to a bucket's bound; 1 where there were none and somebody answers."""
        within = f"sum (increase({self(histogram + '_bucket', le=bound)}[{over}]))"
        every = f"sum (increase({self(histogram + '_count')}[{over}]))"
        return f"{within} / ({every} > 0) or {alive} + 1"

    def age(self, instants: str, how: str = "max", by: Names = (), **labels: str) -> str:
        """Seconds from gauges that hold an instant (Unix) until they were asked; 0: none is known."""
        one = self(instants, **labels)
        return f"{aggregated(how, by)} (timestamp({one}) - ({one} > 0))"

    def total(self, how: str, metric: str, by: Names = (), **labels: str) -> str:
        """Gauges, aggregated: sum, max, min, count..."""
        return f"{aggregated(how, by)} ({self(metric, **labels)})"

    @property
    def workers(self) -> str:
        """0 where a worker answers, else nothing."""
        return f"0 * {self.total('sum', 'scorer_worker_ready')}"

    @property
    def collectors(self) -> str:
        """0 where a collector answers, else nothing."""
        return f"0 * {self.total('sum', 'scorer_collector_ready_processes')}"


def aggregated(how: str, by: Names = ()) -> str:
    return f"{how} by ({', '.join(by)})" if by else how


def or_zero(query: str, alive: str) -> str:
    """0 where there is nothing to count and somebody answers."""
    return f"{query} or {alive}"


def or_nothing(query: str, alive: str, label: str, name: str = NOTHING) -> str:
    """For a query by a label: one series at 0, so named, where there is nothing and somebody answers."""
    return f'{query} or on () label_replace({alive}, "{label}", "{name}", "", "")'


def _matcher(name: str, value: str) -> str:
    for mark, sign in (("!~", "!~"), ("!", "!="), ("~", "=~")):
        if value.startswith(mark):
            return f'{name}{sign}"{value.removeprefix(mark)}"'
    return f'{name}="{value}"'
