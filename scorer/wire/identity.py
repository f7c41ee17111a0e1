"""Which lead, and which company, an event is about: a function of the event and the deployment's secret.

docs/identity.md states the rules for publishers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from scorer.domain.links import ANONYMOUS, EMAIL, PREFIXES, USER
from scorer.wire.blocked import Blocked, read_list
from scorer.wire.company import CONTROL, FREE_MAIL, domain_of, is_account
from scorer.wire.dead_letters import Reason, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorer.settings import Settings
    from scorer.wire.cloudevents import Event

KINDS = ("user_id", "email", "anonymous_id")
"""Identifiers in ``data``, best first."""
MAX_IDENTIFIER = 256
"""Characters of an identifier."""
ABSENT = object()
_ID_BYTES = 16
_REMEMBERED = 2**15

_BLOCK = 64
"""Bytes of SHA-256's block."""
_LETTERS = {"anonymous_id": PREFIXES[ANONYMOUS], "email": PREFIXES[EMAIL], "user_id": PREFIXES[USER]}
_DIGITS = b"0123456789abcdefghijklmnopqrstuv"
_PAIRS = [bytes((high, low)) for high in _DIGITS for low in _DIGITS]
_SHIFTS = range(120, -1, -10)

_WHITE = " \t\r\n"
_EMAIL = re.compile(r"[ \t\r\n]*[^ \t\r\n@]+@[^ \t\r\n@]+[ \t\r\n]*").fullmatch


def normalise_email(text: str) -> str:
    """The address as it is hashed: surrounding blanks, tabs and line ends removed, lower case.

    Nothing more: dots and +tags distinguish mailboxes at some providers, and a rule that guessed
    would join two people for good.
    """
    return text.strip(_WHITE).lower()


class Identity:
    """Lead ids under one secret, and accounts.

    ``blocked``: (kind, identifier) -> whether it counts as absent. ``free_mail``: domains of no company.
    """

    def __init__(
        self,
        secret: str,
        blocked: Callable[[str, str], bool] | None = None,
        free_mail: frozenset[str] = FREE_MAIL,
    ) -> None:
        self._blocked = blocked or Blocked()
        key = secret.encode()
        # HMAC-SHA256 (RFC 2104) with both passes begun: a third of the time of the hmac module, which
        # begins them for every message.
        block = (sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))
        begun = sha256(bytes(byte ^ 0x36 for byte in block))
        self._inner = {}
        for kind in KINDS:
            self._inner[kind] = begun.copy()
            self._inner[kind].update(f"{kind}:".encode())
        # The same people come again and again.
        self._of_identifier = lru_cache(_REMEMBERED)(self._hash)
        self._of_subject = lru_cache(_REMEMBERED)(self._given)
        self._free_mail = free_mail
        self._of_address = lru_cache(_REMEMBERED)(self._domain)

    def lead_id(self, event: Event) -> bytes:
        """``subject`` as it is, or a hash of the best identifier in ``data``; raises ``Rejected``.

        The best is user_id, then email, then anonymous_id; null, "" and those that are blocked, a subject
        among them, count as absent, and those that come after the best are not looked at.
        """
        blocked = ""
        subject = event.subject
        if subject is not None:
            lead = self._of_subject(subject)
            if lead:
                return lead
            blocked = "; subject is one that names nobody"
        data = event.data
        for kind in KINDS:
            value = data.get(kind)
            if value is not None and value != "":
                if type(value) is not str:
                    raise _not_text(kind)
                lead = self._of_identifier(kind, value)
                if lead:
                    return lead
                blocked = f"; {kind} is one that names nobody"
        raise Rejected(Reason.NO_LEAD, f"no subject, and no user_id, email or anonymous_id in data{blocked}")

    def others(self, event: Event, lead: bytes) -> tuple[bytes, ...]:
        """The ids of all identifiers in ``data`` that are not ``lead``; what is none names nobody."""
        found: list[bytes] = []
        data = event.data
        for kind in KINDS:
            value = data.get(kind)
            if type(value) is not str or not value:
                continue
            try:
                other = self._of_identifier(kind, value)
            except Rejected:
                continue
            if other and other != lead:
                found.append(other)
        return tuple(found)

    def account(self, event: Event) -> str | None:
        """The company that an event names, as in ``Fact.account``.

        ``account_id`` in ``data``, else the domain of the address, unless it is one where anybody gets one.
        What is no account's id says nothing: an app may use the name for something of its own.
        """
        data = event.data
        given = data.get("account_id", ABSENT)
        if given is None or given == "":
            return ""
        if isinstance(given, str):
            name = given.strip(_WHITE)
            if is_account(name) and not self._blocked("account_id", name):
                return name
        email = data.get("email")
        if type(email) is not str:
            return None
        return self._of_address(email)

    def _domain(self, email: str) -> str | None:
        """As in ``Fact.account``; None for what is no address of a company."""
        if len(email) > MAX_IDENTIFIER or _EMAIL(email) is None:
            return None
        normal = normalise_email(email)
        domain = domain_of(normal)
        if not domain or domain in self._free_mail or self._blocked("email", normal):
            return None
        return f"@{domain}"

    def _given(self, subject: str) -> bytes:
        """The lead id; empty for what is blocked."""
        if CONTROL(subject):
            raise Rejected(Reason.NO_LEAD, "subject: control characters")
        return b"" if self._blocked("subject", subject) else subject.encode()

    def names_somebody(self, field: str, text: str) -> bool:
        """False for a text in an identifier's field that is none, or is one that names nobody."""
        if field not in _LETTERS:
            return True
        try:
            return bool(self._of_identifier(field, text))
        except Rejected:
            return False

    def _hash(self, kind: str, value: str) -> bytes:
        """The lead id; empty for what is blocked."""
        normal = _normal(kind, value)
        if self._blocked(kind, normal):
            return b""
        inner = self._inner[kind].copy()
        inner.update(normal.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return _LETTERS[kind] + base32hex(outer.digest()[:_ID_BYTES])


def identity_of(settings: Settings) -> Identity:
    """As a deployment is set up; raises ``UserError``."""
    path = settings.blocked_identifiers
    more = [] if path is None else read_list(path, "BLOCKED_IDENTIFIERS")
    free_mail = FREE_MAIL
    if settings.free_mail_domains is not None:
        free_mail |= {
            one.strip().lower().removeprefix("@")
            for one in read_list(settings.free_mail_domains, "FREE_MAIL_DOMAINS")
        }
    return Identity(settings.lead_secret, Blocked(more, roles=settings.block_role_addresses), free_mail)


def base32hex(digest: bytes) -> bytes:
    """Lower-case base32hex (RFC 4648) of 16 bytes without padding: 26 letters and digits."""
    bits = int.from_bytes(digest) << 2
    return b"".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])


def _normal(kind: str, value: str) -> str:
    """The identifier as it is hashed; raises ``Rejected``."""
    if len(value) > MAX_IDENTIFIER:
        raise _not_text(kind)
    if kind != "email":
        return value
    if _EMAIL(value) is None:
        raise Rejected(Reason.NO_LEAD, "data: email: not an address (one @, no blanks inside)")
    return normalise_email(value)


def _not_text(kind: str) -> Rejected:
    return Rejected(Reason.NO_LEAD, f"data: {kind}: must be text of at most {MAX_IDENTIFIER} characters")
