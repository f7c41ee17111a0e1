"""Opens and clicks, as pixels and tracked links tell of them."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from scorer.collector.machines import is_machine, user_agent
from scorer.collector.source import Activity
from scorer.wire.cloudevents import Event

if TYPE_CHECKING:
    from scorer.collector.source import Request
    from scorer.collector.tokens import Mail

TOPIC: Final = "activity.email.v1"
WITHIN: Final = 60_000
"""ms. What one program fetches with one token within the same minute is the same activity."""


def activity(kind: str, mail: Mail, token: str, request: Request, source: str) -> Activity:
    """``kind``: the event type. Its time is when the request was received."""
    machine = is_machine(request.headers)
    agent = user_agent(request.headers)
    data: dict[str, Any] = {
        "kind": mail.kind,
        "campaign": mail.campaign,
        "template": mail.template,
        "email_id": mail.email_id,
        "link": _link(mail.target),
        "user_agent": agent or None,
        "machine": machine or None,
    }
    told = {name: value for name, value in data.items() if value is not None}
    # A reader's fetch must not be taken for the repetition of a machine's that came just before.
    what = f"{token}\0{request.received // WITHIN}\0{machine}\0{agent}"
    id_ = blake2b(what.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return Activity(TOPIC, Event("1.0", id_, source, kind, told, subject=mail.lead))


def _link(target: str | None) -> str | None:
    """Without what comes after the path: queries of links in mails name their readers often enough."""
    return None if target is None else target.partition("#")[0].partition("?")[0]
