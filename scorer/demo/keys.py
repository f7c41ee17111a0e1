"""The keys of the demonstration's publishers, made anew each time, and the collector's keys file for them."""

from __future__ import annotations

import secrets
from base64 import b64encode
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CRM: Final = Path(__file__).with_name("crm.yaml")
"""The mapping file of the CRM's webhook."""

_KEYS: Final = """\
keys:
  app:                               # the trial, by a Segment SDK
    kind: segment
    secrets: [file:app.secret]
  site:                              # pages without script
    kind: page
    secrets: [file:site.secret]
  page:                              # the page that you are shown
    kind: snippet
    secrets: [file:page.secret]
    origins: ["*"]
  opens:                             # the pictures and links of the newsletter
    kind: pixel
    secrets: [file:letters.secret]
  clicks:
    kind: link
    secrets: [file:letters.secret]
  mail:                              # all other mails
    kind: sendgrid
    secrets: [file:mail.public]
  calls:                             # the scheduler, for two kinds of meetings
    kind: calendly
    secrets: [file:calendly.secret]
  demos:
    kind: calendly
    secrets: [file:calendly.secret]
    options: {kind: demo}
  crm:
    kind: webhook
    secrets: [file:crm.secret]
    options: {mapping: %s}
"""


class Keys(NamedTuple):
    """What publishers sign with or show."""

    app: str
    site: str
    page: str
    letters: bytes
    mail: ec.EllipticCurvePrivateKey
    calendly: bytes
    crm: bytes

    def write(self, path: Path) -> None:
        """The keys file at ``path``, and beside it what the collector has to know of each."""
        shown = self.mail.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        held = {
            "app.secret": self.app.encode(),
            "site.secret": self.site.encode(),
            "page.secret": self.page.encode(),
            "letters.secret": self.letters,
            "mail.public": b64encode(shown),
            "calendly.secret": self.calendly,
            "crm.secret": b"whsec_" + b64encode(self.crm),
        }
        for name, value in held.items():
            path.with_name(name).write_bytes(value)

        path.write_text(_KEYS % CRM, "utf-8")


def make_keys() -> Keys:
    """Different ones each time."""
    return Keys(
        app=secrets.token_hex(16),
        site=secrets.token_hex(16),
        page=f"web_{secrets.token_hex(8)}",
        letters=secrets.token_hex(32).encode(),
        mail=ec.generate_private_key(ec.SECP256R1()),
        calendly=secrets.token_hex(32).encode(),
        crm=secrets.token_bytes(32),
    )
