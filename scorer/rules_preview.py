"""How many leads a rule file would announce, if it were put in force now: tried on a copy of their states.

Each lead passes the rules record that ``rules_apply`` would write. Nothing is written to Kafka.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from scorer.domain.record import Rules, encode_record
from scorer.log_lines import Recorded
from scorer.state_copy import copies
from scorer.wire.registry import LOG

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorer.broker import Broker
    from scorer.domain.outcomes import Outcome
    from scorer.state_copy import Copy
    from scorer.worker.score_partition import ScorePartition

MANY: Final = 100_000
"""Records of the log that are counted as they are, without looking at them."""


class _Said(msgspec.Struct):
    """What matters here of an outcome."""

    class Data(msgspec.Struct):
        cause: str = ""
        rules: str = ""

    type: str
    data: Data


@dataclass
class Preview:
    """What would be told at once. What time and activities bring about later is not in it."""

    leads: int = 0
    """Looked at."""
    announced: Counter[str] = field(default_factory=Counter)
    """Type of outcome, as ``lead.qualified`` -> how many."""
    unscored: int = 0
    """Records about leads that no worker has made durable yet: it is not known what they do."""
    importing: int = 0
    """Leads that an open import has changed: they are judged, and told, at its end."""


def preview(broker: Broker, coming: Rules, moved: Callable[[int], None]) -> Preview:
    """Try a rules record on all leads; ``moved`` gets how many records and leads were read.

    Raises ``UserError`` where Kafka does not answer or a topic is missing.
    """
    found = Preview()
    for copy in copies(broker, moved):
        position = 0
        if copy.partition is not None:
            position = copy.partition.machine.state.position
            _try(copy, copy.partition, coming, found, moved)
        found.unscored += _left(broker, copy.number, position)
    return found


def _left(broker: Broker, number: int, position: int) -> int:
    """Records about leads from there on; the clock's own go on all the time."""
    wanted = broker.range(LOG, number)._replace(start=position)
    if wanted.end - position > MANY:
        return wanted.end - position
    return sum(record.key is not None for record in broker.read(LOG, number, wanted))


def _try(
    copy: Copy, partition: ScorePartition, rules: Rules, found: Preview, moved: Callable[[int], None]
) -> None:
    machine = partition.machine
    machine.apply([Recorded(machine.state.position, None, encode_record(rules))])
    name = machine.rules.fingerprint
    for keys in copy.leads():
        for key in keys:
            machine.touch(key)
            lead = machine.get(key)
            if lead is not None and lead.since:
                found.leads += 1
                found.importing += bool(lead.touched)
        found.announced.update(_told_by(machine.outcomes, name))
        copy.forget()
        moved(len(keys))


def _told_by(outcomes: list[Outcome], rules: str) -> list[str]:
    """Their types; ``rules``: a fingerprint."""
    said = [_decode(outcome.value) for outcome in outcomes]
    # What was due anyhow, and what earlier rules have still to tell, is not of these rules' making.
    return [one.type for one in said if one.data.cause == "rules" and one.data.rules == rules]


_decode = msgspec.json.Decoder(_Said).decode
