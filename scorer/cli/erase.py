"""``scorer erase``: a person is forgotten, and what is left of them."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scorer.cli.options import kafka_options
from scorer.cli.person_options import person_options, warn_of_secret
from scorer.errors import UserError

if TYPE_CHECKING:
    from scorer.people.asked import Asked
    from scorer.people.theirs import Held
    from scorer.settings import Settings

LEFT = 1


@click.command()
@person_options
@click.option("--block-return", is_flag=True, help="What comes of them later is not to count either.")
@click.option("--dry-run", is_flag=True, help="Only say who would be forgotten.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--request", metavar="NAME", help="Names the request.  [default: today and a random suffix]")
@click.option(
    "--receipt",
    "receipt_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the receipt to this file.  [default: standard output]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(1),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the workers.",
)
@click.option("--no-count", is_flag=True, help="Don't read the doors to count what they still hold.")
@click.option("--prove", is_flag=True, help="Erase nothing: look for what is left of them everywhere.")
@click.option("--text", "texts", multiple=True, metavar="TEXT", help="With --prove: a name, a phone number.")
@click.option("--json", "as_json", is_flag=True, help="With --prove: JSON.")
@kafka_options
def command(
    asked: Asked,
    settings: Settings,
    receipt_file: Path | None,
    texts: tuple[str, ...],
    request: str | None,
    timeout: float,
    **flags: bool,
) -> int:
    """Forget a person under every name, or prove that it has been done.

    Names are looked up with the deployment's secret (SCORER_LEAD_SECRET), and all that have been found to
    be the same person go with them. What was received until now counts no more, whenever it arrives; of
    what is sent from now on a new lead begins, unless --block-return is given. Consumers hear of it in
    lead.erased.v1. The receipt is JSON and names nobody.

    Waits until workers have done it. Running it again is harmless.

    --prove looks for the identifiers and every --text in all topics and in SCORER_DATA_DIR, and at what is
    kept of the leads. What was sent by publishers stays in the doors and dead letters until it expires.

    Exit code 75: asked for, but no worker has done it yet; run it again with the same --request. 1: it
    could not be done; with --prove: something is left that will not go by itself.
    """
    warn_of_secret(settings)
    if flags["prove"]:
        return _prove(asked._replace(texts=asked.texts + texts), settings, as_json=flags["as_json"])
    if texts or flags["as_json"]:
        raise click.UsageError("--text and --json belong to --prove")
    if flags["dry_run"]:
        _look(asked, settings, err=False)
        return 0
    if not flags["yes"]:
        if not sys.stdin.isatty():
            raise UserError(
                "there is nobody to ask", hint="--dry-run says who would be forgotten, --yes does it"
            )
        _look(asked, settings, err=True)
        click.confirm("forget them? It cannot be undone", abort=True, err=True)
    _erase(
        asked,
        settings,
        receipt_file,
        request,
        timeout,
        blocked=flags["block_return"],
        count=not flags["no_count"],
    )
    return 0


def _erase(
    asked: Asked,
    settings: Settings,
    receipt_file: Path | None,
    request: str | None,
    timeout: float,
    *,
    blocked: bool,
    count: bool,
) -> None:
    from scorer.broker import Broker
    from scorer.cli.progress import progress
    from scorer.people.erasing import Erasure, new_request, receipt
    from scorer.people.kept import topics
    from scorer.people.texts import Texts, texts_of
    from scorer.people.theirs import Theirs, held
    from scorer.wire.identity import identity_of

    identity = identity_of(settings)
    ids = asked.ids(identity)
    texts = Texts(texts_of(asked))
    if request is not None and texts.found(request.encode("utf-8", "surrogatepass")):
        raise UserError(
            "--request names the person", hint="it stays in the log: a ticket's number names nobody"
        )
    if receipt_file is not None:
        _check_writable(receipt_file)
    broker = Broker(settings)
    there = topics(settings)
    work = Erasure(
        settings,
        broker,
        there,
        request or new_request(time.time()),
        blocked=blocked,
        timeout=timeout,
        bar=progress,
        tell=_tell,
    )
    done = work.run(ids)
    written = receipt(done)
    if receipt_file is not None:  # it is done, whatever becomes of the counting
        receipt_file.write_text(json.dumps(written, indent=2) + "\n", "utf-8")
    still: list[Held] = []
    if count:
        try:
            still = held(broker, there.values(), Theirs(identity, done.told.keys(), texts), progress)
            written["still_held"] = [one.shown() for one in still]
        except UserError as error:
            _tell(f"what doors and dead letters still hold was not counted: {error}")
    text = json.dumps(written, indent=2)
    if receipt_file is None:
        click.echo(text)
    else:
        receipt_file.write_text(text + "\n", "utf-8")
    _tell(f"forgotten: {_leads(len(done.told))}, {done.keys} data keys deleted")
    if done.came_back:
        _tell("they have been heard of again since; that is a new beginning")
    if still:
        last = [one.gone_by for one in still]
        until = None if None in last else max(one for one in last if one is not None)
        _tell(
            f"doors and dead letters hold {sum(one.records for one in still)} records of them {_until(until)}"
        )


def _check_writable(path: Path) -> None:
    """Before anything is done that cannot be undone."""
    try:
        path.open("a").close()
    except OSError as error:
        raise UserError(f"--receipt {path}: {error.strerror}") from error


def _look(asked: Asked, settings: Settings, *, err: bool) -> None:
    """Says who would be forgotten."""
    from scorer.broker import Broker
    from scorer.cli.progress import progress
    from scorer.people.data_keys import data_keys
    from scorer.people.kept import topics
    from scorer.people.who import everybody, persons, scored
    from scorer.wire.identity import identity_of
    from scorer.wire.registry import LEAD_KEYS

    named = asked.ids(identity_of(settings))
    broker = Broker(settings)
    links = persons(broker, named, progress)
    ids = {*named, *everybody(links)}
    scores = scored(broker, ids, progress)
    keys = data_keys(broker, ids) if LEAD_KEYS in topics(settings) else {}
    for one in sorted(ids):
        said = [] if one in named else ["found"]
        if one in links and links[one].into:
            said.append(f"part of {links[one].into}")
        if one in links and links[one].members:
            said.append(f"with {len(links[one].members)} others")
        if one in scores:
            data: dict[str, Any] = scores[one]["data"]
            said.append(f"score {data['total']:g}, {data['stage']}")
        if one in named and one not in links and one not in scores:
            said.append("nothing is known of it")
        click.echo(f"{one.decode()}  {', '.join(said)}".rstrip(), err=err)
    left = sum(not key.deleted for key in keys.values())
    click.echo(f"{_leads(len(ids))} would be forgotten, {left} data keys deleted", err=err)


def _prove(asked: Asked, settings: Settings, *, as_json: bool) -> int:
    from scorer.cli.progress import progress
    from scorer.cli.proof_shown import as_dict, table
    from scorer.people.proving import prove
    from scorer.wire.identity import identity_of

    proof = prove(settings, identity_of(settings), asked, progress)
    if as_json:
        click.echo(json.dumps(as_dict(proof), indent=2))
    else:
        for line in table(proof):
            click.echo(line)
    return LEFT if proof.leftovers else 0


def _leads(count: int) -> str:
    return "1 lead" if count == 1 else f"{count} leads"


def _until(gone_by: int | None) -> str:
    from scorer.domain.outcomes import instant

    return "for ever" if gone_by is None else f"until {instant(gone_by)} at the latest"


def _tell(line: str) -> None:
    click.echo(line, err=True)
