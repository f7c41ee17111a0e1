"""Identifiers are found in whatever spelling software has given them, and are named by no finding."""

from __future__ import annotations

import json
from unicodedata import normalize
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
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


def test_digits_are_meant_as_a_whole() -> None:
    assert found("4711", b'{"user_id":"4711"}')
    assert found("4711", b"\xa44711\xa3abc")
    assert not found("4711", b'{"time":1747112}')


def test_others_are_not_found() -> None:
    assert not found(MAIL, b"anna.muller@example.com Anna.Miller@Example.com")
    assert not found(MAIL, b"Anna.M\xfcller@Example.com")  # Latin-1 is no JSON


@given(st.text(min_size=3, max_size=30), st.binary(max_size=20), st.binary(max_size=20))
def test_whatever_is_put_into_json_is_found(text: str, before: bytes, after: bytes) -> None:
    texts = Texts([("it", text)])
    if not texts.names or text.strip().isdecimal():
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
