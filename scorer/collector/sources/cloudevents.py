"""CloudEvents 1.0 as a publisher would write them to a door topic, structured or in batches, over HTTP.

After https://github.com/cloudevents/spec, HTTP binding: ``application/cloudevents+json`` and
``application/cloudevents-batch+json``; plain ``application/json`` is either, by how it begins. The event's
type says which door it goes to; everything else is checked as at that door.

Its source and id are the publisher's own, and so is (source, id) as what a retry repeats: the same event
through a topic and through here counts once.
"""

from __future__ import annotations

from typing import Final

import msgspec

from scorer.collector.source import Activity, Item, Key, Reading, RefusedError, Request
from scorer.wire.cloudevents import decode
from scorer.wire.dead_letters import Reason, Rejected
from scorer.wire.registry import Registry

KIND: Final = "cloudevents"
MAX_EVENTS: Final = 10_000

_decode_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode


class CloudEventsSource:
    """Stateless."""

    def __init__(self, key: Key, registry: Registry | None = None) -> None:  # noqa: ARG002 - says nothing here
        registry = registry or Registry.load()
        self._topics = {kind: topic.name for topic in registry.doors for kind in topic.types}
        self._patterns = [
            (topic.type_matcher(), topic.name) for topic in registry.doors if topic.type_pattern is not None
        ]

    def read(self, request: Request) -> Reading:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = request.body
        if kind == "application/cloudevents+json":
            return Reading((self._item(body),))
        if kind not in {"application/cloudevents-batch+json", "application/json", "text/plain", ""}:
            raise RefusedError(
                415,
                "type_unknown",
                "Content-Type: application/cloudevents+json or application/cloudevents-batch+json",
            )
        if kind != "application/cloudevents-batch+json" and body.lstrip()[:1] != b"[":
            return Reading((self._item(body),))
        try:
            events = _decode_batch(body)
        except msgspec.ValidationError:
            raise RefusedError(400, "invalid", "a batch is a JSON array of events") from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            said = str(error)[:200] if isinstance(error, msgspec.MsgspecError) else "not JSON in UTF-8"
            raise RefusedError(400, "not_json", said) from None
        if len(events) > MAX_EVENTS:
            raise RefusedError(400, "too_many", f"a batch has at most {MAX_EVENTS} events")
        return Reading([self._item(bytes(raw)) for raw in events])

    def _item(self, value: bytes) -> Item:
        try:
            event = decode(value)
            topic = self._topics.get(event.type) or self._matching(event.type)
        except Rejected as rejected:
            return Item((), str(rejected))
        return Item((Activity(topic, event),))

    def _matching(self, kind: str) -> str:
        for matches, topic in self._patterns:
            if matches(kind):
                return topic
        raise Rejected(Reason.UNKNOWN_TYPE, "type: no door takes it")
