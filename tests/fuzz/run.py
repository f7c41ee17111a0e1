"""A collector on a real Kafka, asked whatever can be asked; what is wrong with it then."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple
from urllib.request import urlopen

from tests.fuzz.client import fuzz
from tests.fuzz.samples import ENVIRONMENT, KEYS
from tests.fuzz.schema import fuzz_documented
from tests.support.collecting import BASIC, Client, CollectorProcess, track
from tests.support.intake import ids_in, prepare

if TYPE_CHECKING:
    from pathlib import Path

    from scorer.settings import Settings

_FAILED = re.compile(r"Traceback|our code failed| (ERROR|CRITICAL) ")
_SHOWN = 3_000
"""Characters of what the collector has said."""


class Result(NamedTuple):
    requests: int
    statuses: Counter[int]
    faults: list[str]
    """Answers that nobody may get, tracebacks, processes that ended; each with what led to it."""


def run(settings: Settings, folder: Path, seed: int, requests: int, examples: int) -> Result:
    """``requests`` of our own, then ``examples`` of schemathesis for each operation of the document."""
    prepare(settings)
    with CollectorProcess(settings, folder, keys=KEYS, environment=ENVIRONMENT) as running:
        children = running.ready().children()
        with urlopen(f"{running.url}/openapi.json", timeout=10) as answer:  # noqa: S310 - our own server
            document = json.load(answer)
        ours = fuzz(running.port, document, seed, requests)
        theirs = fuzz_documented(running.url, document, seed, examples)
        faults = ours.faults + theirs.faults
        if running.children() != children:
            faults.append("a process has ended")
        with Client(running.port) as ask:
            if ask("/v1/track", track("after"), BASIC).status != 200:
                faults.append("an event as it should be is refused afterwards")
        running.stop()
        said = running.output()
    if (found := _FAILED.search(said)) is not None:
        faults.append(f"the collector says: {said[found.start() : found.start() + _SHOWN]}")
    if "m-after" not in ids_in(settings):
        faults.append("an event as it should be is not in Kafka afterwards")
    return Result(ours.requests + theirs.requests, ours.statuses + theirs.statuses, faults)
