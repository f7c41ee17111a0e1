"""``scorer insights``: what marketers and operations ask of the outcomes."""

from __future__ import annotations

import logging
import os
import time
from contextlib import closing
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scorer import logs
from scorer.cli.options import kafka_options
from scorer.errors import UserError
from scorer.settings import from_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorer.insights.feed import Fed, Feed
    from scorer.settings import Settings

log = logging.getLogger(__name__)

NO_LEAD = 1
_UNITS = ("day", "week", "month", "quarter")


@click.group()
def command() -> None:
    """Count what has become of leads: by product, segment and source, and by day, week, month, quarter.

    The figures come from one SQLite file, which `update` keeps up with Kafka. What they mean, and where a
    product, segment or source is from: docs/insights.md.
    """


_db = click.option(
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The file of insights.",
)


def _question(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds what is asked for; the command gets ``words`` as in an HTTP query."""

    @click.option("--by", type=click.Choice(_UNITS), default="month", show_default=True, help="The periods.")
    @click.option("--product", is_flag=True, help="By product.")
    @click.option("--segment", is_flag=True, help="By segment.")
    @click.option("--source", is_flag=True, help="By source.")
    @click.option("--from", "first", metavar="DAY", help="From this day on, such as 2026-11-01.")
    @click.option("--to", "last", metavar="DAY", help="Up to this day, and with it.")
    @click.option("--time-zone", metavar="ZONE", help="IANA name.  [default: of the rules last in force]")
    @wraps(function)
    def with_words(
        *args: Any,
        by: str,
        product: bool,
        segment: bool,
        source: bool,
        first: str | None,
        last: str | None,
        time_zone: str | None,
        **kwargs: Any,
    ) -> Any:
        chosen = {"product": product, "segment": segment, "source": source}
        groups = [name for name, wanted in chosen.items() if wanted]
        if len(groups) > 1:
            raise click.UsageError("one of --product, --segment and --source at a time")
        group = groups[0] if groups else None
        given = {"by": by, "group": group, "from": first, "to": last, "time_zone": time_zone}
        words = {word: value for word, value in given.items() if value is not None}
        return function(*args, words=words, **kwargs)

    return with_words


# -- what fills the file ------------------------------------------------------------------------------


@command.command()
@_db
@click.option("--follow", is_flag=True, help="Go on reading, until Ctrl-C.")
@click.option(
    "--every",
    type=click.FloatRange(0.1, 3600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look, with --follow.",
)
@kafka_options
def update(db: Path, every: float, settings: Settings, *, follow: bool) -> None:
    """Read what is new in the outcome topics and the lead log, up to where they end now.

    Every outcome counts once, however often it is read; this may be interrupted at any moment and run again.
    """
    from scorer.broker import Broker
    from scorer.cli.progress import progress
    from scorer.insights.feed import Feed
    from scorer.insights.store import Store

    with Store.open(db, os.urandom(16)) as store:
        feed = Feed(Broker(settings), store)
        stretches = feed.new()
        records = sum(one.wanted.end - one.wanted.start for one in stretches)
        with progress("reading", records) as moved:
            fed = feed.update(moved, stretches)
        _tell(fed)
        if follow:
            logs.set_up("insights", settings.log_format, settings.log_level)
            logs.log_start("insights update", settings)
            _follow(feed, every)


def _tell(fed: Fed) -> None:
    click.echo(f"{fed.records:,} records read", err=True)
    for topic, partition, count in fed.gone:
        click.echo(
            f"{topic} partition {partition}: its first {count:,} records have expired and are not counted",
            err=True,
        )


def _follow(feed: Feed, every: float) -> None:
    import signal

    # As Ctrl-C: the transaction that is open is rolled back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while True:
            time.sleep(every)
            for topic, partition, count in feed.update().gone:
                log.warning(
                    "%s partition %d: %d records have expired unread and are not counted",
                    topic,
                    partition,
                    count,
                    extra={"topic": topic, "partition": partition, "records": count},
                )
    except KeyboardInterrupt:
        log.info("stopped")


@command.command()
@_db
@click.option(
    "--export",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Of an export of the lead log (`scorer log export`) instead of Kafka's.",
)
@kafka_options
def rebuild(db: Path, file: Path | None, settings: Settings) -> None:
    """Make the file anew from the lead log, by replaying it; it takes the old one's place when complete.

    The outcomes are those that the workers have sent; `update` goes on from there.
    """
    from scorer.cli.progress import progress
    from scorer.cli.replay import Input, export_notes, warnings
    from scorer.insights.rebuild import rebuild as build
    from scorer.replay.sources import BadLines, ExportSource, is_export, lines_of

    bad = BadLines()
    source = ExportSource(bad)
    if file is None:
        from scorer.broker import Broker
        from scorer.log_export import Export

        export = Export(Broker(settings))
        with progress("replaying", export.records) as moved:
            replay = build(db, source.batches(export.lines(moved), lambda _: None), os.urandom(16))
    else:
        with file.open("rb") as lines, progress("replaying", file.stat().st_size, size=True) as moved:
            if not is_export(lines.readline()):
                raise UserError(f"{file} is no export of the lead log", hint="`scorer log export` makes one")
            lines.seek(0)
            replay = build(db, source.batches(lines_of(lines), moved), os.urandom(16))
    click.echo(f"{replay.records:,} records, {replay.leads:,} leads", err=True)
    for line in warnings(replay, Input(iter(()), bad, lambda: export_notes(source, None))):
        click.echo(line, err=True)


# -- what is asked of it ------------------------------------------------------------------------------


@command.command()
@_db
@_question
@click.option("--json", "as_json", is_flag=True, help="All figures as one JSON object.")
def show(db: Path, words: dict[str, str], *, as_json: bool) -> None:
    """Show what happened to leads, who stands where, how long they stay, and who became a customer."""
    from scorer.insights.asking import answers
    from scorer.insights.files import read_only

    with closing(read_only(db)) as connection:
        figures = _asked(db, lambda: answers(connection, words, _now()))
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(figures, order="sorted"))
        return
    from scorer.cli.insights_shown import show as show_all

    show_all(figures["volume"], figures["pipeline"], figures["stages"], figures["cohorts"])


@command.command("lead")
@_db
@click.argument("lead")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def lead_(db: Path, lead: str, *, as_json: bool) -> int:
    """Show what has been told of one lead, and of those that have become part of it.

    Exits with 1 where nothing is known of it.
    """
    from scorer.insights.files import read_only
    from scorer.insights.timeline import forgotten, timeline

    with closing(read_only(db)) as connection:
        found = _asked(db, lambda: timeline(connection, lead))
        if found is None:
            gone = forgotten(connection, lead)
            click.echo(f"{lead}: " + ("forgotten" if gone else "there is no such lead"), err=True)
            return NO_LEAD
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(found))
        return 0
    from scorer.cli.insights_shown import show_lead

    show_lead(found)
    return 0


@command.command()
@_db
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=9465, show_default=True, help="0: a free one.")
def serve(db: Path, host: str, port: int) -> None:
    """Serve the figures over HTTP as JSON, for reading only; until Ctrl-C.

    /insights/volume, /insights/pipeline, /insights/stages, /insights/cohorts and /insights/leads/ID. Whoever
    reaches the port can read them: keep it inside.
    """
    from scorer.insights.files import read_only
    from scorer.insights.serving import Answers, server

    settings = from_environment(os.environ)
    logs.set_up("insights", settings.log_format, settings.log_level)
    read_only(db).close()
    with server(Answers(db), host, port) as running:
        where = {"host": host, "port": running.server_port}
        log.info("listening on http://%s:%d/insights/volume", *where.values(), extra=where)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            log.info("stopped")


@command.command()
@_db
@_question
@click.option(
    "--html",
    "out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    metavar="FILE",
    help="The page to write.",
)
def report(db: Path, words: dict[str, str], out: Path) -> None:
    """Write the figures as one HTML page with charts that needs nothing else: no script, no network."""
    from scorer.insights.files import read_only
    from scorer.insights.report import page

    with closing(read_only(db)) as connection:
        text = _asked(db, lambda: page(connection, words, _now()))
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{out}: {error.strerror}") from error
    click.echo(f"{out} written", err=True)


def _asked(db: Path, question: Callable[[], Any]) -> Any:
    import sqlite3

    from scorer.insights.files import refused

    try:
        return question()
    except ValueError as error:
        raise UserError(str(error)) from error
    except sqlite3.Error as error:
        raise refused(db, error) from error


def _now() -> int:
    return int(time.time() * 1000)
