"""Payloads that are nearly right: the mistakes that senders make, and those that nobody would."""

from __future__ import annotations

import json
from copy import deepcopy
from random import Random
from typing import Any, Final

ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 1e-320, 10**30, -(10**30), 2**31, 2**53 + 1, 2**63,
    -(2**63), 2**64, 10**400, 1793534400000, 253_402_300_800_000, "", " ", "\x00", "a", "a" * 300,
    "a" * 5_000, "null", "undefined", "NaN", "0", "-1", "9" * 400, "anna@example.com", "@", "a@b@c",
    " anna@example.com\n", "\ud800", "\U0001f4a5", "\u202e", "e\u0301", "1\u0660", "2026-13-45T99:99:99Z",
    "9999-12-31T23:59:60Z", "0001-01-01T00:00:00+23:59", "2026-11-20", "Nov 20, 2026",
    "1970-01-01T00:00:00.000000000000001Z", "https://[", "http://a:b@c:99999/?x#y", "javascript:alert(1)",
    "../../etc/passwd", "%00%ff", "a\r\nb: c", [], {}, [[]], [None], [{}], [1, "a", None, [2], {"b": 3}],
    {"": ""}, {"a": None}, {"__proto__": {"a": 1}}, {"email": ["a@b.de"]}, {"user_id": 17}, {"$ref": "#"},
    ["a"] * 150, {f"k{n}": n for n in range(300)},
)  # fmt: skip
NAMES: Final = (
    "", "email", "user_id", "userId", "anonymousId", "type", "id", "time", "timestamp", "sentAt", "data",
    "batch", "event", "name", "traits", "properties", "context", "subject", "source", "account_id", "a.b",
    "a" * 200, "\x00", "__proto__", "url", "key", "writeKey", "\ud800",
)  # fmt: skip
DEPTHS: Final = (2, 5, 30, 900, 5_000)
LITERALS: Final = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"01",
    b"'a'",
    b"tru",
    b'"\\ud800"',
    b'"\\x"',
    b"\xff",
    b'"\xc3"',
)
_MANY: Final = 200


def mutated(random: Random, body: bytes, others: list[bytes]) -> bytes:
    """Another payload. ``others``: of which parts may find their way into this one."""
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        return shaken(random, body, others)
    for _ in range(random.choice((0, 1, 1, 2, 5))):
        tree = _changed(random, tree)
    try:
        text = json.dumps(tree, ensure_ascii=random.random() < 0.7)
        content = text.encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return body
    chance = random.random()
    if chance < 0.03:
        content = _nested(random, content)
    elif chance < 0.07:
        content = _replaced(random, content)
    elif chance < 0.2:
        content = shaken(random, content, others)
    return content


def shaken(random: Random, content: bytes, others: list[bytes]) -> bytes:
    """Bytes changed with no regard to what they mean."""
    for _ in range(random.choice((1, 1, 3))):
        at = random.randrange(len(content) + 1)
        end = min(len(content), at + random.choice((0, 1, 1, 4, 50, 1_000)))
        way = random.randrange(6)
        if way == 0:
            content = content[:at]
        elif way == 1:
            content = content[:at] + content[end:]
        elif way == 2:
            content = content[:at] + random.randbytes(random.choice((1, 1, 8))) + content[end:]
        elif way == 3:
            content = content[:end] + content[at:]
        elif way == 4:
            other = random.choice(others) if others else b""
            cut = random.randrange(len(other) + 1)
            content = content[:at] + other[cut : cut + 200] + content[end:]
        else:
            content = (
                content[:at] + random.choice((b"\xef\xbb\xbf", b"\x00", b"\xed\xa0\x80", b" ")) + content[at:]
            )
    return content


def _changed(random: Random, tree: Any) -> Any:
    """One change, somewhere."""
    places: list[tuple[Any, Any]] = []
    _collect(tree, places, 0)
    if not places or random.random() < 0.03:
        return deepcopy(random.choice(ODD))
    holder, place = random.choice(places)
    way = random.randrange(8)
    if way <= 2:
        holder[place] = deepcopy(random.choice(ODD))  # what is put in may be changed next
    elif way == 3:
        del holder[place]
    elif way == 4:
        holder[place] = random.choice(([holder[place]], {"a": holder[place]}, str(holder[place])[:1_000]))
    elif way == 5 and isinstance(holder, dict):
        holder[random.choice(NAMES)] = holder.pop(place)
    elif way == 6 and isinstance(holder, list):
        holder += [holder[place]] * (random.choice((1, 3, 30)) if _small(holder[place]) else 1)
    else:
        other, there = random.choice(places)
        holder[place] = json.loads(json.dumps(other[there])) if _small(other[there]) else None
    return tree


def _small(value: Any) -> bool:
    """Whether there may be more of it: what is made here grows with every change."""
    places: list[tuple[Any, Any]] = []
    _collect(value, places, 0)
    return len(places) < _MANY


def _collect(tree: Any, places: list[tuple[Any, Any]], depth: int) -> None:
    if depth > 20 or len(places) > 2 * _MANY:
        return
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for place, value in pairs:
        places.append((tree, place))
        _collect(value, places, depth + 1)


def _nested(random: Random, content: bytes) -> bytes:
    """Deeper than anybody needs, around it or within."""
    depth = random.choice(DEPTHS)
    before, after = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
    end = after * depth if random.random() < 0.7 else b""
    at = content.find(b":") + 1
    inner = before * depth + b"1" + end
    if at and random.random() < 0.7:
        return content[:at] + inner + b"," + content[content.find(b'"', at) :]
    return before * depth + content + end


def _replaced(random: Random, content: bytes) -> bytes:
    """A value that is no JSON, or a member that stands there twice."""
    at = content.rfind(b": ", 0, random.randrange(len(content) + 1))
    if at < 0:
        return random.choice(LITERALS)
    if random.random() < 0.5:
        return content[: at + 2] + random.choice(LITERALS) + content[at + 3 :]
    name = content.rfind(b'"', 0, at - 1)
    return content[:name] + content[name:at] + b": 7, " + content[name:]
