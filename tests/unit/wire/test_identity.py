from __future__ import annotations

import hmac
from base64 import b32hexencode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scorer.errors import UserError
from scorer.settings import Settings
from scorer.wire.blocked import Blocked
from scorer.wire.cloudevents import Event
from scorer.wire.dead_letters import Reason, Rejected
from scorer.wire.identity import Identity, base32hex, identity_of, normalise_email

IDENTITY = Identity("secret")


def lead(data: dict[str, Any], subject: str | None = None, identity: Identity = IDENTITY) -> bytes:
    return identity.lead_id(Event("1.0", "1", "/", "email.opened", data, subject))


def by_the_book(secret: str, kind: str, value: str) -> bytes:
    digest = hmac.digest(secret.encode(), f"{kind}:{value}".encode(), sha256)[:16]
    return f"{kind[0]}_".encode() + b32hexencode(digest).rstrip(b"=").lower()


@given(st.text(max_size=200), st.sampled_from(["user_id", "anonymous_id"]), st.text(min_size=1, max_size=256))
def test_a_lead_id_is_the_hmac_of_kind_and_identifier(secret: str, kind: str, value: str) -> None:
    assume(not Blocked()(kind, value))
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


# -- who is who ---------------------------------------------------------------------------------------


def others(data: dict[str, Any], subject: str | None = None, identity: Identity = IDENTITY) -> set[bytes]:
    event = Event("1.0", "1", "/", "profile.updated", data, subject)
    return set(identity.others(event, identity.lead_id(event)))


def test_the_other_identifiers_of_a_record() -> None:
    everything = {"anonymous_id": "a", "email": " A@B ", "user_id": "u", "plan": "x"}
    rest = {lead({"anonymous_id": "a"}), lead({"email": "a@b"})}
    assert others(everything) == rest
    assert others(everything, "s") == rest | {lead({"user_id": "u"})}
    assert others({"email": "a@b"}) == set()


@pytest.mark.parametrize(
    "wrong", [17, None, "", ["a"], "no address", "null", "NULL ", "x" * 257], ids=lambda one: str(one)[:20]
)
def test_what_is_no_identifier_names_nobody_else(wrong: Any) -> None:
    assert others({"user_id": "u", "email": wrong}) == set()


@pytest.mark.parametrize("kind", ["user_id", "anonymous_id"])
@pytest.mark.parametrize(
    "value", ["null", " Undefined", "UNKNOWN", "[object Object]", "0", "00000000-0000-0000", "-", "-1"]
)
def test_an_identifier_that_names_nobody_counts_as_absent(kind: str, value: str) -> None:
    other = "user_id" if kind == "anonymous_id" else "anonymous_id"
    assert lead({kind: value, other: "somebody"}) == lead({other: "somebody"})
    with pytest.raises(Rejected) as rejected:
        lead({kind: value})
    assert rejected.value.reason is Reason.NO_LEAD
    assert f"{kind} is one that names nobody" in rejected.value.detail


def test_addresses_that_name_nobody(tmp_path: Path) -> None:
    assert lead({"email": "Test@Example.com", "anonymous_id": "a"}) == lead({"anonymous_id": "a"})
    assert lead({"email": "info@firm.com", "anonymous_id": "a"}) == lead({"email": "info@firm.com"})
    file = tmp_path / "blocked.txt"
    file.write_text("# ours\nDemo@firm.com\n\n@test.firm.com\nkiosk-1\n")
    given = Settings(lead_secret="secret", blocked_identifiers=file, block_role_addresses=True)
    strict = identity_of(given)
    for address in ("demo@firm.com", "anybody@test.firm.com", "info@firm.com", "No-Reply@firm.com"):
        found = lead({"email": address, "anonymous_id": "a"}, identity=strict)
        assert found == lead({"anonymous_id": "a"})
    assert lead({"user_id": "kiosk-1", "email": "a@b"}, identity=strict) == lead({"email": "a@b"})
    assert lead({"email": "anna@firm.com"}, identity=strict) == lead({"email": "anna@firm.com"})


def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        identity_of(Settings(blocked_identifiers=tmp_path / "none"))


@pytest.mark.parametrize("subject", ["null", "Unknown ", "0", "--", "[object Object]"])
def test_a_subject_that_names_nobody_counts_as_absent(subject: str) -> None:
    assert lead({"user_id": "u"}, subject) == lead({"user_id": "u"})
    with pytest.raises(Rejected, match="subject is one that names nobody"):
        lead({}, subject)


# -- the company --------------------------------------------------------------------------------------


def company(data: dict[str, Any], identity: Identity | None = None) -> str | None:
    return (identity or Identity("secret")).account(Event("1.0", "1", "/", "t", data, "lead"))


@pytest.mark.parametrize(
    ("data", "account"),
    [
        ({"email": "Anna@Acme.COM "}, "@acme.com"),
        ({"email": "anna@mail.acme.co.uk"}, "@mail.acme.co.uk"),
        ({"email": "anna@GMail.com"}, None),
        ({"email": "anna@t-online.de"}, None),
        ({"email": "test@example.com"}, None),
        ({"email": "no address"}, None),
        ({"email": 17}, None),
        ({"email": f"anna@{'x' * 129}"}, None),
        ({"email": "anna@acme.com", "account_id": "4711"}, "4711"),
        ({"email": "anna@acme.com", "account_id": None}, ""),
        ({"email": "anna@acme.com", "account_id": ""}, ""),
        ({"account_id": " acme.com\n"}, "acme.com"),
        ({"email": "anna@acme.com."}, "@acme.com"),
        ({"email": "anna@müller.example"}, "@müller.example"),
        ({"email": "anna@localhost"}, None),
        ({"email": "anna@[127.0.0.1]"}, None),
        ({"user_id": "u"}, None),
        ({}, None),
    ],
)
def test_the_company_of_an_event(data: dict[str, Any], account: str | None) -> None:
    assert company(data) == account


@pytest.mark.parametrize(
    "given", [4711, True, ["acme"], {"id": "acme"}, "@acme", "a\nb", "x" * 129, "null", "Unknown", "0", " "]
)
def test_an_account_id_that_is_none_says_nothing(given: Any) -> None:
    assert company({"account_id": given}) is None
    assert company({"account_id": given, "email": "anna@acme.com"}) == "@acme.com"


def test_more_domains_of_no_company(tmp_path: Path) -> None:
    file = tmp_path / "domains.txt"
    file.write_text("# ours\n@Agency.example\n")
    identity = identity_of(Settings(lead_secret="secret", free_mail_domains=file))
    assert company({"email": "anna@agency.example"}, identity) is None
    assert company({"email": "anna@gmail.com"}, identity) is None
    assert company({"email": "anna@acme.example"}, identity) == "@acme.example"
    with pytest.raises(UserError, match="No such file") as missing:
        identity_of(Settings(free_mail_domains=tmp_path / "none"))
    assert missing.value.hint == "it is SCORER_FREE_MAIL_DOMAINS"
