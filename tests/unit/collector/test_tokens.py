from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.collector.tokens import MAX_TARGET, Mail, Tokens, check_target, key_name

OLD, NEW = b"an old secret of 32 characters..", b"a new secret of 32 characters..."
ANNA = "e_0onj93c5msh39v92uhev5njluo"
TOKENS = Tokens("mail", [NEW])
ALPHABET = string.ascii_letters + string.digits + "-_.=+/ ~%\n\0ü"

texts = st.none() | st.text(max_size=50)
targets = st.sampled_from(
    ["https://example.com", "http://example.com:8080/a?b=c#d", "https://[::1]/x", "HTTPS://EXAMPLE.com/%0A"]
)
mails = st.builds(Mail, st.text(min_size=1, max_size=60), texts, texts, texts, texts, targets)


@given(mails)
def test_what_is_made_is_opened(mail: Mail) -> None:
    for purpose in ("pixel", "link"):
        assert TOKENS.open(purpose, TOKENS.make(purpose, mail)) == mail


@given(mails, st.data())
def test_any_other_token_opens_nothing(mail: Mail, data: st.DataObject) -> None:
    token = TOKENS.make("link", mail)
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from(ALPHABET))
    changed = {
        token[:place] + letter + token[place + 1 :],
        token[:place] + letter + token[place:],
        token[:place],
        token[place:],
        token + "=",
        token + letter,
    } - {token}
    for one in changed:
        assert TOKENS.open("link", one) is None
    assert TOKENS.open("pixel", token) is None
    assert Tokens("mail", [OLD]).open("link", token) is None
    assert Tokens("other", [NEW]).open("link", token.replace("mail.", "other.", 1)) is None


def test_every_bit_counts() -> None:
    """Of the last character too, of which base64 does not need all bits."""
    for lead in ("a", "ab", "abc"):
        token = TOKENS.make("pixel", Mail(lead))
        for place in range(len(token)):
            for letter in string.ascii_letters + string.digits + "-_":
                if letter != token[place]:
                    assert TOKENS.open("pixel", token[:place] + letter + token[place + 1 :]) is None


@given(st.text(max_size=80))
def test_nonsense_opens_nothing(text: str) -> None:
    assert TOKENS.open("pixel", text) is None
    assert TOKENS.open("link", f"mail.{text}") is None


def test_a_token_shows_nothing() -> None:
    token = TOKENS.make("link", Mail(ANNA, "m-1", "autumn", target="https://example.com/pricing"))
    for text in (ANNA, "autumn", "example", "pricing"):
        assert text not in token
    # The same beginning gives another text from the first character on.
    other = TOKENS.make("link", Mail(ANNA, "m-2", "autumn", target="https://example.com/pricing"))
    assert token[5:13] != other[5:13]


def test_the_same_is_the_same() -> None:
    assert TOKENS.make("pixel", Mail(ANNA, "m-1")) == TOKENS.make("pixel", Mail(ANNA, "m-1"))


def test_rotation() -> None:
    before = Tokens("mail", [OLD]).make("pixel", Mail(ANNA))
    both = Tokens("mail", [NEW, OLD])
    assert both.open("pixel", before) == Mail(ANNA)
    assert TOKENS.open("pixel", both.make("pixel", Mail(ANNA))) == Mail(ANNA)
    assert TOKENS.open("pixel", before) is None


def test_a_token_is_short_enough_for_a_mail() -> None:
    token = TOKENS.make("pixel", Mail(ANNA, "m-18273", "autumn-2026", "welcome", "newsletter"))
    assert len(token) < 128
    assert key_name(token) == "mail"


def test_the_keys_name_may_have_dots() -> None:
    tokens = Tokens("mail.eu.1", [NEW])
    token = tokens.make("pixel", Mail(ANNA))
    assert key_name(token) == "mail.eu.1"
    assert tokens.open("pixel", token) == Mail(ANNA)


@pytest.mark.parametrize(
    ("name", "secrets"),
    [("mail", []), ("mail", [b"short"]), ("mail", [NEW, b""]), ("a b", [NEW]), ("", [NEW])],
)
def test_keys_that_are_refused(name: str, secrets: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"secret|name"):
        Tokens(name, secrets)


@pytest.mark.parametrize(
    "mail", [Mail(""), Mail("x" * 257), Mail(ANNA, campaign="x" * 257), Mail(ANNA, target="x" * 3000)]
)
def test_nothing_is_made_that_would_not_be_opened(mail: Mail) -> None:
    with pytest.raises(ValueError, match="Expected"):
        TOKENS.make("pixel", mail)


NASTY = [
    "",
    "/",
    "//evil.example",
    "///evil.example",
    "http:",
    "http:/evil.example",
    "http:evil.example",
    "http://",
    "http:///evil.example",
    "http://?x",
    "http://#x",
    "https://user@evil.example",
    "https://example.com@evil.example/",
    "https://user:secret@evil.example",
    "https://evil.example\\@example.com",
    "https:\\\\evil.example",
    "https://example.com\\evil",
    "javascript:alert(1)",
    "JavaScript://example.com/%0Aalert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "ftp://example.com",
    "vbscript:x",
    "blob:https://example.com/x",
    " https://example.com",
    "https://example.com ",
    "\thttps://example.com",
    "https://example.com\r\nSet-Cookie: a=b",
    "https://example.com/\nx",
    "https://exa\tmple.com",
    "https://example.com/\0",
    "https://example.com/\x7f",
    "https://example.com/\u2028",
    "https://example.com/ü",
    "https://ex\u00adample.com",
    "https://\uff45xample.com",
    "https://.example.com",
    "https://-example.com",
    "https://example.com.:80",
    "https://example.com:port",
    "https://example.com:123456",
    "https://[::1",
    "https://[evil]/",
    "https://exa mple.com",
    'https://example.com/"onload="x',
    "https://example.com/<script>",
    "https://%65xample.com",
    "https://example.com" + "/x" * MAX_TARGET,
]


@pytest.mark.parametrize("target", NASTY)
def test_where_no_link_leads(target: str) -> None:
    with pytest.raises(ValueError, match="address"):
        check_target(target)
    with pytest.raises(ValueError, match=r"address|Expected"):
        TOKENS.make("link", Mail(ANNA, target=target))


@pytest.mark.parametrize(
    "target",
    [
        "https://example.com",
        "http://example.com/",
        "https://www.example.co.uk:8443/a/b;c=d?e=f&g=%20h#i!'()*,:@/?",
        "https://xn--bcher-kva.example/",
        "http://127.0.0.1:9/",
        "https://[2001:db8::1]:443/x",
        "https://example.com?q={x}|y",
    ],
)
def test_where_links_lead(target: str) -> None:
    mail = Mail(ANNA, target=target)
    assert TOKENS.open("link", TOKENS.make("link", mail)) == mail


def test_a_links_token_without_a_good_target_is_none_even_if_it_was_sealed() -> None:
    """As an older or careless maker may have done, with the right secret."""
    sealed = TOKENS._ciphers[0].encrypt(b"\x96\xa1a\xc0\xc0\xc0\xc0\xab//evil.exam", TOKENS._bound_to("link"))
    from scorer.collector.tokens import _text

    assert TOKENS.open("link", f"mail.{_text(sealed)}") is None
