"""Facebook lead ads: that somebody has sent the form of an ad.

Documented by Meta under "Webhooks: Getting Started" and "Webhooks for Lead Ads". A GET with
``hub.mode=subscribe`` proves that the address is the owner's: ``hub.verify_token`` has to be the key's
option ``verify_token``, and ``hub.challenge`` is the answer. Notifications are POSTs with
``X-Hub-Signature-256: sha256=HEX``, HMAC-SHA256 under the *app secret* over the raw body. There is no
time in the signature; a request that comes again is the same events.

A notification holds numbers of the lead, the form, the ad and the page, and nothing of the person: who
it was can only be asked of Meta's API, which the collector does not do. What can be scored of it is
``page.form_submitted`` of an anonymous visitor, ``facebook-`` and the lead's number. Whatever fetches
the leads (a CRM usually does) joins it to the person with a ``profile.linked`` that holds that
``anonymous_id`` and the e-mail address; from then on the form counts for the person as of its own time.

What theirs become:

- a change of ``leadgen`` on a page: ``page.form_submitted`` with ``form``, ``network: facebook``,
  ``ad``, ``ad_group`` and ``page``
- all others: nothing

Options: ``verify_token``; ``forms``, names for forms by their numbers: ``1234=newsletter, 5678=demo``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from scorer.collector.source import Activity, Answer, Item, Key, Reading, RefusedError, Request
from scorer.collector.webhook.decoding import Unreadable, bad_body, item, text_of, whole
from scorer.collector.webhook.events import PAGE, Events, seconds
from scorer.collector.webhook.options import Options
from scorer.collector.webhook.signatures import check, header, mac, post_only, same

KIND: Final = "facebook"
SIGNATURE: Final = "X-Hub-Signature-256"

_Number = str | int
_challenge = re.compile(r"[A-Za-z0-9_-]{1,256}").fullmatch
"""What is repeated to whoever asks: nothing that a browser would take for a page."""
_HEADERS: Final = (("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff"))


class _Value(msgspec.Struct):
    leadgen_id: _Number
    created_time: int
    form_id: _Number | None = None
    page_id: _Number | None = None
    ad_id: _Number | None = None
    adgroup_id: _Number | None = None


class _Change(msgspec.Struct):
    field: str
    value: msgspec.Raw = msgspec.Raw(b"null")


class _Entry(msgspec.Struct):
    changes: list[msgspec.Raw] = []


class _Body(msgspec.Struct):
    object: str
    entry: list[msgspec.Raw] = []


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_entry = msgspec.json.Decoder(_Entry).decode
_decode_change = msgspec.json.Decoder(_Change).decode
_decode = msgspec.json.Decoder(_Value).decode


class FacebookLeads:
    """One key's requests; stateless."""

    def __init__(self, key: Key) -> None:
        options = Options(key, ("verify_token", "forms"))
        self._secrets = options.secrets("the app secret of the app that is subscribed")
        self._token = options.text("verify_token")
        self._forms = options.pairs("forms", "")
        self._events = Events(KIND, key)

    def read(self, request: Request) -> Reading:
        if request.method == "GET":
            return self._challenge(request)
        post_only(request)
        message = request.body
        check(
            header(request, SIGNATURE),
            self._secrets,
            lambda secret: f"sha256={mac(secret, message).hex()}",
            SIGNATURE,
        )
        body = whole(_decode_body, message)
        if body.object != "page":
            return Reading([Item(())])
        return Reading([one for part in body.entry for one in self._items(part)])

    def _items(self, part: msgspec.Raw) -> Sequence[Item]:
        """Those of one entry; one that is refused where it has no list of changes."""
        changes: list[msgspec.Raw] = []

        def keep(part: msgspec.Raw) -> Sequence[Activity]:
            changes.extend(_decode_entry(part).changes)
            return ()

        entry = item(part, keep)
        return [entry] if entry.refused is not None else [item(change, self._read) for change in changes]

    def _challenge(self, request: Request) -> Reading:
        query = request.query
        if query.get("hub.mode") != "subscribe":
            raise bad_body("hub.mode is not subscribe")
        if not self._token or not same(query.get("hub.verify_token", ""), self._token):
            raise RefusedError(403, "wrong_token", "hub.verify_token is not this key's verify_token")
        challenge = query.get("hub.challenge", "")
        if _challenge(challenge) is None:
            raise bad_body("hub.challenge is not a number or a word")
        return Reading((), Answer(200, _HEADERS, challenge.encode()))

    def _read(self, part: msgspec.Raw) -> Sequence[Activity]:
        change = _decode_change(part)
        if change.field != "leadgen":
            return ()
        told = _decode(change.value)
        lead, form = text_of(told.leadgen_id), text_of(told.form_id)
        if lead is None:
            raise Unreadable("value.leadgen_id is no number")
        data = {
            "anonymous_id": f"facebook-{lead}",
            "form": self._forms.get(form, form) if form else None,
            "network": KIND,
            "ad": text_of(told.ad_id),
            "ad_group": text_of(told.adgroup_id),
            "page": text_of(told.page_id),
        }
        at = seconds(told.created_time, "value.created_time")
        return (self._events.activity(PAGE, "page.form_submitted", f"leadgen/{lead}", at, data),)
