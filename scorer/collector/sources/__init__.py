"""The kinds of sources: what a keys file may name, and where each is mounted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from scorer.collector.picture import PICTURE
from scorer.collector.source import Answer, Key, Source
from scorer.collector.sources import (
    calendly,
    cloudevents,
    facebook,
    hubspot,
    intercom,
    link,
    mailgun,
    page_pixel,
    pixel,
    postmark,
    segment,
    sendgrid,
    snippet,
    webhook,
)

EMAIL: Final = "activity.email.v1"
PAGE: Final = "activity.page.v1"
APP: Final = "activity.app.v1"
BOOKING: Final = "activity.booking.v1"
SOCIAL: Final = "activity.social.v1"
PROFILE: Final = "lead.profile.v1"
FEEDBACK: Final = "lead.feedback.v1"

SCOPES: Final = {
    "email": EMAIL,
    "page": PAGE,
    "app": APP,
    "booking": BOOKING,
    "social": SOCIAL,
    "profile": PROFILE,
    "feedback": FEEDBACK,
}
"""What a keys file calls the doors."""


class Mount:
    """Where a kind is reached, and how a request says which key it uses.

    Plain texts: an enumeration's members hash in Python, many times a request.
    """

    SEGMENT: Final = "/v1/{call}"
    """A write key: Basic authorization, or ``writeKey`` in the body."""
    EVENTS: Final = "/v1/events"
    """A write key: Bearer or Basic authorization."""
    SNIPPET: Final = "/v1/snippet"
    """A write key: ``key`` in the body."""
    HOOK: Final = "/v1/hooks/{name}"
    """The key's name; the source verifies the rest."""
    PIXEL: Final = "/v1/pixel/{token}.gif"
    LINK: Final = "/v1/link/{token}"
    """The key's name begins the token."""
    PAGE_PIXEL: Final = "/v1/pixel/page.gif"
    """A write key: ``key`` in the query."""


WRITE_KEYS: Final = frozenset({Mount.SEGMENT, Mount.EVENTS, Mount.SNIPPET, Mount.PAGE_PIXEL})
"""Where a secret of the key finds it: so no two keys of one mount may share one."""


class Kind(NamedTuple):
    make: Callable[[Key], Source]
    mount: str
    """One of ``Mount``."""
    scopes: tuple[str, ...]
    """Of a key that lists none."""
    largest: int = 1 << 20
    """Bytes of a body, unpacked, unless the key says otherwise."""
    unknown: Answer | None = None
    """To a request of no key, where that is no error to be told."""
    paths: tuple[str, ...] = ()
    """Options that name files, beside the keys file unless they begin with /."""


KINDS: Final[dict[str, Kind]] = {
    segment.KIND: Kind(
        segment.SegmentSource, Mount.SEGMENT, ("page", "app", "profile"), segment.MAX_BATCH_BYTES
    ),
    cloudevents.KIND: Kind(
        cloudevents.CloudEventsSource,
        Mount.EVENTS,
        ("email", "page", "app", "booking", "social", "profile"),
    ),
    snippet.KIND: Kind(snippet.Snippet, Mount.SNIPPET, ("page", "app", "social", "profile")),
    page_pixel.KIND: Kind(page_pixel.PagePixel, Mount.PAGE_PIXEL, ("page",), unknown=PICTURE),
    pixel.KIND: Kind(pixel.Pixel, Mount.PIXEL, ("email",), unknown=PICTURE),
    link.KIND: Kind(link.Link, Mount.LINK, ("email",), unknown=link.NOWHERE),
    calendly.KIND: Kind(calendly.Calendly, Mount.HOOK, ("booking",)),
    facebook.KIND: Kind(facebook.FacebookLeads, Mount.HOOK, ("page",)),
    hubspot.KIND: Kind(hubspot.HubSpot, Mount.HOOK, ("profile", "feedback")),
    intercom.KIND: Kind(intercom.Intercom, Mount.HOOK, ("app", "email", "profile")),
    mailgun.KIND: Kind(mailgun.Mailgun, Mount.HOOK, ("email",)),
    postmark.KIND: Kind(postmark.Postmark, Mount.HOOK, ("email",)),
    sendgrid.KIND: Kind(sendgrid.SendGrid, Mount.HOOK, ("email",), largest=4 << 20),
    webhook.KIND: Kind(webhook.SignedWebhook, Mount.HOOK, tuple(SCOPES), paths=("mapping",)),
}
