"""Identifiers are found in whatever spelling software has given them, and are named by no finding."""

from __future__ import annotations

import json
from unicodedata import normalize
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scorer.people.asked import Asked
from scorer.people.texts import Texts, texts_of

MAIL = "Anna.Müller@Example.com"
NAME = 'Anna "Änne" O\'Neill / Straße'
PHONE = "+49 (171) 555-0123"


def found(text: str, data: bytes) -> bool:
    return bool(Texts([("it", text)]).found(data))


@pytest.mark.parametrize("text", [MAIL, NAME, PHONE, "user-4711", "日本 太郎", "😀 smile"])
@pytest.mark.parametrize("change", [str, str.lower, str.upper, str.strip, lambda text: f" {text}\n"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize(
    "write",
    [
        str,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: json.dumps(text).replace("/", "\\/"),
        quote,
        quote_plus,
        lambda text: quote(text, safe=""),
        lambda text: quote(text, safe="@").lower(),
        lambda text: text.replace("@", "%40"),
        lambda text: text.replace("@", "\\u0040").replace("'", "\\u0027"),
    ],
)
def test_every_spelling_is_found(text: str, change: object, form: str, write: object) -> None:
    written: str = write(normalize(form, change(text)))  # type: ignore[operator]
    assert found(text, b"\x00\x01" + written.encode() + b"\xff")


def test_a_phone_number_is_its_digits() -> None:
    for written in ("+491715550123", "49 171 5550123", "+49/171/555.0123"):
        assert found(PHONE, written.encode())
    assert not found(PHONE, b"14917155501234")


@pytest.mark.parametrize("blank", ["\u00a0", "\u2011", "\u202f", "\t"])
def test_a_phone_number_may_have_blanks_and_dashes_of_all_kinds(blank: str) -> None:
    written = blank.join(["+49", "171", "555", "0123"])
    for phone in (PHONE, written):
        for data in (written, json.dumps(written), json.dumps(json.dumps(written)), quote(written)):
            assert found(phone, data.encode()), (phone, data)


def test_json_in_json_is_found() -> None:
    written = f"{MAIL} {NAME}"
    for _ in range(4):
        written = json.dumps(written)
        assert found(MAIL, written.encode())
        assert found(NAME, written.encode())


def test_the_form_given_is_found_as_well_as_composed_and_decomposed() -> None:
    text = "M\u00fcller \uf900"
    for written in (text, normalize("NFC", text), normalize("NFD", text)):
        assert found(text, written.encode())
        assert found(text, json.dumps(written).encode())


def whole(text: str, data: bytes) -> bool:
    return bool(Texts([("it", text)]).whole(data))


@pytest.mark.parametrize(
    "data",
    [
        b"joann@firm.com",
        b"jo.ann@firm.com",
        b"jo+ann@firm.com",
        b"jo%2Bann@firm.com",
        b"jo\\u002bann@firm.com",
        b"jo%61nn@firm.com joann%40firm.com",
        "j\u00f6ann@firm.com".encode(),
        b"j\\u00f6ann@firm.com",
        b"j%C3%B6ann@firm.com",
        b"ann@firm.com.au",
        b"ann@firm.com%2eau",
        b"ann@firm.community",
        b"ann@firm.com-x",
        "ann@firm.com\u00e4".encode(),
        b"ann@firm.com\\u00e4",
    ],
)
def test_a_part_of_a_longer_address_is_not_whole(data: bytes) -> None:
    assert not whole("ann@firm.com", data)
    assert whole("ann@firm.com", data + b" ann@firm.com")


@pytest.mark.parametrize(
    "data",
    [
        b"ann@firm.com",
        b'{"email":"Ann@Firm.com"',
        b"mailto:ann%40firm.com?x",
        b"u=%22ann%40firm.com%22",
        b"\\u0022ann\\u0040firm.com\\u0022",
        b'"hello\\nann@firm.com\\n"',
        "\u00abann@firm.com\u00bb".encode(),
        b"%C2%ABann@firm.com%C2%BB",
        b"\xacann@firm.com\xff",
        b"joann@firm.com,ann@firm.com",
    ],
)
def test_a_whole_address_is_found_whatever_its_neighbours_are_written_in(data: bytes) -> None:
    assert whole("ann@firm.com", data)


def test_whole_numbers_and_names() -> None:
    assert not whole("4711", b'{"order":"A-4711"')
    assert not whole("4711", b'{"order":"4711-2"')
    assert whole("4711", b'{"user_id":"4711"')
    assert whole(PHONE, b"tel:+491715550123,")
    assert not whole(PHONE, b"A-491715550123")
    assert whole("\u5c71\u7530\u592a\u90ce", "\u540d\u524d\u5c71\u7530\u592a\u90ce\u3067\u3059".encode())
    assert not whole("nora@firm.com", b'"hello\\nora@firm.com"')


def test_digits_are_meant_as_a_whole() -> None:
    assert found("4711", b'{"user_id":"4711"}')
    assert found("4711", b"\xa44711\xa3abc")
    assert not found("4711", b'{"time":1747112}')


def test_others_are_not_found() -> None:
    assert not found(MAIL, b"anna.muller@example.com Anna.Miller@Example.com")
    assert not found(MAIL, b"Anna.M\xfcller@Example.com")  # Latin-1 is no JSON


@example("00\uf900", b"", b"")  # normalising makes another character of it
@example("a\u0308\u0330", b"", b"")  # and puts these into an order
@given(st.text(min_size=3, max_size=30), st.binary(max_size=20), st.binary(max_size=20))
def test_whatever_is_put_into_json_is_found(text: str, before: bytes, after: bytes) -> None:
    texts = Texts([("it", text)])
    # Of numbers the neighbours count, and of a phone number not what stands before its digits.
    if not texts.names or not set(text) - set("0123456789+ ()/.-\t\u00a0"):
        return
    try:
        written = text.encode()
    except UnicodeEncodeError:
        return
    assert texts.found(before + written + after)
    assert texts.found(json.dumps(text).encode())
    assert len(written.strip()) <= max(texts.longest, len(written.strip()))


def test_findings_name_kind_and_number() -> None:
    asked = Asked(
        (("email", "a@b.example"), ("user-id", "77"), ("email", "c@d.example")), ("lead-1",), (NAME,)
    )
    texts = Texts(texts_of(asked))
    assert texts.names == ["email 1", "email 2", "text 1"]
    assert texts.too_short == ["user-id 1"]
    assert texts.found(b"c@d.example", None, b"") == {"email 2"}
