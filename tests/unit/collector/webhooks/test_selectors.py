"""Selectors name one value of a message, or say where they are wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.collector.webhook.selectors import ABSENT, Selector, parse

MESSAGE = {
    "a": {"b-c": [10, 20, {"d": None}], "with blank": 1},
    "answers": [
        {"type": "text", "text": "x"},
        7,
        {"type": "email", "email": "e@example.com"},
        {"type": "email"},
    ],
    "": 0,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$", MESSAGE),
        ("$.a.b-c[0]", 10),
        ("$.a.b-c[-2]", 20),
        ("$.a.b-c[2].d", None),
        ("$.a['with blank']", 1),
        ('$["a"]["with blank"]', 1),
        ("$['']", 0),
        ("$.answers[?@.type == 'email'].email", "e@example.com"),
        ('$.answers[?@.type=="text"].text', "x"),
        ("$.answers[?@.type == 'none'].text", ABSENT),
        ("$.a.b-c[3]", ABSENT),
        ("$.a.b-c[-4]", ABSENT),
        ("$.a.b-c.d", ABSENT),
        ("$.a[0]", ABSENT),
        ("$.nowhere.at.all", ABSENT),
        ("header X-Event", "bought"),
        ("header X-Other", ABSENT),
    ],
)
def test_selectors(text: str, expected: Any) -> None:
    found = parse(text)
    assert isinstance(found, Selector), found
    value = found.find(MESSAGE, {"x-event": "bought"})
    assert value is expected if expected is ABSENT else value == expected


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("a.b", 0, "begins with `$`"),
        ("$a", 1, "a step is"),
        ("$.a..b", 3, "`..` searches everywhere"),
        ("$.a[*]", 3, "only `each` may"),
        ("$.a.0", 3, "a place in a list is written [0]"),
        ("$.a[b]", 3, "in brackets stands"),
        ("$.a[?@.b > 1]", 3, "in brackets stands"),
        ("$.a[0", 3, "in brackets stands"),
        ("$.a b", 3, "a step is"),
        ("$" + ".a" * 40, 65, "at most 32 steps"),
        ("header two words", 7, "a header has a name"),
    ],
)
def test_mistakes_in_selectors_are_placed(text: str, at: int, said: str) -> None:
    found = parse(text)
    assert not isinstance(found, Selector)
    assert found[0] == at
    assert said in found[1]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_characters="'\\"), max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=json_values)
@settings(max_examples=200, deadline=None)
def test_every_value_of_a_message_can_be_named(value: Any) -> None:
    for path, expected in _places(value, "$"):
        found = parse(path)
        assert isinstance(found, Selector)
        assert found.find(value, {}) is expected


def _places(value: Any, path: str) -> list[tuple[str, Any]]:
    found = [(path, value)]
    if isinstance(value, dict):
        for name, inner in value.items():
            found += _places(inner, f"{path}['{name}']")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            found += _places(inner, f"{path}[{place}]")
            found.append((f"{path}[{place - len(value)}]", inner))
    return [one for one in found if path.count("[") <= 8]


@given(st.text(max_size=30) | st.text("$.[]'\"?@=* abc0-", max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_selector_or_a_mistake_within_it(text: str) -> None:
    found = parse(text)
    assert isinstance(found, Selector) or 0 <= found[0] <= max(len(text), len("header "))
