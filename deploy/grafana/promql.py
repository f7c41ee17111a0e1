"""Reads PromQL, as much of it as dashboards need, so that queries can be judged and not only searched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

AGGREGATIONS: Final = frozenset(
    {"sum", "min", "max", "avg", "count", "group", "quantile", "stddev", "topk", "bottomk", "count_values"}
)
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<string>\"(?:[^\"\\]|\\.)*\")|(?P<range>\[[^\]]+\])|(?P<duration>\d+[smhdw]\b|\$\w+)"
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_:][\w:]*)|(?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){},]))"
)
_LEVELS: Final = (
    ("or",),
    ("and", "unless"),
    ("==", "!=", ">", "<", ">=", "<="),
    ("+", "-"),
    ("*", "/", "%"),
)
"""Of binary operators, the loosest first."""


class Unreadable(Exception):  # noqa: N818 - what it is
    """Where the text is no query."""


@dataclass(frozen=True)
class Selector:
    metric: str
    matchers: tuple[tuple[str, str, str], ...]
    """Label, sign, value."""
    window: str | None
    """What stands between the brackets."""
    offset: str | None


@dataclass(frozen=True)
class Call:
    """A function, or an aggregation, whose labels are told."""

    name: str
    arguments: tuple[Node, ...]
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Binary:
    sign: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Value:
    text: str


Node = Selector | Call | Binary | Value


@cache
def read(text: str) -> Node:
    """Raises ``Unreadable``."""
    reader = _Reader(text)
    node = reader.expression(0)
    if reader.next is not None:
        raise Unreadable(f"{reader.next} is too much")
    return node


def walked(node: Node, above: tuple[Node, ...] = ()) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Each node with those that it is within, the outermost first."""
    yield node, above
    inner: Sequence[Node] = ()
    if isinstance(node, Call):
        inner = node.arguments
    elif isinstance(node, Binary):
        inner = (node.left, node.right)
    for one in inner:
        yield from walked(one, (*above, node))


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._place = 0

    @property
    def next(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _take(self, wanted: str | None = None) -> str:
        token = self.next
        if token is None or (wanted is not None and token != wanted):
            raise Unreadable(f"{token or 'its end'} in place of {wanted or 'more'}")
        self._place += 1
        return token

    def expression(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._one()
        node = self.expression(level + 1)
        while self.next in _LEVELS[level]:
            sign = self._take()
            if self.next in {"on", "ignoring"}:
                self._take()
                self._names()
            node = Binary(sign, node, self.expression(level + 1))
        return node

    def _one(self) -> Node:
        word = self._take()
        if word == "(":
            node = self.expression(0)
            self._take(")")
            return node
        if word[0] == '"' or word[0].isdigit():
            return Value(word)
        if word in AGGREGATIONS:
            by = self._by()
            arguments = self._arguments()
            return Call(word, arguments, by or self._by())
        if self.next == "(":
            return Call(word, self._arguments())
        return self._selector(word)

    def _by(self) -> tuple[str, ...]:
        if self.next != "by":
            return ()
        self._take()
        return self._names()

    def _names(self) -> tuple[str, ...]:
        self._take("(")
        found = []
        while self.next != ")":
            found.append(self._take())
            if self.next == ",":
                self._take()
        self._take(")")
        return tuple(found)

    def _arguments(self) -> tuple[Node, ...]:
        self._take("(")
        found = []
        while self.next != ")":
            found.append(self.expression(0))
            if self.next == ",":
                self._take()
        self._take(")")
        return tuple(found)

    def _selector(self, metric: str) -> Selector:
        matchers = []
        if self.next == "{":
            self._take()
            while self.next != "}":
                matchers.append((self._take(), self._take(), self._take()[1:-1]))
                if self.next == ",":
                    self._take()
            self._take("}")
        window = self._take()[1:-1] if self.next is not None and self.next[0] == "[" else None
        offset = None
        if self.next == "offset":
            self._take()
            offset = self._take()
        return Selector(metric, tuple(matchers), window, offset)


def _tokens(text: str) -> Iterator[str]:
    place = 0
    text = text.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise Unreadable(f"{text[place:][:20]} is nothing that is known")
        place = found.end()
        yield found[0].strip()
