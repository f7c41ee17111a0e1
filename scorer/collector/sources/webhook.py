"""Any webhook that signs JSON, by a mapping file: the key's option ``mapping``, described in
docs/webhooks.md.

Signed as the specification Standard Webhooks 1.0 says (``webhook-id``, ``webhook-timestamp``,
``webhook-signature: v1,...``, HMAC-SHA256 in Base64 over the three joined with dots), with the key's
secrets as the sender shows them (``whsec_...``); or with an HMAC of the body in a header of the file's
choice. Messages that no event of the file fits are nothing.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Final

from scorer.collector.source import Key, Reading, Request
from scorer.collector.webhook import mapping_file
from scorer.collector.webhook.applying import Applying
from scorer.collector.webhook.events import Events
from scorer.collector.webhook.mapping import Mac, Mapping, Standard
from scorer.collector.webhook.options import Options
from scorer.collector.webhook.signatures import (
    bytes_of,
    check,
    check_age,
    header,
    mac,
    post_only,
    same,
    signed_at,
    wrong,
)
from scorer.errors import UserError

KIND: Final = "webhook"
ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"

_PREFIX: Final = b"whsec_"
_VERSION: Final = "v1,"
_MOST_SIGNATURES: Final = 10
"""In one header: senders that rotate a secret send two."""
_MS_DIGITS: Final = 13
"""A time of so many digits counts ms."""


class SignedWebhook:
    """One key's requests; stateless."""

    def __init__(self, key: Key, mapping: Mapping | None = None) -> None:
        """``mapping``: in the place of the file that the option names."""
        options = Options(key, ("mapping",))
        secrets = options.secrets("what the sender signs with")
        if mapping is None:
            mapping = mapping_file.require(Path(options.required("mapping", "the path of a mapping file")))
        self._signature = mapping.signature
        if isinstance(mapping.signature, Standard):
            secrets = tuple(_standard_secret(key, secret) for secret in secrets)
        self._secrets = secrets
        self._applying = Applying(mapping, Events(KIND, key))

    def read(self, request: Request) -> Reading:
        post_only(request)
        if isinstance(self._signature, Standard):
            self._verify_standard(request, self._signature)
        else:
            self._verify(request, self._signature)
        return Reading(self._applying.items(request))

    def _verify_standard(self, request: Request, how: Standard) -> None:
        id_, timestamp, given = header(request, ID), header(request, TIMESTAMP), header(request, SIGNATURE)
        check_age(signed_at(timestamp, TIMESTAMP), request.received, how.window, TIMESTAMP)
        if "." in id_:
            # The parts of what is signed could be told apart in two ways.
            raise wrong(SIGNATURE)
        message = bytes_of(f"{id_}.{timestamp}.") + request.body
        signed = [_VERSION + base64.b64encode(mac(secret, message)).decode() for secret in self._secrets]
        fits = False
        for one in given.split(" ")[:_MOST_SIGNATURES]:
            for expected in signed:
                fits |= same(one, expected)
        if not fits:
            raise wrong(SIGNATURE)

    def _verify(self, request: Request, how: Mac) -> None:
        given = header(request, how.header)
        before, _, after = how.signed.partition("{body}")
        if how.timestamp:
            timestamp = header(request, how.timestamp)
            unit = 1 if len(timestamp) >= _MS_DIGITS else 1000
            check_age(signed_at(timestamp, how.timestamp, unit), request.received, how.window, how.timestamp)
            before, after = (part.replace("{timestamp}", timestamp) for part in (before, after))
        message = before.encode() + request.body + after.encode()

        def sign(secret: bytes) -> str:
            code = mac(secret, message, how.algorithm)
            return how.prefix + (code.hex() if how.encoding == "hex" else base64.b64encode(code).decode())

        check(given, self._secrets, sign, how.header)


def _standard_secret(key: Key, secret: bytes) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise UserError(
            f"key {key.name}: a secret is not Base64",
            "signature: standard takes secrets as the sender shows them, such as whsec_...",
        ) from None
