"""``scorer dev``: what a developer's machine needs."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from scorer.errors import UserError


@click.group()
def command() -> None:
    """A real Kafka for development: fetched once, run on this machine, nothing else to set up."""


@command.command()
@click.option(
    "--nodes", type=click.Choice(["1", "3"]), default="1", show_default=True, help="How many brokers."
)
@click.option(
    "--port",
    type=click.IntRange(1024, 65532),
    help="The first broker's port; the others take the next ones.  [default: a free one]",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the data in this folder, and go on with what is in it.",
)
@click.option("--fetch", is_flag=True, help="Only fetch what is missing, then end.")
def kafka(nodes: str, port: int | None, keep: Path | None, *, fetch: bool) -> None:
    """Run Apache Kafka until Ctrl-C and print its address.

    Its data is temporary unless --keep names a folder. Topics are not created by use: see
    `scorer topics apply`.
    """
    from scorer.dev.artifacts import kafka_home
    from scorer.dev.kafka import KafkaCluster

    def tell(line: str) -> None:
        click.echo(line, err=True)

    if fetch:
        kafka_home(tell)
        return
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with KafkaCluster(int(nodes), port=port, keep=keep, tell=tell) as cluster:
        click.echo(f"SCORER_BOOTSTRAP={cluster.bootstrap}")
        tell("Kafka is ready; Ctrl-C stops it" + ("" if keep else " and removes its data"))
        while not stop.wait(0.5):
            if ended := cluster.ended():
                words = cluster.log(ended[0]).splitlines()[-1:] or ["it said nothing"]
                raise UserError(f"Kafka node {ended[0]} ended by itself: {words[0]}", exit_code=1)
