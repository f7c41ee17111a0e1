"""``scorer explain``: why a lead stands where it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scorer.cli.options import kafka_options, milliseconds_of
from scorer.cli.person_options import person_options, warn_of_secret
from scorer.errors import UserError

if TYPE_CHECKING:
    from scorer.domain.explaining import Explanation
    from scorer.explain.past import Nobody
    from scorer.people.asked import Asked
    from scorer.settings import Settings

NOBODY = 1


@click.command()
@click.argument("named", nargs=-1, metavar="[LEAD]...")
@person_options
@click.option("--at", metavar="TIME", help="As of this RFC 3339 time or day.  [default: now]")
@click.option(
    "--replay",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="In recorded events (see `scorer replay`) instead of the running system.",
)
@click.option(
    "--rules",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The rule file, with --replay.",
)
@click.option(
    "--worker", metavar="URL", help="Any worker's address.  [SCORER_ADVERTISED_URL, or this machine]"
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON per lead.")
@kafka_options
def command(
    asked: Asked,
    settings: Settings,
    at: str | None,
    file: Path | None,
    rules: Path | None,
    worker: str | None,
    *,
    as_json: bool,
) -> int:
    """Show why a lead stands where it does: every line of its score, and what time alone does next.

    Any worker is asked, and answers for any lead. With --at the lead's part of the log is replayed up to
    that instant: what was known then, by the rules in force then.

    A lead that has become part of another is shown as that one. Exits with 1 where one does not exist.
    """
    from scorer.cli.explained import show
    from scorer.wire.identity import identity_of

    if rules is not None and file is None:
        raise UserError("--rules goes with --replay", hint="`scorer rules apply` puts rules in force")
    if asked.identifiers:
        warn_of_secret(settings)
    until = None if at is None else milliseconds_of("--at", at)
    ids = [lead.decode() for lead in asked.in_order(identity_of(settings))]
    if file is not None:
        found = _in_file(file, rules, until, ids)
    elif until is not None:
        found = _in_log(settings, until, ids)
    else:
        found = _in_worker(settings, worker, ids)
    shown: set[str] = set()
    missing = False
    for one in found:
        if isinstance(one, tuple):
            missing = True
            click.echo(_nobody(one), err=True)
        elif one.lead not in shown:
            shown.add(one.lead)
            show(one, as_json=as_json)
    return NOBODY if missing else 0


def _in_worker(settings: Settings, worker: str | None, ids: list[str]) -> list[Explanation | Nobody]:
    from scorer.explain.asking import explain_now
    from scorer.wire.asking import ANY_ADDRESS

    host = "127.0.0.1" if settings.metrics_host in ANY_ADDRESS else settings.metrics_host
    address = worker or settings.advertised_url or f"http://{host}:{settings.metrics_port}"
    return [explain_now(address.rstrip("/"), one) for one in ids]


def _in_log(settings: Settings, until: int, ids: list[str]) -> list[Explanation | Nobody]:
    import time

    from scorer.broker import Broker
    from scorer.cli.progress import progress
    from scorer.explain.past import Past

    if until > time.time() * 1000:
        raise UserError("--at lies in the future", hint="without --at it says what comes next")
    past = Past(Broker(settings), until, progress)
    return [past.explain(one) for one in ids]


def _in_file(file: Path, rules: Path | None, until: int | None, ids: list[str]) -> list[Explanation | Nobody]:
    from scorer.cli.progress import progress
    from scorer.cli.replay import read_input, warnings
    from scorer.explain.past import in_replay
    from scorer.replay import Replay

    replay = Replay() if until is None else Replay(until=until)
    with file.open("rb") as source, progress("replaying", file.stat().st_size, size=True) as moved:
        read = read_input(source, rules, None, moved)
        for _ in replay.run(read.batches):
            pass
    for line in warnings(replay, read):
        click.echo(line, err=True)
    return [in_replay(replay, one, until) for one in ids]


def _nobody(one: Nobody) -> str:
    if one.forgotten:
        return f"{one.lead}: forgotten at {one.forgotten}, as the person asked"
    return f"{one.lead}: there is no such lead"
