"""What records say of the person behind a lead, beside what scores: sealed fields, and the company."""

from __future__ import annotations

from typing import Final

import msgspec

from scorer.domain.lead import Company, Lead, Sealed
from scorer.domain.record import Fact, Posting

SEALED_FIELDS: Final = 16
"""Kept of a lead; a further one is not taken."""
DOMAIN: Final = "@"
"""Begins what ``Fact.account`` says by the domain of an address."""

encode_sealed = msgspec.msgpack.Encoder(order="sorted").encode
"""Field -> its sealed bytes, as in ``Fact.sealed``."""
decode_sealed = msgspec.msgpack.Decoder(dict[str, bytes]).decode
"""The inverse; raises ``msgspec.MsgspecError`` on anything else."""


def take_in(lead: Lead, record: Posting | Fact) -> None:
    """Keep what a fact of the lead says: the latest by event time."""
    if record.account is not None:
        lead.company = _belonging(lead.company, record.account, record.time)
    if record.sealed is not None:
        sealed = dict(lead.sealed or {})  # outcomes that wait to be sent hold the one before
        for name, one in decode_sealed(record.sealed).items():
            _keep(sealed, name, (record.time, one))
        lead.sealed = sealed


def unite(lead: Lead, other: Lead) -> None:
    """Add what is known of the same person under another name."""
    if other.sealed is not None:
        sealed = dict(lead.sealed or {})
        for name, one in other.sealed.items():
            _keep(sealed, name, one)
        lead.sealed = sealed
    if other.company is not None:
        given_at, given, mailed_at, domain = other.company
        if given_at:
            lead.company = _belonging(lead.company, given, given_at)
        if mailed_at:
            lead.company = _belonging(lead.company, DOMAIN + domain, mailed_at)


def account_of(lead: Lead) -> str:
    """The account that the lead belongs to, a given one before a domain's; empty: none."""
    if lead.company is None:
        return ""
    given_at, given, _, domain = lead.company
    return given if given_at else domain


def _belonging(company: Company | None, account: str, time: int) -> Company:
    given_at, given, mailed_at, domain = company or (0, "", 0, "")
    if account[:1] == DOMAIN:
        # Of two at the same instant the greater: whichever comes first.
        if (time, account[1:]) > (mailed_at, domain):
            return given_at, given, time, account[1:]
    elif (time, account) > (given_at, given):
        return time, account, mailed_at, domain
    return given_at, given, mailed_at, domain


def _keep(sealed: dict[str, Sealed], name: str, one: Sealed) -> None:
    mine = sealed.get(name)
    if (mine is None and len(sealed) < SEALED_FIELDS) or (mine is not None and one > mine):
        sealed[name] = one
