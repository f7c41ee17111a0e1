"""Tokens of e-mail pixels and tracked links: what they are about, sealed.

    token = key name, ".", base64url without padding of
            AES-SIV (RFC 5297) of msgpack [lead, email id, campaign, template, kind, target]

Who can't open a token learns nothing from it but its length, and can make none. AES-SIV needs no nonce: the
same content under the same key gives the same token, its tag of 16 bytes is all that is added, and no number
of mails wears the key out. The purpose and the key's name are authenticated too, so that a pixel's token is
no link's and none is another key's. A key is rotated by putting the new secret before the old ones.

Pure: no clock, no randomness, no I/O.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

if TYPE_CHECKING:
    from collections.abc import Sequence

Purpose = Literal["pixel", "link"]

MIN_SECRET: Final = 16
"""Bytes; a shorter secret could be guessed."""
MAX_TOKEN: Final = 4_096
"""Characters. Longer addresses are cut by some mail programs."""
MAX_TARGET: Final = 2_048
"""Characters of a link's target."""
MAX_LEAD: Final = 256

_PURPOSE: Final = b"scorer mail tokens v1"
_KEY_BYTES: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch
_SEALED: Final = re.compile(r"[A-Za-z0-9_-]+").fullmatch
# http or https, a host that is a name or an address, and nothing that browsers read in ways of their own.
_TARGET: Final = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:[/?#][!#-;=?-\[\]-~]*)?",
    re.IGNORECASE,
).fullmatch

_Short = Annotated[str, msgspec.Meta(max_length=256)]


class Mail(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a pixel or a link belongs to. None: not said."""

    lead: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_LEAD)]
    """A lead id: never an address, which even a sealed token should not hold."""
    email_id: _Short | None = None
    campaign: _Short | None = None
    template: _Short | None = None
    kind: _Short | None = None
    target: Annotated[str, msgspec.Meta(max_length=MAX_TARGET)] | None = None
    """Where a link leads to; None for a pixel."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Mail).decode


class Tokens:
    """Of one key. ``secrets``: the first makes tokens, each of them opens them."""

    def __init__(self, key_name: str, secrets: Sequence[bytes]) -> None:
        """Raises ``ValueError`` for a name that addresses can't hold, and without a long enough secret."""
        if not _NAME(key_name):
            raise ValueError("a key's name has letters, digits, dots, dashes and underscores")
        if not secrets or min(map(len, secrets)) < MIN_SECRET:
            raise ValueError(f"a secret of at least {MIN_SECRET} bytes is needed")
        self._name = key_name
        self._ciphers = [
            AESSIV(HKDF(SHA256(), _KEY_BYTES, salt=None, info=_PURPOSE).derive(secret)) for secret in secrets
        ]

    def make(self, purpose: Purpose, mail: Mail) -> str:
        """Raises ``ValueError`` for what no token would be opened for; says no value of it."""
        content = _encode(mail)
        try:
            _decode(content)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        if purpose == "link":
            check_target(mail.target or "")
        sealed = self._ciphers[0].encrypt(content, self._bound_to(purpose))
        token = f"{self._name}.{_text(sealed)}"
        if len(token) > MAX_TOKEN:
            raise ValueError(f"a token has at most {MAX_TOKEN} characters")
        return token

    def open(self, purpose: Purpose, token: str) -> Mail | None:
        """None for what ``make`` has not made under this name, for this purpose, with one of the secrets."""
        name, _, text = token.rpartition(".")
        if len(token) > MAX_TOKEN or name != self._name or not _SEALED(text):
            return None
        try:
            sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except NotBase64:
            return None
        if _text(sealed) != text:  # another spelling of the same bytes
            return None
        bound_to = self._bound_to(purpose)
        for cipher in self._ciphers:
            try:
                mail = _decode(cipher.decrypt(sealed, bound_to))
                if purpose == "link":
                    check_target(mail.target or "")
            except (InvalidTag, ValueError):  # of msgspec too
                continue
            return mail
        return None

    def _bound_to(self, purpose: Purpose) -> list[bytes]:
        return [purpose.encode(), self._name.encode()]


def key_name(token: str) -> str:
    """Under which key a token says that it was made; "" if it says none."""
    return token.rpartition(".")[0]


def check_target(target: str) -> None:
    """Raises ``ValueError`` unless browsers go where it says.

    http or https, a host, no user name, plain characters only.
    """
    if len(target) > MAX_TARGET:
        raise ValueError(f"an address has at most {MAX_TARGET} characters")
    if not _TARGET(target):
        raise ValueError(
            "not an http or https address in plain characters, with a host and without a user name"
            " (write others percent-encoded)"
        )


def _text(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()
