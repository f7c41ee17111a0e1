from __future__ import annotations

import hmac
from base64 import b32hexencode
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.wire.cloudevents import Event
from scorer.wire.identity import Identity, base32hex, normalise_email

IDENTITY = Identity("secret")


def lead(data: dict[str, Any], subject: str | None = None, identity: Identity = IDENTITY) -> bytes:
    return identity.lead_id(Event("1.0", "1", "/", "email.opened", data, subject))


def by_the_book(secret: str, kind: str, value: str) -> bytes:
    digest = hmac.digest(secret.encode(), f"{kind}:{value}".encode(), sha256)[:16]
    return f"{kind[0]}_".encode() + b32hexencode(digest).rstrip(b"=").lower()


@given(st.text(max_size=200), st.sampled_from(["user_id", "anonymous_id"]), st.text(min_size=1, max_size=256))
def test_a_lead_id_is_the_hmac_of_kind_and_identifier(secret: str, kind: str, value: str) -> None:
    assert lead({kind: value}, identity=Identity(secret)) == by_the_book(secret, kind, value)


def test_the_documented_vectors() -> None:
    # docs/identity.md shows these.
    assert lead({"user_id": "4711"}) == b"u_p7hg751p73rrgmfj374brs6u1o"
    assert lead({"email": " Anna@Example.com\n"}) == b"e_0onj93c5msh39v92uhev5njluo"
    assert lead({"anonymous_id": "b2f6-77"}) == b"a_t71uovfvuqv316i8dc46rnrq70"


def test_a_secret_longer_than_a_block_is_hashed_first_as_hmac_says() -> None:
    secret = "s" * 65
    assert lead({"user_id": "x"}, identity=Identity(secret)) == by_the_book(secret, "user_id", "x")


def test_subject_comes_first_then_user_id_then_email_then_anonymous_id() -> None:
    everything = {"anonymous_id": "a", "email": "a@b", "user_id": "u"}
    assert lead(everything, "s") == b"s"
    assert lead(everything).startswith(b"u_")
    assert lead(everything | {"user_id": None}).startswith(b"e_")
    assert lead(everything | {"user_id": "", "email": ""}).startswith(b"a_")


def test_different_secrets_and_kinds_give_different_leads() -> None:
    ids = {lead({kind: "a@b"}) for kind in ("user_id", "email", "anonymous_id")}
    ids |= {lead({"email": "a@b"}, identity=Identity("other"))}
    assert len({name[2:] for name in ids}) == 4


@pytest.mark.parametrize("spelling", ["anna@example.com", "Anna@Example.COM", " \tanna@example.com\r\n"])
def test_spellings_of_an_address_are_one_lead(spelling: str) -> None:
    assert lead({"email": spelling}) == lead({"email": "anna@example.com"})


@pytest.mark.parametrize("other", ["an.na@example.com", "anna+x@example.com", "anna@example.org"])
def test_addresses_that_may_be_two_mailboxes_are_two_leads(other: str) -> None:
    assert lead({"email": other}) != lead({"email": "anna@example.com"})


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise_email(text)
    assert normalise_email(once) == once


@given(st.binary(min_size=16, max_size=16))
def test_base32hex_is_rfc_4648_s(digest: bytes) -> None:
    assert base32hex(digest) == b32hexencode(digest).rstrip(b"=").lower()
