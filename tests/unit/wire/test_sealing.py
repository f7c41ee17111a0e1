from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.domain.person import decode_sealed
from scorer.domain.record import Fact, decode_record
from scorer.errors import UserError
from scorer.wire.dead_letters import Rejected
from scorer.wire.identity import Identity
from scorer.wire.intake import Intake
from scorer.wire.properties import PERSONAL
from scorer.wire.registry import Registry
from scorer.wire.sealing import (
    KEY_ID_BYTES,
    LeadKey,
    Sealer,
    Wrap,
    field_names,
    key_name,
    new_key,
    parse_key_name,
    seal,
    unseal,
)

REGISTRY = Registry.load()
EMAIL = "activity.email.v1"
NOON = 1793534400000  # 2026-11-01T12:00:00Z
WHO = Identity("secret")
ANNA = "Anna@Example.com"


class Made:
    """Keys in memory; counts those asked for."""

    def __init__(self) -> None:
        self.keys: dict[bytes, LeadKey] = {}
        self.asked = 0

    def key_of(self, lead: bytes) -> LeadKey:
        self.asked += 1
        return self.keys.setdefault(lead, new_key(lead))

    def find(self, lead: bytes, key_id: bytes) -> bytes | None:
        key = self.keys.get(lead)
        return key.key if key is not None and key.id == key_id else None


def one(data: dict[str, Any], kind: str = "email.opened", id_: str = "e1", **more: Any) -> bytes:
    event = {"specversion": "1.0", "id": id_, "source": "/t", "type": kind, "data": data, "time": None}
    return json.dumps(event | more).encode()


def sealing(made: Made, *fields: str, max_bytes: int = REGISTRY.max_log_bytes) -> Intake:
    return Intake(WHO, max_bytes, REGISTRY, Sealer(fields, made, WHO.names_somebody))


def sealed_of(intake: Intake, value: bytes, topic: str = EMAIL) -> dict[str, bytes] | None:
    record = decode_record(intake(topic, value, NOON)[0][1])
    assert isinstance(record, Fact)
    return None if record.sealed is None else decode_sealed(record.sealed)


# -- the cipher ---------------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=300).filter(lambda lead: b"\x1f" not in lead), st.text(max_size=256))
def test_what_is_sealed_opens_with_its_key_alone(lead: bytes, text: str) -> None:
    key, other = new_key(lead), new_key(lead)
    sealed = seal(key, "name", text)
    assert unseal(sealed, "name", lambda *asked: key.key if asked == (lead, key.id) else None) == text
    assert unseal(sealed, "name", lambda *_: other.key) is None
    assert unseal(sealed, "name", lambda *_: None) is None


def test_what_is_sealed_opens_in_its_own_place_alone() -> None:
    key, thief = new_key(b"lead-1"), b"lead-2"
    sealed = seal(key, "email", ANNA)
    assert unseal(sealed, "name", lambda *_: key.key) is None
    moved = thief + sealed.removeprefix(b"lead-1")
    assert unseal(moved, "email", lambda *_: key.key) is None


def test_what_is_damaged_or_cut_short_opens_nowhere() -> None:
    key = new_key(b"lead-1")
    sealed = seal(key, "email", ANNA)
    for length in range(len(sealed)):
        assert unseal(sealed[:length], "email", lambda *_: key.key) is None
    damaged = sealed[:-1] + bytes([sealed[-1] ^ 1])
    assert unseal(damaged, "email", lambda *_: key.key) is None


def test_the_same_text_never_looks_the_same() -> None:
    key = new_key(b"lead-1")
    assert seal(key, "email", ANNA) != seal(key, "email", ANNA)


def test_a_wrapped_key_opens_under_its_secret_and_its_name_alone() -> None:
    key = new_key(b"lead-1")
    wrapped = Wrap("secret").close(key)
    assert key.key not in wrapped
    assert Wrap("secret").open(key.name, wrapped) == key.key
    assert Wrap("another").open(key.name, wrapped) is None
    assert Wrap("secret").open(key_name(b"lead-2", key.id), wrapped) is None
    assert Wrap("secret").open(key.name, wrapped[:11]) is None


@pytest.mark.parametrize("name", [b"lead-1", b"\x1f0011223344556677", b"l\x1f00", b"l\x1fzz", b"l\x1f\xff"])
def test_other_record_keys_are_none(name: bytes) -> None:
    assert parse_key_name(name) is None


def test_a_record_s_key_names_lead_and_key() -> None:
    key = new_key("lëad".encode())
    assert len(key.id) == KEY_ID_BYTES
    assert parse_key_name(key.name) == (key.lead, key.id)


# -- which fields ------------------------------------------------------------------------------------


def test_the_settings_name_fields_that_identify_a_person() -> None:
    assert field_names("", "X") == field_names(" , ", "X") == ()
    assert field_names(" name, email,name", "X") == ("email", "name")
    assert field_names(",".join(PERSONAL), "X") == tuple(sorted(PERSONAL))
    with pytest.raises(UserError, match="SCORER_SEALED_FIELDS: company, mail:"):
        field_names("email,mail,company", "SCORER_SEALED_FIELDS")


def test_chosen_fields_are_sealed_and_the_others_dropped() -> None:
    made = Made()
    intake = sealing(made, "email", "first_name")
    value = one({"email": f" {ANNA}\n", "firstName": "Anna", "last_name": "Example", "plan": "pro"})
    ((lead, encoded),) = intake(EMAIL, value, NOON)
    record = decode_record(encoded)
    assert isinstance(record, Fact)
    assert record.properties == {"plan": "pro"}
    assert record.sealed is not None
    opened = {name: unseal(blob, name, made.find) for name, blob in decode_sealed(record.sealed).items()}
    assert opened == {"email": ANNA, "first_name": "Anna"}
    assert set(made.keys) == {lead}
    for text in (b"Anna", b"Example", b"anna"):
        assert text not in encoded


@pytest.mark.parametrize(
    "data",
    [
        {"name": ""},
        {"name": "  "},
        {"name": "n" * 257},
        {"name": 17},
        {"name": None},
        {"name": ["Anna"]},
        {"person": {"name": "Anna"}},
        {"person.name": "Anna"},
        {"phone": "+49 30 1234"},
        {"email": "null"},
        {"email": "not an address"},
        {},
    ],
)
def test_what_is_no_text_or_not_chosen_is_not_sealed(data: dict[str, Any]) -> None:
    made = Made()
    assert sealed_of(sealing(made, "name", "email"), one(data, subject="lead-1")) is None
    assert made.asked == 0


def test_a_text_is_sealed_once_and_a_new_one_again() -> None:
    made = Made()
    intake = sealing(made, "email", "name")
    said: list[dict[str, str]] = [
        {"email": ANNA, "name": "Anna"},
        {"email": ANNA},
        {"email": f" {ANNA} ", "name": "Anna"},
        {"email": ANNA, "name": "Anna Example"},
        {"email": ANNA, "name": "Anna"},
    ]
    kept = [sealed_of(intake, one(data, subject="lead-1")) for data in said]
    assert [None if one is None else sorted(one) for one in kept] == [
        ["email", "name"],
        None,
        None,
        ["name"],
        ["name"],
    ]
    assert sealed_of(intake, one(said[0], subject="lead-2")) is not None


def test_a_lead_that_lost_its_key_or_its_fact_is_sealed_anew() -> None:
    made = Made()
    sealer = Sealer(["name"], made, WHO.names_somebody)
    assert sealer.seal(b"lead-1", {"name": "Anna"}) is not None
    assert sealer.seal(b"lead-1", {"name": "Anna"}) is None
    sealer.forget(b"lead-1")
    assert sealer.seal(b"lead-1", {"name": "Anna"}) is not None


def test_a_fact_that_is_too_large_for_the_log_does_not_count_as_sealed() -> None:
    made = Made()
    intake = sealing(made, "name", max_bytes=1_000)
    with pytest.raises(Rejected):
        intake(EMAIL, one({"name": "Anna", "text": "x" * 1_000}, subject="lead-1"), NOON)
    assert sealed_of(intake, one({"name": "Anna"}, subject="lead-1")) is not None


def test_only_so_many_leads_are_remembered() -> None:
    sealer = Sealer(["name"], Made(), WHO.names_somebody, remembered=2)
    for lead in (b"1", b"2", b"1", b"3"):
        sealer.seal(lead, {"name": "Anna"})
    assert sealer.seal(b"1", {"name": "Anna"}) is None
    assert sealer.seal(b"2", {"name": "Anna"}) is not None


def test_without_the_setting_nothing_is_sealed() -> None:
    intake = Intake(WHO, REGISTRY.max_log_bytes, REGISTRY)
    assert sealed_of(intake, one({"email": ANNA, "name": "Anna"})) is None


def test_what_was_said_an_hour_ago_is_said_again() -> None:
    sealer = Sealer(["name"], Made(), lambda *_: True)
    hour = 3_600_000
    assert sealer.seal(b"lead-1", {"name": "Anna"}, 0) is not None
    assert sealer.seal(b"lead-1", {"name": "Anna"}, hour - 1) is None
    assert sealer.seal(b"lead-1", {"name": "Anna"}, hour - 1, anew=True) is not None
    assert sealer.seal(b"lead-1", {"name": "Anna"}, 2 * hour - 2) is None
    assert sealer.seal(b"lead-1", {"name": "Anna"}, 2 * hour - 1) is not None
