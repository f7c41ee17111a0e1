"""Everything that is held about a person, in one document: what they may ask to see."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from scorer.broker import Broker
from scorer.domain.lead import decode_lead
from scorer.domain.lifecycle import STAGES
from scorer.domain.outcomes import instant
from scorer.domain.person import decode_sealed
from scorer.domain.record import (
    ACCOUNT,
    HOPS,
    Bind,
    Erase,
    Fact,
    Linking,
    Member,
    Merge,
    decode_record,
    ids_in,
)
from scorer.people.data_keys import data_keys, in_clear
from scorer.people.kept import topics
from scorer.people.proving import forgotten_with, newest_states
from scorer.people.reading import every, everything_of
from scorer.people.texts import Texts, texts_of
from scorer.people.theirs import Theirs, raw_topics, theirs_in
from scorer.people.who import everybody, persons, scored
from scorer.wire.dead_letters import Place, origin
from scorer.wire.registry import DEAD_LETTERS, LEAD_KEYS, LOG, OUTCOMES
from scorer.wire.sealing import unseal
from scorer.worker.cut import STAMP_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from confluent_kafka import Message

    from scorer.domain.lead import Lead
    from scorer.people.asked import Asked
    from scorer.people.data_keys import DataKey
    from scorer.people.kept import Topic
    from scorer.people.reading import Bar
    from scorer.settings import Settings
    from scorer.wire.identity import Identity

Document = dict[str, Any]
Opened = Callable[[Mapping[str, bytes]], list[Document]]
"""Sealed fields -> each with its text."""


def everything(settings: Settings, identity: Identity, asked: Asked, bar: Bar) -> Document:
    """The whole document; raises ``UserError`` without Kafka."""
    broker = Broker(settings)
    there = topics(settings)
    named = asked.ids(identity)
    links = persons(broker, named, bar)
    ids = {*named, *everybody(links)}
    states = {one: decode_lead(value[STAMP_BYTES:]) for one, value in newest_states(broker, ids, bar).items()}
    theirs = Theirs(identity, ids, Texts(texts_of(asked)))
    keys = data_keys(broker, ids) if LEAD_KEYS in there else {}
    opened = partial(_opened, in_clear(keys, settings.lead_secret))
    with_them = forgotten_with(broker, named)[0] - ids
    return {
        "leads": [{"lead": one.decode(), "asked_for": one in named} for one in sorted(ids)],
        # Only named: two requests of one name would show one person the other's data.
        "erased_by_the_same_request": sorted(one.decode() for one in with_them),
        "identity": {
            one.decode(): {"part_of": said.into, "members": said.members, "not_the_same": said.refused}
            for one, said in sorted(links.items())
        },
        "scores": {one.decode(): view["data"] for one, view in sorted(scored(broker, ids, bar).items())},
        "states": {one.decode(): _state(one, lead, opened) for one, lead in sorted(states.items())},
        "data_keys": _keys(keys.values()),
        "log": list(_log(broker, there[LOG], ids, opened, bar)),
        "outcomes": list(_outcomes(broker, there, ids, bar)),
        "received": [
            _raw(topic, message)
            for topic, message in theirs_in(broker, raw_topics(there.values()), theirs, bar)
        ],
    }


# -- the lead -----------------------------------------------------------------------------------------


def _state(key: bytes, lead: Lead, opened: Opened) -> Document:
    links = lead.links
    given_at, given, mailed_at, domain = lead.company or (0, "", 0, "")
    return {
        "first_heard_of": _instant(lead.since),
        "clock": _instant(lead.clock),
        "stage": STAGES[lead.stage],
        "outcomes_so_far": lead.seq,
        "attributes": {
            name: {"value": value, "as_of": _instant(at)} for name, (at, value) in lead.attributes.items()
        },
        "newest_activities": sorted({instant(at) for times in lead.newest.values() for at in times}),
        "machine_opens": lead.machines,
        "company": None
        if lead.company is None
        else {
            "given": given or None,
            "given_at": _instant(given_at),
            "domain": domain or None,
            "domain_at": _instant(mailed_at),
        },
        "sealed": opened({name: one for name, (_, one) in (lead.sealed or {}).items()}),
        "part_of": None if links is None or not links.moved else links.moved.decode(),
        "members": [] if links is None else [one.decode() for one in links.members],
        "forgotten_until": None if links is None else _instant(links.erased),
        "never_to_return": links is not None and links.blocked,
        "lead": key.decode(),
    }


def _opened(keys: Mapping[tuple[bytes, bytes], bytes], fields: Mapping[str, bytes]) -> list[Document]:
    """Value None: nobody has its key any more, or it was sealed under another secret."""

    def find(lead: bytes, key_id: bytes) -> bytes | None:
        return keys.get((lead, key_id))

    return [{"field": name, "value": unseal(sealed, name, find)} for name, sealed in sorted(fields.items())]


def _keys(keys: Iterable[DataKey]) -> list[Document]:
    return [
        {"topic": LEAD_KEYS, "partition": one.partition, "offset": one.offset, "made_at": instant(one.at)}
        for one in keys
        if not one.deleted
    ]


# -- the log and what came of it ----------------------------------------------------------------------


def _log(
    broker: Broker, topic: Topic, ids: Collection[bytes], opened: Opened, bar: Bar
) -> Iterator[Document]:
    """Every record about one of these leads, in the order of the log, partition after partition."""
    for message in every(broker, LOG, bar):
        key, value = message.key(), message.value()
        if key is None or value is None or not (key in ids or key[:1] == ACCOUNT):
            continue
        record = _record(key, value, ids, opened)
        if record is not None:
            yield {**_place(topic, message), **record}


def _record(key: bytes, value: bytes, ids: Collection[bytes], opened: Opened) -> Document | None:
    try:
        record = decode_record(value)
    except msgspec.MsgspecError:
        return {"kind": "undecodable", "lead": _text(key)} if key in ids else None
    if isinstance(record, Member):
        if record.lead not in ids:
            return None
        account, points = _text(key[1:]), record.points
        return {"kind": "member", "lead": _text(record.lead), "account": account, "points": points}
    if key not in ids:
        return None
    lead = key.decode()
    if isinstance(record, Fact):
        return {
            "kind": "fact",
            "lead": lead,
            "type": record.type,
            "time": _instant(record.time),
            "received": _instant(record.received),
            "forwarded": record.door >= HOPS,
            "id": record.id,
            "source": record.source,
            "properties": record.properties,
            "account": record.account,
            "sealed": opened(_sealed_in(record.sealed)),
        }
    if isinstance(record, Linking):
        said: Document = {"kind": type(record).__name__.lower(), "lead": lead}
        if isinstance(record, Bind):
            said["received"] = _instant(record.received)
        elif isinstance(record, Erase):
            said |= {"until": _instant(record.at), "request": record.request}
        elif isinstance(record, Merge):
            said["bytes"] = len(record.state)
        return said | {"names": sorted({one.decode() for one in ids_in(record) if one})}
    return None


def _sealed_in(sealed: bytes | None) -> dict[str, bytes]:
    if sealed is None:
        return {}
    try:
        return decode_sealed(sealed)
    except msgspec.MsgspecError:
        return {"unreadable": sealed}


def _outcomes(
    broker: Broker, there: Mapping[str, Topic], ids: Collection[bytes], bar: Bar
) -> Iterator[Document]:
    for name in OUTCOMES:
        for message in everything_of(broker, name, bar, ids):
            if message.value() is not None:
                yield {**_place(there[name], message), "event": msgspec.json.decode(message.value())}


# -- what publishers have sent ------------------------------------------------------------------------


def _raw(topic: Topic, message: Message) -> Document:
    said = {**_place(topic, message), "key": _bytes(message.key()), "value": _bytes(message.value())}
    if topic.name == DEAD_LETTERS:
        try:
            told = origin(message.headers() or ())
        except ValueError:
            return said  # somebody else's
        said |= {"reason": told.reason.value, "detail": told.detail, "died_at": str(told.place)}
    return said


def _place(topic: Topic, message: Message) -> Document:
    at = message.timestamp()[1]
    place = Place(topic.name, message.partition(), message.offset())
    return {"where": str(place), "at": _instant(at), "kept_until": _instant(topic.gone_by(at))}


def _instant(at: int | None) -> str | None:
    return instant(at) if at else None


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _bytes(value: bytes | None) -> Any:
    """JSON where it is some, else text, else base64."""
    if value is None:
        return None
    try:
        return msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


# -- for reading --------------------------------------------------------------------------------------

_TITLES = {
    "leads": "Lead ids",
    "erased_by_the_same_request": "Lead ids erased by the same request",
    "identity": "Who is who",
    "scores": "Scores",
    "states": "What is kept of each lead",
    "data_keys": "Keys of sealed fields",
    "log": "The lead log",
    "outcomes": "What was announced",
    "received": "What publishers have sent, as they have sent it",
}


def markdown(document: Document) -> Iterator[str]:
    """Line by line."""
    yield "# What is held about you"
    for part, title in _TITLES.items():
        yield ""
        yield f"## {title}"
        yield ""
        content = document[part]
        if not content:
            yield "Nothing."
        elif isinstance(content, dict):
            for name, one in content.items():
                yield f"### {name}"
                yield ""
                yield from _lines(one)
                yield ""
        else:
            for one in content:
                yield from _item(one if isinstance(one, dict) else {"lead": one})


def _item(fields: Mapping[str, Any]) -> Iterator[str]:
    first, *rest = _lines(fields)
    yield first
    for line in rest:
        yield f"  {line}"


def _lines(fields: Mapping[str, Any]) -> Iterable[str]:
    shown = {name: value for name, value in fields.items() if value not in (None, "", [], {}, ())}
    return [f"- {name.replace('_', ' ')}: {_value(value)}" for name, value in shown.items()] or ["- nothing"]


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()
