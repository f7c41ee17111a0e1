"""Builds the Faust app that takes the doors in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scorer.settings import PROPAGATE
from scorer.storage.key_table import key_table
from scorer.wire.door_book import KafkaBookReader
from scorer.wire.identity import identity_of
from scorer.wire.intake import Intake
from scorer.wire.registry import DEAD_LETTERS, Registry
from scorer.wire.sealing import Sealer, field_names
from scorer.worker.door_clock import INTERVAL
from scorer.worker.intake_agent import IntakeOwner
from scorer.worker.lead_keys import LeadKeys
from scorer.worker.supervise import fatal
from scorer.worker.transport import ChunkedApp, Fetching

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from scorer.settings import Settings
    from scorer.storage.key_table import KeyTable
    from scorer.wire.door_book import BookReader


def build_intake_app(
    settings: Settings,
    *,
    registry: Registry | None = None,
    books: BookReader | None = None,
    on_fatal: Callable[[BaseException], NoReturn] = fatal,
    clock_interval: float = INTERVAL,
    table: KeyTable | None = None,
    **fetching: Any,
) -> ChunkedApp:
    """A new app per call; ``app.owner`` is its ``IntakeOwner``.

    ``books``: where the doors' numbers come from, unless from Kafka. ``clock_interval``: seconds between
    clock records. ``table``: the leads' keys, if another app of this process reads them too.
    ``fetching``: overrides of ``Fetching``. Raises ``UserError`` where a setting does not fit.
    """
    registry = registry or Registry.load()
    group = f"{settings.topic_prefix}{settings.app_id}-intake"
    app = ChunkedApp(settings, Fetching(group=group, accept_holes=True, **fetching), on_fatal=on_fatal)
    identity, sealer, keys = identity_of(settings), None, None
    if fields := field_names(settings.sealed_fields, "SCORER_SEALED_FIELDS"):
        keys = LeadKeys(table or key_table(settings, "intake", on_fatal), on_fatal)
        sealer = Sealer(fields, keys, identity.names_somebody)
        keys.forget = sealer.forget
    intake = Intake(identity, registry.max_log_bytes, registry, sealer)
    books = books or KafkaBookReader(settings, registry)
    topics = [door.full_name(settings.topic_prefix) for door in registry.doors]
    # Less what its headers take, generously.
    max_dead_bytes = int(registry.topics[DEAD_LETTERS].config["max.message.bytes"]) - 8 * 1024
    owner = IntakeOwner(
        app,
        intake,
        books,
        topics,
        max_dead_bytes=max_dead_bytes,
        interval=clock_interval,
        keys=keys,
        traced=settings.tracing == PROPAGATE,
    )
    app.own(owner)
    app.consume("intake", topics)
    return app
