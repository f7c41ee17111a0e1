"""The collector: does it take what publishers send, how fast, and whom does it refuse."""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards import Board, Row
from deploy.grafana.expressions import Scope, or_nothing, or_zero
from deploy.grafana.parts import BAD, COUNT, GOOD, MIND, Graph, Tile

of: Final = Scope("job", "instance")
EVENTS, REQUESTS = "scorer_collector_events_total", "scorer_collector_requests_total"
TAKES = "scorer_collector_acknowledged_seconds"
_taken: Final = f"sum (increase({of(EVENTS, outcome='accepted')}[$__range]))"
_answered: Final = f"sum (increase({of(EVENTS, outcome='~accepted|unknown')}[$__range]))"
_every: Final = f"sum (increase({of(REQUESTS)}[$__range]))"
_full: Final = f"max ({of('scorer_collector_pending_bytes')} / {of('scorer_collector_buffer_bytes')})"

NOW: Final = (
    Tile(
        title="Processes that take events",
        say="Of all collectors chosen. 0: nobody takes anything; publishers are told to come again.",
        query=of.total("sum", "scorer_collector_ready_processes"),
        name="ready",
        unit="short",
        steps=((None, BAD), (1, GOOD)),
        decimals=0,
        nobody="no collector",
    ),
    Tile(
        title="Events taken",
        say="Events a second that Kafka has acknowledged. Red: none.",
        query=or_zero(of.rate(EVENTS, outcome="accepted"), of.collectors),
        name="events a second",
        unit="eps",
        steps=((None, BAD), (0.001, GOOD)),
        nobody="no collector",
    ),
    Tile(
        title="Taken for certain",
        say="Share of good events in this time range that were taken. The rest was told to come again"
        " (503), which SDKs do. The promise is 99.95%.",
        query=f"{_taken} / ({_answered} > 0) or {of.collectors} + 1",
        name="taken",
        unit="percentunit",
        steps=((None, BAD), (0.99, MIND), (0.9995, GOOD)),
        decimals=2,
        nobody="no collector",
    ),
    Tile(
        title="Requests refused",
        say="Share of requests in this time range that were answered with 4xx: wrong keys, wrong bodies,"
        " too many at once. A publisher has to change something; the graph of reasons says what.",
        query=or_zero(f"{of.gained(REQUESTS, status='~4..')} / ({_every} > 0)", of.collectors),
        name="refused",
        unit="percentunit",
        steps=((None, GOOD), (0.05, MIND), (0.5, BAD)),
        nobody="no collector",
    ),
    Tile(
        title="99% answered within",
        say="From a request's head until its answer is handed to the connection, all kinds of keys together.",
        query=f"({of.quantile(0.99, 'scorer_collector_request_seconds')} >= 0) or {of.collectors}",
        name="answered within",
        unit="s",
        steps=((None, GOOD), (0.5, MIND), (2, BAD)),
        nobody="no collector",
    ),
    Tile(
        title="Buffer in use",
        say="What is taken and not yet acknowledged by Kafka, as a share of what may be. At 100% requests"
        " are answered with 503: Kafka is slow or gone.",
        query=_full,
        name="in use",
        unit="percentunit",
        steps=((None, GOOD), (0.5, MIND), (0.9, BAD)),
        decimals=0,
        nobody="no collector",
    ),
)
TRAFFIC: Final = (
    Graph(
        title="Events taken, by publisher's key",
        say="Events a second that Kafka has acknowledged. A colour that ends is a publisher that has fallen"
        " silent.",
        queries={
            "{{key}}": or_nothing(of.rate(EVENTS, by=("key",), outcome="accepted"), of.collectors, "key")
        },
        unit="eps",
        stack=True,
    ),
    Graph(
        title="Events not taken, by reason",
        say="Events in each interval that were refused, and unknown: those answered with 503, which may or"
        " may not be there; whoever sends them again does no harm.",
        queries={
            "{{outcome}}": or_nothing(
                of.gained(EVENTS, by=("outcome",), over="$__interval", outcome="!accepted"),
                of.collectors,
                "outcome",
            )
        },
        unit=COUNT,
        bars=True,
        stack=True,
        fastest="1m",
    ),
    Graph(
        title="Requests, by status",
        say="Requests a second. 2xx taken, 4xx refused, 503 come again.",
        queries={"{{status}}": or_nothing(of.rate(REQUESTS, by=("status",)), of.collectors, "status")},
        unit="reqps",
        stack=True,
    ),
    Graph(
        title="Requests refused, by code",
        say="Requests refused as a whole in each interval, by the code that the answer names"
        " (docs/collector.md).",
        queries={
            "{{code}}": or_nothing(
                of.gained("scorer_collector_refused_requests_total", by=("code",), over="$__interval"),
                of.collectors,
                "code",
            )
        },
        unit=COUNT,
        bars=True,
        stack=True,
        fastest="1m",
    ),
)
SPEED: Final = (
    Graph(
        title="Answered within, by kind of key",
        say="99 of 100 requests, from a request's head until its answer; - are requests without one of our"
        " keys.",
        queries={
            "{{source}}": of.quantile(0.99, "scorer_collector_request_seconds", ("source",)),
        },
        unit="s",
        log=True,
    ),
    Graph(
        title="Kafka's acknowledgement",
        say="From taking an event until Kafka has it, of a sample. Requests wait for it, so it is most of"
        " the time that answers take.",
        queries={
            "99%": of.quantile(0.99, TAKES),
            "50%": of.quantile(0.5, TAKES),
        },
        unit="s",
        log=True,
    ),
    Graph(
        title="Not yet acknowledged",
        say="Bytes taken and not yet acknowledged by Kafka, and the most that may be. Where they meet,"
        " requests are answered with 503.",
        queries={
            "waiting": of.total("sum", "scorer_collector_pending_bytes"),
            "at most": of.total("sum", "scorer_collector_buffer_bytes"),
        },
        unit="bytes",
        colors={"at most": BAD},
    ),
    Graph(
        title="Connections",
        say="Open connections of clients, by collector. Much more at one than at the others: a balancer"
        " that keeps clients where they are.",
        queries={"{{instance}}": of.total("sum", "scorer_collector_connections", ("instance",))},
        unit="short",
    ),
)
SEALED: Final = (
    Graph(
        title="Keys made",
        say="Keys in each interval that were made to seal what identifies a person (docs/identity.md): one"
        " for a lead of whom nothing was sealed before. Many at once slow a collector down.",
        queries={
            "keys": of.gained("scorer_collector_lead_keys_total", over="$__interval"),
        },
        unit=COUNT,
        bars=True,
        fastest="1m",
    ),
)
BOARD: Final = Board(
    uid="scorer-collector",
    title="Scorer: collector",
    say="Whether publishers get their events in over HTTP, how fast, and who is refused and why.",
    since="now-1h",
    instances="scorer_collector_ready_processes",
    rows=(Row("Now", NOW), Row("What comes", TRAFFIC), Row("How fast", SPEED), Row("Sealed fields", SEALED)),
)
