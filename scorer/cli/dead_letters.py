"""``scorer dead-letters``: what could not be used, why, and sending it again."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections import Counter
from functools import cache, partial, wraps
from heapq import heappush, heappushpop
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from scorer.cli.options import kafka_options
from scorer.errors import UserError
from scorer.wire.dead_letters import Place, Reason, parse_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorer.broker import Broker
    from scorer.settings import Settings
    from scorer.wire.letter_topic import LetterTopic
    from scorer.wire.redrive import Again, Judge, Letter, Redrives, Selection, Tally

NEWEST = 50
NOT_ALL = 1
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,6})([smhd])").fullmatch


class Duration(click.ParamType):
    """Such as 90s, 30m, 2h or 7d; in ms."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _DURATION(value)
        if found is None:
            self.fail(f"{value!r} is no duration such as 90s, 30m, 2h or 7d", param, ctx)
        return int(found[1]) * _UNITS[found[2]] * 1000


class RecordPlace(click.ParamType):
    """As ``list`` prints it."""

    name = "record"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        if isinstance(value, Place):
            return value
        try:
            return parse_place(value)
        except ValueError:
            self.fail(f"{value!r} is no record such as activity.email.v1[2]@1234", param, ctx)


class Filters(NamedTuple):
    """What the options ask for."""

    topics: tuple[str, ...]
    reasons: tuple[str, ...]
    since: int | None

    @property
    def any(self) -> bool:
        return bool(self.topics or self.reasons or self.since is not None)


@click.group()
def command() -> None:
    """List, inspect and re-drive dead letters.

    A dead letter is a record that could not be used: its original bytes, and why and where it died.
    RECORD is what `list` prints, such as 'activity.email.v1[2]@1234': topic, partition and offset of the
    original. Put it in quotes, for the shell's sake.
    """


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    @click.option("--topic", "topics", multiple=True, metavar="TOPIC", help="Only of this topic.")
    @click.option(
        "--reason",
        "reasons",
        multiple=True,
        type=click.Choice([reason.value for reason in Reason]),
        metavar="REASON",
        help=f"Only for this reason: {', '.join(Reason)}.",
    )
    @click.option(
        "--since", type=Duration(), metavar="AGO", help="Only what died since then, such as 30m, 2h or 7d."
    )
    @wraps(function)
    def with_filters(
        *args: Any, topics: tuple[str, ...], reasons: tuple[str, ...], since: int | None, **kwargs: Any
    ) -> Any:
        return function(*args, filters=Filters(topics, reasons, since), **kwargs)

    return with_filters


# -- list ---------------------------------------------------------------------------------------------


@command.command("list")
@_filters
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the newest N.  [default: 50]")
@click.option(
    "--json", "as_json", is_flag=True, help="JSON lines with keys and values; all, without --limit."
)
@kafka_options
def list_(filters: Filters, limit: int | None, settings: Settings, *, as_json: bool) -> None:
    """List dead letters, the newest last, and count all of them by reason.

    [re-driven] marks a letter whose record has been sent again since, [died again x2] one whose record
    had been sent again twice before. With --json and no --limit they come in the order of the topic:
    partition after partition.

    The exit code is 0, also when there are none.
    """
    from scorer.broker import Broker
    from scorer.cli.letters_shown import json_line, summary, table
    from scorer.wire.letter_topic import LetterTopic

    topic = LetterTopic(Broker(settings))
    selection = _selection(filters)
    reasons: Counter[Reason] = Counter()
    if as_json and limit is None:
        redrives = _redrives(topic)
        for letter in _letters(topic, "listing", prints=True):
            if selection.takes(letter):
                reasons[letter.origin.reason] += 1
                print(json_line(letter, redrives))  # click.echo flushes every line
        shown = reasons.total()
    else:
        newest, redrives = _newest(topic, selection, limit or NEWEST, reasons, contents=as_json)
        shown = len(newest)
        if as_json:
            for letter in newest:
                print(json_line(letter, redrives))  # click.echo flushes every line
        elif newest:
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
            for line in table(newest, redrives, width):
                click.echo(line)
    for line in summary(reasons, shown, topic.strangers):
        click.echo(line, err=as_json)


def _newest(
    topic: LetterTopic, selection: Selection, limit: int, reasons: Counter[Reason], *, contents: bool
) -> tuple[list[Letter], Redrives]:
    """In one reading, in order of death; without ``contents`` their keys and values are dropped."""
    from scorer.wire.redrive import Redrives

    redrives = Redrives()
    heap: list[tuple[int, int, int, Letter]] = []
    for letter in _letters(topic, "reading", redrives):
        if not selection.takes(letter):
            continue
        reasons[letter.origin.reason] += 1
        kept = letter if contents else letter._replace(key=None, value=None)
        entry = (letter.died, letter.partition, letter.offset, kept)
        if len(heap) < limit:
            heappush(heap, entry)
        else:
            heappushpop(heap, entry)
    return [entry[-1] for entry in sorted(heap)], redrives


# -- show ---------------------------------------------------------------------------------------------


@command.command()
@click.argument("record", type=RecordPlace())
@kafka_options
def show(record: Place, settings: Settings) -> int:
    """Show one dead letter: headers, key and value, why it died and what can be done.

    Keys and values are the publisher's, and may hold what identifies a person.

    Exit code 1: there is no dead letter of that record.
    """
    from scorer.broker import Broker
    from scorer.cli.letters_shown import detailed
    from scorer.cli.progress import progress
    from scorer.wire.letter_topic import LetterTopic
    from scorer.wire.redrive import Noted, Refused

    broker = Broker(settings)
    topic = LetterTopic(broker)
    newest: Letter | None = None
    letters, notes = 0, list[Noted]()
    with progress("looking", topic.records) as moved:
        for found in topic.read(moved):
            if isinstance(found, Noted):
                if record in {found.note.place, found.note.sent}:
                    notes.append(found)
            elif found.origin.place == record:
                letters += 1
                if newest is None or newest.died <= found.died:
                    newest = found
    if newest is None:
        click.echo(f"there is no dead letter of {record}", err=True)
        return NOT_ALL
    verdict: Again | str
    try:
        verdict = _judge(broker, settings)(newest, _now())
    except Refused as refused:
        verdict = str(refused)
    for line in detailed(newest, letters, notes, verdict):
        click.echo(line)
    return 0


# -- redrive ------------------------------------------------------------------------------------------


@command.command()
@click.argument("records", nargs=-1, type=RecordPlace(), metavar="[RECORD]...")
@_filters
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Send at most N.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--again", is_flag=True, help="Also what has been re-driven before.")
@click.option("--force", is_flag=True, help="Also what intake would refuse again as it is.")
@kafka_options
def redrive(
    records: tuple[Place, ...],
    filters: Filters,
    limit: int | None,
    settings: Settings,
    *,
    dry_run: bool,
    yes: bool,
    again: bool,
    force: bool,
) -> int:
    """Send the records of dead letters again: those named, or those that the options select, or all.

    A door record goes to its door with its original key and value, and intake judges it anew. A fact of
    the lead log on which our code failed goes to the lead log again. What would be refused again is not
    sent, and why is said.

    Nothing counts twice within 24 hours: by its source and id an event is known that has counted
    already, whether it was re-driven or sent once more by its publisher. What has been re-driven is
    noted among the dead letters and not sent a second time while those are kept (30 days). With --again,
    more than 24 hours after it has counted, an event counts a second time.

    An event without a time of its own is taken to have happened when it is re-driven.

    Exit code 1: some were refused, or there is no dead letter of a RECORD.
    """
    from scorer.broker import Broker
    from scorer.cli.letters_shown import outcome, refusals
    from scorer.wire.letter_topic import LetterTopic, Sender
    from scorer.wire.redrive import redrive as send_again

    if records and filters.any:
        raise click.UsageError("name records or give --topic, --reason, --since; not both")
    if not (yes or dry_run or sys.stdin.isatty()):
        raise UserError("there is nobody to ask", hint="--dry-run says what would be sent, --yes sends it")
    broker = Broker(settings)
    topic = LetterTopic(broker)
    selection = _selection(filters, records)
    redrives = _redrives(topic)
    judge = _judge(broker, settings, force=force)

    def go_through(label: str, send: Callable[[Letter, Again, int], None]) -> Tally:
        judged = partial(judge, now=_now())
        letters = _letters(topic, label)
        return send_again(letters, selection, redrives, judged, send, again=again, limit=limit)

    if not yes:
        tally = go_through("judging", lambda *_: None)
        if dry_run or not tally.sent:
            _report([*refusals(tally), *outcome(tally, sent=False)])
            return _missing(records, tally)
        _report(outcome(tally, sent=False))
        click.confirm("send them?", abort=True)
    with Sender(broker) as sender:
        tally = go_through("sending", sender.send)
    _report([*refusals(tally), *outcome(tally, sent=True)])
    return _missing(records, tally)


def _report(lines: Iterator[str] | list[str]) -> None:
    for line in lines:
        click.echo(line)


def _missing(records: tuple[Place, ...], tally: Tally) -> int:
    """Names the records of which there is no letter; returns the exit code."""
    missing = [record for record in dict.fromkeys(records) if record not in tally.found]
    for record in missing:
        click.echo(f"there is no dead letter of {record}", err=True)
    return NOT_ALL if missing or tally.refused else 0


# -- what they share ----------------------------------------------------------------------------------


def _selection(filters: Filters, records: tuple[Place, ...] = ()) -> Selection:
    from scorer.wire.redrive import Selection

    since = None if filters.since is None else _now() - filters.since
    reasons = frozenset(map(Reason, filters.reasons))
    return Selection(frozenset(filters.topics), reasons, since, frozenset(records))


def _letters(
    topic: LetterTopic, label: str, redrives: Redrives | None = None, *, prints: bool = False
) -> Iterator[Letter]:
    """All of them; the notes in between go to ``redrives``."""
    from scorer.cli.progress import progress
    from scorer.wire.redrive import Letter

    with progress(label, topic.records, prints=prints) as moved:
        for found in topic.read(moved):
            if isinstance(found, Letter):
                yield found
            elif redrives is not None:
                redrives.add(found)


def _redrives(topic: LetterTopic) -> Redrives:
    """What has been sent again, from the notes."""
    from scorer.wire.redrive import Redrives

    redrives = Redrives()
    for _ in _letters(topic, "reading", redrives):
        pass
    return redrives


def _judge(broker: Broker, settings: Settings, *, force: bool = False) -> Judge:
    from scorer.people.told import erasures
    from scorer.wire.identity import identity_of
    from scorer.wire.redrive import Judge
    from scorer.wire.registry import Registry

    forgotten = {one.lead: one.at for one in erasures(broker)}
    counts = cache(broker.partitions)
    return Judge(Registry.load(), identity_of(settings), counts, force=force, forgotten=forgotten)


def _now() -> int:
    return int(time.time() * 1000)
