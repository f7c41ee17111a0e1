"""Kinds of sources, and the class of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from scorer.collector.source import Key, Source
from scorer.collector.sources import (
    calendly,
    facebook,
    hubspot,
    intercom,
    mailgun,
    postmark,
    sendgrid,
    webhook,
)

SOURCES: Final[Mapping[str, Callable[[Key], Source]]] = MappingProxyType(
    {
        calendly.KIND: calendly.Calendly,
        facebook.KIND: facebook.FacebookLeads,
        hubspot.KIND: hubspot.HubSpot,
        intercom.KIND: intercom.Intercom,
        mailgun.KIND: mailgun.Mailgun,
        postmark.KIND: postmark.Postmark,
        sendgrid.KIND: sendgrid.SendGrid,
        webhook.KIND: webhook.SignedWebhook,
    }
)
