"""Rule files and stories, by the hundred thousand.

The engine runs by the text of the file, the oracle by what the file was written from.
``python -m tests.property.pairs --pairs 100000`` runs on all processors, shows how far it is, and announces
the figure ``oracle_pairs_agreed``. A pair counts when its file has at least five rules of three kinds, and
its story twenty records and an outcome. Seeds that have once disagreed are kept in ``seeds.txt`` and run
with the tests.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scorer.domain.model import Model
from scorer.rulefile import loads, render
from tests.bench.figures import report, tell
from tests.property.cases import Case
from tests.property.compare import Verdict, disagreements, told_by_oracle
from tests.property.dice import seeded
from tests.property.models import draw_model, draw_scale
from tests.property.stories import draw_story
from tests.property.written import written
from tests.reference.crossing import NearTieError
from tests.reference.log import About, Entry, InForce

SEEDS = Path(__file__).with_name("seeds.txt")
RULES, KINDS, RECORDS = 5, 3, 20
"""What a pair has at least."""
BATCH = 50
"""Seeds a process is given at a time."""


class Pair(NamedTuple):
    text: str
    """The rule file."""
    wanted: list[Entry]
    """The log with the model that the file was written from."""
    case: Case
    """The log with the model that was read from it."""


def draw_pair(seed: int) -> Pair:
    """Raises ``AssertionError`` where the file has mistakes: all that are drawn here are good."""
    dice = seeded(seed)
    scale = draw_scale(dice, writable=True, rich=True)
    model = draw_model(dice, scale)
    text = written(model)
    loaded = loads(text, f"seed-{seed}.yaml")
    assert loaded.model is not None, text + render(loaded.diagnostics)
    log = draw_story(dice, scale, model, imports=dice.chance(30), least=RECORDS)
    read: list[Entry] = [
        InForce(entry.version, loaded.model) if isinstance(entry, InForce) else entry for entry in log
    ]
    cuts = sorted(dice.number(1, len(log)) for _ in range(dice.number(0, 3)))
    return Pair(text, log, Case(read, cuts, restart=dice.chance(50), sweep=dice.chance(50)))


def judge(pair: Pair) -> Verdict:
    """Raises ``NearTieError`` where doubles can't decide."""
    oracle = told_by_oracle(pair.wanted)
    return Verdict(oracle, disagreements(oracle, pair.case.run()))


def counts(pair: Pair, verdict: Verdict) -> bool:
    """The pair is as large as one has to be."""
    model = next(entry.model for entry in pair.wanted if isinstance(entry, InForce))
    sizes = kinds(model)
    facts = sum(isinstance(entry, About) for entry in pair.wanted)
    enough = sum(sizes) >= RULES and sum(size > 0 for size in sizes) >= KINDS
    return enough and facts >= RECORDS and bool(verdict.oracle.outcomes)


def kinds(model: Model) -> list[int]:
    """How many rules there are of each kind."""
    return [
        len(model.awards),
        len(model.standings),
        len(model.segments),
        len(model.disqualifications),
        len(model.moves),
        len(model.follow_ups),
    ]


def kept_seeds() -> list[int]:
    """Seeds that have disagreed once."""
    lines = SEEDS.read_text("utf-8").splitlines()
    return [int(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]


def look(first: int) -> tuple[Counter[str], list[int]]:
    """A batch of seeds: what came of them, and those that disagree."""
    seen: Counter[str] = Counter()
    wrong: list[int] = []
    for seed in range(first, first + BATCH):
        try:
            pair = draw_pair(seed)
            verdict = judge(pair)
        except NearTieError:
            seen["near a tie"] += 1
            continue
        except Exception as error:  # noqa: BLE001 - whatever is raised is a finding
            tell(f"seed {seed}: {error!r}")
            seen["disagree"] += 1
            wrong.append(seed)
            continue
        if verdict.found:
            tell(f"seed {seed}: {verdict.found[0]}")
            seen["disagree"] += 1
            wrong.append(seed)
        elif counts(pair, verdict):
            seen["agree"] += 1
            seen["outcomes"] += len(verdict.oracle.outcomes)
        else:
            seen["too small"] += 1
    return seen, wrong


def batches(first: int) -> Iterator[int]:
    while True:
        yield first
        first += BATCH


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    seen: Counter[str] = Counter()
    wrong: list[int] = []
    began = said = time.monotonic()
    done = 0
    with multiprocessing.Pool(options.processes) as pool:
        for found, seeds in pool.imap(look, batches(options.first)):
            seen += found
            wrong += seeds
            done += BATCH
            if time.monotonic() - said > 30:
                said = time.monotonic()
                rate = seen["agree"] / (said - began)
                tell(f"{seen['agree']:,} pairs agree, {rate:.0f}/s, {seen['disagree']} disagree")
            if seen["agree"] >= options.pairs or len(wrong) >= 20:
                pool.terminate()
                break
    tell(f"seeds {options.first} to {options.first + done - 1}: {dict(seen)}")
    if wrong:
        tell(f"to be kept in {SEEDS.name}: {wrong}")
        return 1
    report("oracle_pairs_agreed", seen["agree"], "pairs")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
