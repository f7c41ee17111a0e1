"""``scorer demo``: the whole road, live."""

from __future__ import annotations

import re
import time

import click

from scorer.cli.options import default_rules, kafka_settings

STARTED = time.monotonic()
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType):
    """Seconds, written as 90, 90s, 2m or 1h."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value).strip())
        if match is None or not (seconds := float(match[1]) * SECONDS[match[2]]):
            self.fail(f"{value!r} is no duration like 60s, 2m or 1h", param, ctx)
        return seconds


@click.command()
@click.option(
    "--for", "seconds", type=Duration(), default="60s", show_default=True, help="How long events come in."
)
@click.option(
    "--kafka", is_flag=True, help="On a real Apache Kafka, fetched and started for it (needs Maven)."
)
@click.option(
    "--bootstrap", metavar="HOST:PORT", help="On your Kafka, in topics of its own that are removed after."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another number, another story.")
@click.option(
    "--speed", type=click.FloatRange(0.1, 20), default=1.0, show_default=True, help="Of the events."
)
def command(seconds: float, bootstrap: str | None, seed: int, speed: float, *, kafka: bool) -> None:
    """Watch invented leads travel the whole road, live.

    A broker, the topics, the rules of rules/default.yaml, a worker, a collector, and a generator of
    believable leads that sends as real publishers do: SDKs, webhooks, pixels. And a page on which you are a
    lead yourself and see your own score move; its address is shown.

    The broker is part of this process unless --kafka or --bootstrap says otherwise. Ends by itself, but
    not while the page is open, or with Ctrl-C, and leaves nothing running and no files.
    """
    if kafka and bootstrap:
        raise click.UsageError("--kafka starts a Kafka, --bootstrap names one: choose")
    from scorer.demo.run import Options, run

    given = None if bootstrap is None else kafka_settings(bootstrap=bootstrap)
    run(Options(seconds, default_rules(), kafka=kafka, given=given, seed=seed, speed=speed), STARTED)
