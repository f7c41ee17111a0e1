"""``scorer topics``: the registry's topics in Kafka."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click
import msgspec

from scorer.cli.options import kafka_options
from scorer.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorer.settings import Settings
    from scorer.wire.topic_plan import Difference, Wishes


@click.group()
def command() -> None:
    """Create and check the topics.

    What they should be is said by one YAML file per topic. Nothing is ever deleted or shrunk.
    """


def _wishes(function: Callable[..., Any]) -> Callable[..., Any]:
    @click.option(
        "--partitions",
        "counts",
        multiple=True,
        metavar="TOPIC=N",
        help="Partitions of a topic, instead of the registry's default; several times for several topics.",
    )
    @click.option(
        "--replication-factor",
        type=click.IntRange(1, 32767),
        help="Replicas of every new topic.  [default: 3, or as many as there are brokers]",
    )
    @click.option(
        "--new-generation",
        multiple=True,
        metavar="TOPIC",
        help="A door that was deleted and created again on purpose; it gets new numbers.",
    )
    @wraps(function)
    def with_wishes(
        *args: Any,
        counts: tuple[str, ...],
        replication_factor: int | None,
        new_generation: tuple[str, ...],
        **kwargs: Any,
    ) -> Any:
        from scorer.wire.topic_plan import Wishes

        wishes = Wishes(partition_counts(counts), replication_factor, new_generation)
        return function(*args, wishes=wishes, **kwargs)

    return with_wishes


@command.command()
@_wishes
@kafka_options
def apply(settings: Settings, wishes: Wishes) -> None:
    """Create what is missing, put right what differs.

    May be run again at any time, also after it was interrupted. What cannot be put right (fewer
    partitions, another number of log partitions) is said before anything is changed.
    """
    from scorer.wire.registry import Registry
    from scorer.wire.topics import apply_topics

    applied = apply_topics(settings, Registry.load(), wishes, click.echo)
    if not applied.done:
        click.echo("all topics are as they should be")


@command.command()
@_wishes
@kafka_options
def diff(settings: Settings, wishes: Wishes) -> int:
    """Show what differs; exit code 1 if anything does. Changes nothing."""
    from scorer.wire.registry import Registry
    from scorer.wire.topics import diff_topics

    differences = diff_topics(settings, Registry.load(), wishes)
    if not differences:
        click.echo("all topics are as they should be")
        return 0
    click.echo(_table(differences))
    return 1


@command.command()
@click.option("--topic-prefix", metavar="TEXT", help="Put before topics' names.  [SCORER_TOPIC_PREFIX]")
def asyncapi(topic_prefix: str | None) -> None:
    """Print the topics as an AsyncAPI document: addresses, keys, schemas, examples. Asks no Kafka."""
    import os

    from scorer.settings import from_environment
    from scorer.wire.asyncapi import page
    from scorer.wire.registry import Registry

    prefix = from_environment(os.environ).topic_prefix if topic_prefix is None else topic_prefix
    click.echo(msgspec.json.format(page(Registry.load(), prefix)))


@command.command()
@click.option("--topic-prefix", metavar="TEXT", help="Put before topics' names.  [SCORER_TOPIC_PREFIX]")
@click.option(
    "--component", "names", multiple=True, metavar="NAME", help="This one; may be repeated.  [default: all]"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "kafka-acls"]),
    default="text",
    show_default=True,
    help="To read, or as commands for Kafka's own tool.",
)
@click.option(
    "--principal", metavar="TYPE:NAME", help="Whom kafka-acls allows it.  [default: User:scorer-COMPONENT]"
)
def acls(topic_prefix: str | None, names: tuple[str, ...], form: str, principal: str | None) -> None:
    """Print what each part must be allowed in Kafka: operations on topics and groups. Asks no Kafka.

    As commands, only what these settings need; BOOTSTRAP and ADMIN (a file with the administrator's client
    settings) are for the shell to fill in.
    """
    import os

    from scorer.settings import from_environment
    from scorer.wire.acls import as_commands, as_text, chosen, components
    from scorer.wire.registry import Registry

    settings = from_environment(os.environ)
    if topic_prefix is not None:
        settings = msgspec.structs.replace(settings, topic_prefix=topic_prefix)
    blocks = [
        "\n".join(
            as_text(component, settings)
            if form == "text"
            else as_commands(component, settings, principal or f"User:scorer-{component.name}")
        )
        for component in chosen(components(Registry.load(), settings.app_id), names)
    ]
    click.echo("\n\n".join(blocks))


def partition_counts(texts: tuple[str, ...]) -> dict[str, int]:
    """What --partitions was given, by topic; raises ``UserError``."""
    counts: dict[str, int] = {}
    for text in texts:
        topic, equals, number = text.partition("=")
        if not equals or not number.isdecimal() or int(number) < 1:
            raise UserError(f"--partitions {text}", hint="such as --partitions activity.page.v1=12")
        counts[topic] = int(number)
    return counts


def _table(differences: list[Difference]) -> str:
    from scorer.wire.topic_plan import Fix

    rows = [("topic", "what", "wanted", "found", "apply would")]
    for line in differences:
        verb = {Fix.CREATE: "create it", Fix.REFUSE: f"refuse: {line.hint}"}.get(
            line.fix, f"{line.fix.value} it"
        )
        rows.append((line.topic, line.what, line.wanted, line.found, verb))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    )
