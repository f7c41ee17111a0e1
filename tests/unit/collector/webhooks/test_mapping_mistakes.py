"""Every mistake in a mapping file at once, with its line and a hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.collector.source import Key
from scorer.collector.sources.webhook import SignedWebhook
from scorer.collector.webhook.mapping_file import loads
from scorer.errors import UserError
from tests.unit.collector.webhooks.signing import STANDARD

HEAD = "webhook: Shop\nsignature: standard\n"
EVENT = "events:\n- type: app.bought\n  id: $.id\n  user_id: $.user\n"

EVERYTHING_WRONG = """\
webhok: Shop
signature:
  algorithm: md5
  encoding: hexx
  timestamp: X-Time
  signed: "{body}"
each: $.events
events:
- type: page.form_submited
  id: event.id
  topic: activity.page.v1
- when:
    $.a..b: x
    $.type:
  type: app.bought
  time: $.a[*]
  email: $.email
  data:
    email: $.email
    form: $.a[
"""


NO_ID = "`id: $.event_id`, or `id: content` where the message has none of its own"


def test_all_mistakes_at_once_with_line_and_hint() -> None:
    loaded = loads(EVERYTHING_WRONG)
    assert loaded.mapping is None
    found = {(one.line, one.message): one.hint for one in loaded.diagnostics if one.severity == "error"}
    expected = {
        (1, "unknown key `webhok` in the mapping"): "did you mean `webhook`?",
        (3, "`header` is missing in `signature`"): "`header: X-Signature`, the header that holds it",
        (3, "`md5` is not known here"): "known here: `sha256`, `sha1`, `sha512`",
        (4, "`hexx` is not known here"): "did you mean `hex`?",
        (5, "the time is not signed: `signed` has no {timestamp}"): None,
        (7, "`each` names all members of a list"): "write `$.events[*]`",
        (9, "there is no activity `page.form_submited`"): "did you mean `page.form_submitted`?",
        (9, "whom is it about?"): "`email: $.email`; or user_id, anonymous_id",
        (10, "a selector begins with `$`, the message"): "write `$.event.id`",
        (11, "unknown key `topic` in an event"): "the topic follows from `type`",
        (
            12,
            "`id` is missing in an event",
        ): "`id: $.event_id`, or `id: content` where the message has none of its own",
        (13, "`..` searches everywhere; name every step"): None,
        (14, "with what value?"): "`$.type: lead.created`, or a list of values",
        (16, "`[*]` names many values; only `each` may, at its end"): None,
        (19, "`email` finds the lead"): "write it beside `type`, not in `data`",
        (20, "in brackets stands [0], ['name'] or [?@.name == 'text']"): None,
    }
    assert found == expected


def test_a_mistake_is_shown_with_its_line_and_a_caret() -> None:
    (mistake,) = loads(HEAD + EVENT.replace("$.user", "$.user.0")).diagnostics
    assert mistake.render() == (
        "mapping.yaml:6:18: error: a place in a list is written [0]\n"
        "    6 |   user_id: $.user.0\n"
        "      |                  ^^"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("- a\n", "a mapping file is written as `key: value` lines"),
        ("webhook: S\nsignature: none\n" + EVENT, "`none` is no way to sign"),
        ("webhook: S\nsignature: {header: X, signed: '{timestamp}{body}'}\n" + EVENT, "where does it stand?"),
        ("webhook: S\nsignature: {header: X, signed: body}\n" + EVENT, "holds {body} once"),
        ("webhook: S\nsignature: {header: X, window: 5 minutes}\n" + EVENT, "`window` needs `timestamp`"),
        ("webhook: S\nsignature: {header: X, secret: s3cret}\n" + EVENT, "unknown key `secret`"),
        (HEAD + "events: []\n", "this list is empty"),
        (HEAD + "events: some\n", "`events` is a list"),
        (HEAD, "`events` is missing"),
        (HEAD + EVENT + "  data: {code: 007}\n", "is `007` a number or a text?"),
        (HEAD + EVENT + "  when: {$.type: []}\n", "this list is empty"),
        (HEAD + EVENT + "  data: &x {a: *x}\n", "anchor"),
    ],
)
def test_mistakes(text: str, said: str) -> None:
    loaded = loads(text)
    assert loaded.mapping is None
    assert any(said in one.message for one in loaded.diagnostics), [one.message for one in loaded.diagnostics]


def test_a_key_whose_mapping_is_no_good_says_why(tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(EVERYTHING_WRONG, "utf-8")
    with pytest.raises(UserError, match=r"(?s)no good.*did you mean `webhook`.*did you mean `hex`"):
        SignedWebhook(Key("shop", (STANDARD,), {"mapping": str(file)}))


def test_secrets_of_standard_webhooks_are_base64() -> None:
    mapping = loads(HEAD + EVENT).mapping
    with pytest.raises(UserError, match="not Base64"):
        SignedWebhook(Key("shop", (b"whsec_no base64",), {}), mapping)
    assert SignedWebhook(Key("shop", (STANDARD.removeprefix(b"whsec_"),), {}), mapping)


words = st.sampled_from(
    [
        *EVERYTHING_WRONG.split(),
        *(HEAD + EVENT).split(),
        *("[", "]", "{", "}", ":", "-", ",", "'", '"', "#", "&", "*", "!", "|", ">", "\n", "\n ", "\n  - "),
        *("$.a", "$.b[0]", "content", "profile.updated", "{body}", "{timestamp}", "1", "true", "null"),
    ]
)


@given(st.lists(words, max_size=40).map(" ".join) | st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_mapping_or_mistakes(text: str) -> None:
    loaded = loads(text)
    assert (loaded.mapping is None) == any(one.severity == "error" for one in loaded.diagnostics)
