"""What is left of a person: their identifiers in every topic and on disk, and what is kept of their leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scorer.broker import Broker
from scorer.domain.lead import decode_lead
from scorer.domain.outcomes import instant
from scorer.people.data_keys import DataKey, data_keys, lead_of
from scorer.people.disk import InUse, Unread, databases, entries, files, found_in
from scorer.people.kept import topics
from scorer.people.reading import every
from scorer.people.texts import BOUND, Texts, texts_of
from scorer.people.told import erasures
from scorer.people.who import links_of, scored
from scorer.wire.partitioner import partition_of
from scorer.wire.registry import CHANGELOG, IDENTITY, LEAD_KEYS, SCORE
from scorer.worker.cut import STAMP_BYTES, epoch_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from scorer.domain.lead import Lead
    from scorer.people.asked import Asked
    from scorer.people.kept import Topic
    from scorer.people.reading import Bar
    from scorer.settings import Settings
    from scorer.wire.identity import Identity

NOTHING, UNTIL, LEFTOVER, UNSEEN = "nothing", "until", "leftover", "not looked at"
"""What a place holds: nothing of the person; something that is gone by itself by a known time; something
that stays; nobody knows."""
BATCH_BYTES = 1 << 18
"""Of records searched at once."""
EXPIRING = frozenset({"door", "dead_letters", "outcome"})
"""Roles of topics whose records are written once, read by others, and expire."""


class Finding(NamedTuple):
    place: str
    state: str
    """``NOTHING``, ``UNTIL``, ``LEFTOVER`` or ``UNSEEN``."""
    detail: str = ""
    records: int = 0
    gone_by: int | None = None
    """Of ``UNTIL``: ms."""


class Proof(NamedTuple):
    leads: list[str]
    """Lead ids that were looked at."""
    texts: list[str]
    """What was looked for as text, by kind and number."""
    not_searched: list[str]
    """Texts too short to be told from chance."""
    findings: list[Finding]

    @property
    def leftovers(self) -> int:
        """``erasure_leftovers``."""
        return sum(1 for one in self.findings if one.state == LEFTOVER)


def prove(settings: Settings, identity: Identity, asked: Asked, bar: Bar) -> Proof:
    """Look everywhere. Those who were forgotten by the same requests are looked at as well."""
    broker = Broker(settings)
    there = topics(settings)
    ids, erased = forgotten_with(broker, asked.ids(identity))
    texts = Texts(texts_of(asked))
    findings = [in_topic(broker, topic, texts, bar) for topic in there.values()]
    states = newest_states(broker, ids, bar) if CHANGELOG in there else {}
    stubs = {one for one, value in states.items() if is_stub(decode_lead(value[STAMP_BYTES:]))}
    if CHANGELOG in there:
        findings.append(_states(states, ids))
    if SCORE in there and IDENTITY in there:
        findings += _views(broker, ids, erased, stubs, bar)
    keys = data_keys(broker, ids) if LEAD_KEYS in there else {}
    if LEAD_KEYS in there:
        findings.append(_keys(there[LEAD_KEYS], keys, erased, stubs))
    live = {name for name, one in keys.items() if not one.deleted}
    findings += on_disk(settings.data_dir, ids, texts, bar, live)
    return Proof(sorted(one.decode() for one in ids), texts.names, texts.too_short, findings)


def forgotten_with(broker: Broker, named: Collection[bytes]) -> tuple[set[bytes], dict[bytes, int]]:
    """(these and all that were forgotten by the same requests, lead -> until when, ms)."""
    told = list(erasures(broker))
    requests = {one.request for one in told if one.lead in named}
    ids = {*named, *(one.lead for one in told if one.request in requests)}
    return ids, {one.lead: one.at for one in told if one.lead in ids}


# -- texts in topics ----------------------------------------------------------------------------------


class _Hits:
    """What has been found in one topic."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.records = 0
        self.newest = 0
        self.standing: dict[bytes, int] = {}
        """Keys whose newest record holds something -> its append time."""
        self.overtaken = 0
        """When a record that holds something was last overtaken by a newer one of its key; 0: never."""

    def add(self, names: set[str], key: bytes | None, at: int) -> None:
        if key is not None and key in self.standing:
            del self.standing[key]
            self.overtaken = max(self.overtaken, at)
        if not names:
            return
        self.names |= names
        self.records += 1
        self.newest = max(self.newest, at)
        self.standing[b"" if key is None else key] = at


def in_topic(broker: Broker, topic: Topic, texts: Texts, bar: Bar) -> Finding:
    """Key, value and headers of every record."""
    hits = _Hits()
    batch: list[tuple[bytes | None, int, bytes]] = []
    size = 0
    for message in every(broker, topic.name, bar):
        headers = [part for name, value in message.headers() or () for part in (name.encode(), value)]
        key = message.key()
        content = BOUND.join([part for part in (key, message.value(), *headers) if part])
        batch.append((key, message.timestamp()[1], content))
        size += len(content)
        if size > BATCH_BYTES:
            _search(batch, texts, hits)
            batch, size = [], 0
    _search(batch, texts, hits)
    return _judged(topic, hits)


def _search(batch: Collection[tuple[bytes | None, int, bytes]], texts: Texts, hits: _Hits) -> None:
    """All at once, as hardly any record ever holds something; one by one where one does."""
    if texts.found(*(content for _, _, content in batch)):
        for key, at, content in batch:
            hits.add(texts.found(content), key, at)
    elif hits.standing:
        for key, at, _ in batch:
            hits.add(set(), key, at)


def _judged(topic: Topic, hits: _Hits) -> Finding:
    if not hits.records:
        return Finding(topic.name, NOTHING)
    detail = ", ".join(sorted(hits.names))
    if topic.role in EXPIRING:
        gone_by = topic.gone_by(hits.newest)
        if gone_by is not None:
            return Finding(topic.name, UNTIL, detail, hits.records, gone_by)
        return Finding(topic.name, LEFTOVER, f"{detail}: never expires", hits.records)
    if not topic.compacted or hits.standing:
        return Finding(topic.name, LEFTOVER, detail, hits.records)
    gone_by = topic.gone_by(hits.overtaken, overtaken=True)
    if gone_by is None:
        detail += ": waits for compaction, and max.compaction.lag.ms sets no bound"
        return Finding(topic.name, LEFTOVER, detail, hits.records)
    return Finding(topic.name, UNTIL, f"{detail}: waits for compaction", hits.records, gone_by)


# -- what is kept of the leads --------------------------------------------------------------------------


def newest_states(broker: Broker, ids: Collection[bytes], bar: Bar) -> dict[bytes, bytes]:
    """Lead -> its newest state in the changelog with its stamp, of those that have one.

    What a worker wrote that had lost the partition is passed over, as a restore does it.
    """
    count = broker.partitions(CHANGELOG)
    found: dict[bytes, bytes | None] = {}
    epochs: dict[int, int] = {}
    for message in every(broker, CHANGELOG, bar, {partition_of(one, count) for one in ids}):
        number, key = message.partition(), message.key()
        written = epoch_of(message.headers() or ())
        epochs[number] = max(epochs.get(number, 0), written)
        if key in ids and written == epochs[number]:
            found[key] = message.value()
    return {key: value for key, value in found.items() if value is not None}


def _states(states: Mapping[bytes, bytes], ids: Collection[bytes]) -> Finding:
    return _of_states(
        f"{CHANGELOG} (state)", {one: value[STAMP_BYTES:] for one, value in states.items()}, ids
    )


def _of_states(place: str, states: Mapping[bytes, bytes], ids: Collection[bytes]) -> Finding:
    left: list[str] = []
    back = stubs = 0
    for one, value in states.items():
        lead = decode_lead(value)
        if lead.links is None or not lead.links.erased:
            left.append(one.decode())
        elif is_stub(lead):
            stubs += 1
        elif lead.since or lead.links.moved or lead.links.members:
            back += 1
        else:
            left.append(one.decode())
    if left:
        return Finding(place, LEFTOVER, f"never forgotten: {', '.join(sorted(left))}", len(left))
    said = [f"{stubs} forgotten"] * bool(stubs) + [f"{back} begun anew since"] * bool(back)
    unknown = len(ids) - len(states)
    said += [f"{unknown} unknown"] * bool(unknown)
    return Finding(place, NOTHING, ", ".join(said))


def is_stub(lead: Lead) -> bool:
    """Whether nothing is left but that the person was forgotten, and the last sequence number."""
    links = lead.links
    kept = (
        lead.since,
        lead.sums and any(lead.sums),
        lead.masses,
        lead.days,
        lead.specials,
        lead.newest,
        lead.starts,
        lead.limits,
        lead.holds,
        lead.attributes,
        lead.seen,
        lead.delivered,
        lead.clicks,
        lead.sealed,
        lead.company,
    )
    return links is not None and bool(links.erased) and not (any(kept) or links.moved or links.members)


def _views(
    broker: Broker, ids: Collection[bytes], erased: Mapping[bytes, int], stubs: Collection[bytes], bar: Bar
) -> tuple[Finding, Finding]:
    """Views of a lead that was never forgotten, or of which nothing else is left; those that have begun anew
    have one again.
    """
    gone = {*stubs}
    scores = sorted(one.decode() for one in scored(broker, ids, bar) if one not in erased or one in gone)
    links = links_of(broker, ids, bar)
    named = sorted(
        key.decode()
        for key, one in links.items()
        if one.others and ((not ({key, *one.others} & {*ids}) <= erased.keys()) or key in gone)
    )
    return (
        Finding(f"{SCORE} (view)", LEFTOVER if scores else NOTHING, ", ".join(scores), len(scores)),
        Finding(f"{IDENTITY} (view)", LEFTOVER if named else NOTHING, ", ".join(named), len(named)),
    )


def _keys(
    topic: Topic, found: Mapping[bytes, DataKey], erased: Mapping[bytes, int], stubs: Collection[bytes]
) -> Finding:
    """Data keys of before the erasure, and of leads that have not begun anew: intake has made those for what
    was on its way. Deleted ones are readable until the topic is compacted.
    """
    place = f"{LEAD_KEYS} (data keys)"
    left = []
    for name, one in found.items():
        lead = lead_of(name) or b""
        if not one.deleted and (lead not in erased or one.at <= erased[lead] or lead in stubs):
            left.append(one)
    if left:
        again = "run scorer erase again: it deletes them" if erased else ""
        return Finding(place, LEFTOVER, again, len(left))
    since = sum(not one.deleted for one in found.values())
    said = f"{since} made since" if since else ""
    gone = [one.at for one in found.values() if one.deleted and one.readable]
    if not gone:
        return Finding(place, NOTHING, said)
    gone_by = topic.gone_by(max(gone), overtaken=True)
    if gone_by is None:
        return Finding(
            place,
            LEFTOVER,
            "deleted, and readable until compacted: max.compaction.lag.ms sets no bound",
            len(gone),
        )
    return Finding(place, UNTIL, "deleted; the topic is still to be compacted", len(gone), gone_by)


# -- on disk ------------------------------------------------------------------------------------------


def on_disk(
    folder: Path, ids: Collection[bytes], texts: Texts, bar: Bar, live: Collection[bytes] = ()
) -> list[Finding]:
    """The files of the data directory, byte by byte, and then the databases among them.

    ``live``: names of data keys that are in force.
    """
    if not folder.is_dir():
        return [Finding(str(folder), UNSEEN, "there is no such directory on this machine")]
    every = files(folder)
    with bar("files", len(every)) as moved:
        hits: list[Finding] = []
        for path in every:
            try:
                names = found_in(path, texts, lambda _: None)
            except Unread as error:
                hits.append(Finding(str(path), UNSEEN, str(error)))
            else:
                if names:
                    hits.append(Finding(str(path), LEFTOVER, ", ".join(sorted(names)), 1))
            moved(1)
    findings = hits or [Finding(str(folder), NOTHING, f"{len(every)} files")]
    with bar("databases", None) as moved:
        for path in databases(folder):
            findings.append(_in_database(path, ids, texts, live))
            moved(1)
    return findings


def _in_database(path: Path, ids: Collection[bytes], texts: Texts, live: Collection[bytes]) -> Finding:
    place = f"{path} (records)"
    states: dict[bytes, bytes] = {}
    names: set[str] = set()
    records = keys = 0
    try:
        for entry in entries(path):
            if found := texts.found(entry.key, entry.value):
                names |= found
                records += 1
            if entry.lead is not None and lead_of(entry.lead) in ids and entry.lead not in live:
                keys += 1
            if entry.lead is not None and entry.lead in ids:
                states[entry.lead] = entry.value[STAMP_BYTES:]
    except InUse:
        return Finding(place, UNSEEN, "in use by a worker: its files were searched, not what they compress")
    except Unread as error:
        return Finding(place, UNSEEN, str(error))
    if names:
        return Finding(place, LEFTOVER, ", ".join(sorted(names)), records)
    if keys:
        said_ = "data keys: deleted when a worker has read lead.key.v1 to its end"
        return Finding(place, LEFTOVER, said_, keys)
    return _of_states(place, states, states.keys())


def said(finding: Finding) -> str:
    """The state of a finding in words."""
    if finding.state == UNTIL and finding.gone_by is not None:
        return f"readable until {instant(finding.gone_by)}"
    return "LEFTOVER" if finding.state == LEFTOVER else finding.state
