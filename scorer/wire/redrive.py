"""Which dead letters' records can be sent again, to where, and which of them have been. No I/O.

A door record goes to its door as it was, and intake judges it anew. A fact of the lead log on which our
own code failed goes to the log again without its door's coordinates: those of later records of that door
have been applied, so with them it would count as repeated. Either way (source, id) tells within 24 hours
whether it has counted already; the notes among the dead letters tell for as long as those are kept.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from scorer.domain.record import NO_DOOR, Clock, Doors, Fact, Linking, Rules, decode_record, encode_record
from scorer.wire.dead_letters import Origin, Place, Reason, Redriven, Rejected
from scorer.wire.intake import Accepted, Intake
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import LOG, Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from scorer.wire.identity import Identity

_ENVELOPE_BYTES = 2048
"""What Kafka and our two headers add to a door record's key and value, generously."""


class Letter(NamedTuple):
    """A dead letter as it is kept."""

    partition: int
    """Its own place among the dead letters; that of the record is ``origin.place``."""
    offset: int
    died: int
    """Its append time, ms."""
    origin: Origin
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes | None]


class Noted(NamedTuple):
    """A note that a record has been sent again, and when it was written, ms."""

    note: Redriven
    when: int


class Selection(NamedTuple):
    """What somebody asks for; an empty part lets everything pass."""

    topics: frozenset[str] = frozenset()
    reasons: frozenset[Reason] = frozenset()
    since: int | None = None
    """ms; letters that died before are left out."""
    places: frozenset[Place] = frozenset()

    def takes(self, letter: Letter) -> bool:
        of = letter.origin
        return (
            (self.since is None or letter.died >= self.since)
            and (not self.topics or of.topic in self.topics)
            and (not self.reasons or of.reason in self.reasons)
            and (not self.places or of.place in self.places)
        )


# -- what has been sent again -------------------------------------------------------------------------


class Redrives:
    """What the notes say. Grows with the records sent again, some 400 bytes each, not with the letters.

    A record is its place and append time: a door that is deleted and created counts from 0 again.
    """

    def __init__(self) -> None:
        self._since: dict[bytes, tuple[int, int]] = {}
        self._before: dict[bytes, int] = {}

    def add(self, noted: Noted) -> None:
        note = noted.note
        record = identity(note.place, note.at)
        count, _ = self._since.get(record, (0, 0))
        self._since[record] = count + 1, noted.when
        self._before[identity(note.sent, note.sent_at)] = note.times

    def since(self, origin: Origin) -> int | None:
        """When the record was last sent again since it died there, ms."""
        found = self._since.get(identity(origin.place, origin.at))
        return None if found is None else found[1]

    def before(self, origin: Origin) -> int:
        """How often it had been sent again when it died there."""
        return self._before.get(identity(origin.place, origin.at), 0)

    def times(self, origin: Origin) -> int:
        """How often it has been sent again, all told."""
        return self.before(origin) + self._since.get(identity(origin.place, origin.at), (0, 0))[0]


def identity(place: Place, at: int | None) -> bytes:
    """A record's, in 8 bytes."""
    return blake2b(f"{place} {at}".encode(), digest_size=8).digest()


# -- what can be sent again ---------------------------------------------------------------------------


class Again(NamedTuple):
    """A record to be sent: ``topic`` without prefix."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


class Refused(Exception):  # noqa: N818 - the message says why
    """It makes no sense to send this record again."""


class Judge:
    def __init__(
        self,
        registry: Registry,
        identity: Identity,
        partitions: Callable[[str], int],
        *,
        force: bool = False,
        forgotten: Mapping[bytes, int] | None = None,
    ) -> None:
        """``partitions``: how many a topic has now. ``force``: also what intake would refuse again.

        ``forgotten``: lead -> until when (ms) all that was received of the person counts no more. Sent again
        it would be received anew, and count.
        """
        self._doors = {topic.name: topic for topic in registry.doors}
        self._intake = Intake(identity, registry.max_log_bytes, registry)
        self._partitions = partitions
        self._force = force
        self._forgotten = forgotten or {}

    def __call__(self, letter: Letter, now: int) -> Again:
        """The record as it would be sent at ``now`` (ms); raises ``Refused``."""
        topic = letter.origin.topic
        if "cut" in letter.headers:
            raise Refused("too large for any topic: only the beginning of its bytes was kept")
        if topic == LOG:
            return self._fact(letter)
        if topic not in self._doors:
            raise Refused("no door has that name")
        taken = int(self._doors[topic].config["max.message.bytes"]) - _ENVELOPE_BYTES
        size = len(letter.key or b"") + len(letter.value or b"")
        if size > taken:
            raise Refused(f"{size:,} bytes, and without compression the door takes {taken:,}")
        died = letter.died if letter.origin.at is None else letter.origin.at
        if any(died <= self._forgotten.get(lead, -1) for lead, _ in self._try_intake(letter, now)):
            raise Refused("the person has been forgotten since")
        # Records that died in one order arrive in it.
        return Again(topic, letter.origin.partition % self._partitions(topic), letter.key, letter.value)

    def _try_intake(self, letter: Letter, now: int) -> tuple[Accepted, ...]:
        """What intake would make of it; nothing where it would refuse it again and that is no matter."""
        try:
            return self._intake(letter.origin.topic, letter.value, now)
        except Rejected as rejected:
            if self._force:
                return ()
            raise Refused(f"would be refused again: {rejected}") from None
        except Exception as error:  # whatever our own code fails with
            if self._force:
                return ()
            # Its name only: what it says may hold a value of the person's.
            raise Refused(f"our code would fail on it again: {type(error).__name__}") from error

    def _fact(self, letter: Letter) -> Again:
        try:
            record = decode_record(letter.value or b"")
            lead = (letter.key or b"").decode()
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(f"no record of the lead log: {error}") from None
        partitions = self._partitions(LOG)
        if isinstance(record, Fact | Linking):
            if not lead or lead.startswith("\0"):
                raise Refused("it has no lead id as its key")
            bare = msgspec.structs.replace(record, door=NO_DOOR, offset=-1)
            key = lead.encode()
            return Again(LOG, partition_of(key, partitions), key, encode_record(bare))
        if isinstance(record, (Rules, Doors)):
            # A version that is not news is ignored.
            if letter.origin.partition >= partitions:
                raise Refused(f"a control record of a partition that {LOG} no longer has")
            return Again(LOG, letter.origin.partition, None, letter.value)
        if isinstance(record, Clock):
            raise Refused("a clock record: later ones have said more")
        raise Refused("a bracket of an import: run `scorer import` again with the same file")


# -- going through them -------------------------------------------------------------------------------


class Refusal(NamedTuple):
    origin: Origin
    why: str


class Tally:
    """What has become of the letters that somebody asked for."""

    SHOWN = 20

    def __init__(self) -> None:
        self.sent: Counter[tuple[str, Reason]] = Counter()
        """By topic and reason; sent, or would be."""
        self.refused: Counter[tuple[str, Reason]] = Counter()
        self.refusals: list[Refusal] = []
        """The first of them."""
        self.before = 0
        """Letters passed over because their records have been sent again."""
        self.copies = 0
        """Further letters of records that are counted here: a worker that crashes may write one twice."""
        self.found: set[Place] = set()
        """Those of the places asked for of which there are letters."""

    def refuse(self, origin: Origin, why: str) -> None:
        self.refused[origin.topic, origin.reason] += 1
        if len(self.refusals) < self.SHOWN:
            self.refusals.append(Refusal(origin, why))


def redrive(
    letters: Iterable[Letter],
    selection: Selection,
    redrives: Redrives,
    judge: Callable[[Letter], Again],
    send: Callable[[Letter, Again, int], None],
    *,
    again: bool = False,
    limit: int | None = None,
) -> Tally:
    """Send what was asked for and can be sent, each record once.

    ``send`` gets how often the record will have been sent again. ``again``: also what has been sent
    again before. ``limit``: at most so many are sent.
    """
    tally = Tally()
    done: set[bytes] = set()
    for letter in letters:
        if not selection.takes(letter):
            continue
        of = letter.origin
        if selection.places:
            tally.found.add(of.place)
        record = identity(of.place, of.at)
        if record in done:
            tally.copies += 1
            continue
        if not again and redrives.since(of) is not None:
            tally.before += 1
            continue
        if limit is not None and tally.sent.total() >= limit:
            break
        done.add(record)
        try:
            planned = judge(letter)
        except Refused as refused:
            tally.refuse(of, str(refused))
            continue
        send(letter, planned, redrives.times(of) + 1)
        tally.sent[of.topic, of.reason] += 1
    return tally
