"""Spoilt rule files: diagnostics or a model, never an exception."""

from __future__ import annotations

import json
import os
import random
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from scorer.domain.model import decode_model, encode_model
from scorer.domain.rules import build
from scorer.rulefile import load, loads
from tests.unit.rulefile import gallery

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(3_600)  # on a busy machine, or with many

MUTANTS = int(os.environ.get("RULE_MUTANTS", "1000"))
"""How many of each kind; ``RULE_MUTANTS=20000`` takes a few minutes."""

HEAD = """model: Whole
scores:
  fit: {decay: none, weight: 2, grades: {A: 20, B: 10, C: otherwise}}
  engagement: {decay: half every 30 days, cap: 60, grades: {1: 15, 2: otherwise}}
lists: {Free mail: [gmail.com, gmx.de]}
"""
SECTIONS = (
    "time zone: Europe/Berlin\ngrace: 2 seconds\n",
    "qualify: {enter: above 20, exit: below 15}\ntotal: {cap: 100, floor: -100}\n",
    """disqualify:
  - rule: Student
    when: {role: student}
    reason: 'Only looks around'
    deal stage: Lost
    requalify: no
""",
    "temperature:\n  hot: {budget: [yes, true]}\n  otherwise: cold\n",
    "memory: {event ids: 100, objects: 100}\n",
    "identity: {anonymous ids: 10, emails: 2, user ids: 1, lead ids: 1}\n",
    "accounts: {score: best 3, enter: above 60, exit: below 40, decay: half every 30 days, people: 100}\n",
    """matrix:
  rows: fit
  columns: engagement
  cells: {A: [now, soon], B: [soon, later], C: [later, never]}
""",
    """machines:
  of: [email.opened, email.clicked]
  where: {any: [{machine: true}, {user_agent: [contains bot, contains Proxy]}]}
  sooner than: 1 second
  links: 3 within 5 seconds
  counts as: nothing
""",
    """stages:
  - {rule: Accepted, on: feedback.accepted, to: Contacted}
  - {rule: Moved, on: feedback.moved, to: by stage, rearm: at once}
  - rule: Quiet
    when: {no: [page.viewed, email.opened], for: 180 days}
    from: [Open, Nurture]
    to: Inactive
""",
    """follow up:
  - {rule: Big, when: {employees: at least 500}, existing owner: owner, due: 1 business day}
  - {rule: Rest, owners: [anna, ben], due: today, next step: Call}
holidays: [2026-12-25, 2027-01-01]
""",
    """qualify:
  enter: above 20
  exit: below 15
  dwell: 2 days
  minimum: {fit: B, engagement: 3}
  when: {email: exists, renewal: within the next 60 days}
  cooling off: once a quarter
""",
)
SEGMENTS = """segments:
  Fans: {at least: 3, of: page.viewed, within: 7 days}
  Buyers:
    - in segment: Fans
    - none: [{budget: missing}, {need: not yes}]
"""
RULES = (
    "    - rule: Country\n      when: {country: [US, UK], age: 25 to 45}\n      points: +1\n",
    """    - rule: Silent
      when: {no: email.opened, where: {kind: newsletter}, for: 30 days}
      points: -5
""",
    """    - rule: "Opened"   # a comment
      on: [email.opened, email.clicked]
      where: {any: [{kind: sales}, {link: matches ^/a.*b$}]}
      points: +3
      limit: once per email_id
""",
    """    - rule: Tasks
      on: app.task_created
      first: +1
      later: +2
      decay: 10% a week
      cap: 20
""",
    """    - rule: Plans
      on: app.plan
      points by: {property: plan, values: {free: 1, pro: 5}, otherwise: 0}
""",
    "    - {rule: Seats, on: app.seats, points: 1, multiplied by: seats}\n",
    "    - {rule: In, entering: Fans, points: +5}\n",
    """    - rule: Calls
      on: booking.created
      only if: {domain: not in list Free mail, signed: more than 30 days ago}
      limit: once per booking_id
      renamed from: rescheduled_from
      points: +20
""",
    "    - {rule: Pages, on: page.viewed, points: +2, limit: 10 points a week, expires: after 90 days}\n",
    """    - rule: Holds
      when: {no: booking.canceled, since: {of: booking.created, where: {kind: demo}}, for: 2 days}
      points: +4
""",
)


def sample(rng: random.Random) -> str:
    """A good rule file: small, so that many can be spoilt, and another each time."""
    rules = "".join(rng.sample(RULES, rng.choice((1, 1, 2, 3))))
    sections = [*rng.sample(SECTIONS, rng.choice((0, 1, 1, 2))), f"rules:\n  engagement:\n{rules}"]
    if "Fans" in rules or rng.random() < 0.2:
        sections.append(SEGMENTS)
    rng.shuffle(sections)
    return HEAD + "".join(sections)


def test_samples_are_good() -> None:
    rng = random.Random(3)
    assert all(check(loads(sample(rng)), number) for number in range(50))


TOKENS = (
    *('"', "'", "[", "]", "{", "}", ": ", "- ", "\n", "\n\n", "#", " #", "&a ", "*a", "!x ", "|", ">", "%"),
    *("`", "\t", "\\", "? ", ",", "---\n", "...", "\0", "\u2028", "yes", "1e9", "-", "+", "@", "{a: ", "="),
    *("\x85", "\ud800", "~", "null", "<<: ", "\u00a0", " ", "  ", "9" * 400, "0" * 30, '"\\UFFFFFFFF"'),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 10**30, 1e308, "", " ", "x", "at least", "at least 5", "not", "5 to 1"),
    *([], {}, [[]], [{}], {"": 1}, {"a": {"b": {"c": 1}}}, ["a", 1, None], "30 days", "-3 days", "once"),
    *("email.opened", "Fans", "*", "&x", "!y", "\n", "\0", "é" * 500, {"no": "page.viewed"}, "half every"),
    *("matches (", "matches (a+)+", [None] * 50),
)


def check(loaded: Any, name: object) -> bool:
    """A model, or an error that says why not; a model is one that the engine takes."""
    errors = [one for one in loaded.diagnostics if one.severity == "error"]
    assert (loaded.model is None) == bool(errors), name
    for one in loaded.diagnostics:
        assert one.line >= 1
        assert one.column >= 1
        assert one.render()
    if loaded.model is None:
        return False
    encoded = encode_model(loaded.model)
    assert decode_model(encoded) == loaded.model
    assert build(encoded)
    return True


def test_text_that_was_spoilt(tmp_path: Path) -> None:
    rng = random.Random(20_261_122)
    broken = [path.read_bytes().decode("utf-8", "replace") for path in gallery.files()]
    broken = [text for text in broken if len(text) < 800]
    models = 0
    for number in range(MUTANTS):
        text = rng.choice(broken) if rng.random() < 0.2 else sample(rng)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8, 30))):
            text = _spoil(rng, text)
        models += check(loads(text), number)
    assert models > 0  # some slips don't matter, and the test would notice a parser that takes nothing


def _spoil(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text) + 1)
    lines = text.split("\n")
    row = rng.randrange(len(lines))
    key = lines[row].partition(":")[0]
    kind = rng.randrange(8)
    if kind == 0:
        return text[:at] + chr(rng.randrange(0x3000)) + text[at + 1 :]
    if kind == 1:
        return text[:at] + rng.choice(TOKENS) + text[at:]
    if kind == 2:
        return text[:at] + text[at + rng.choice((1, 1, 2, 5, 40)) :]
    if kind == 3:
        del lines[row]
    elif kind == 4:
        lines[row] = rng.choice((" ", "  ", "\t", "   ")) + lines[row]
    elif kind == 5:
        lines[row] = lines[row][1:]
    elif kind == 6:
        lines.insert(row, rng.choice(lines))
    else:
        lines[row] = f"{key}: {deepcopy(rng.choice(VALUES))}"
    return "\n".join(lines)


def test_bytes_that_were_flipped(tmp_path: Path) -> None:
    rng = random.Random(7)
    file = tmp_path / "rules.yaml"
    for number in range(MUTANTS // 5):
        data = bytearray(sample(rng).encode())
        for _ in range(rng.choice((1, 2, 5, 100))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        file.write_bytes(data)
        check(load(file), number)


def test_structures_with_keys_dropped_and_types_swapped() -> None:
    rng = random.Random(11)
    trees = [yaml.safe_load(sample(rng)) for _ in range(50)]
    models = 0
    for number in range(MUTANTS):
        spoilt = json.loads(json.dumps(rng.choice(trees), default=str))
        for _ in range(rng.choice((1, 1, 2, 4))):
            _spoil_node(rng, spoilt)
        models += check(loads(json.dumps(spoilt, ensure_ascii=rng.random() < 0.5)), number)
    assert models > 0


def _spoil_node(rng: random.Random, root: Any) -> None:
    """Walks down a random way and drops, doubles, renames or replaces what it finds."""
    parent, node = root, root
    way: Any = None
    while isinstance(node, dict | list) and node and (node is root or rng.random() < 0.75):
        parent = node
        way = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        node = node[way]
    if way is None:
        return
    kind = rng.randrange(4)
    if kind == 0:
        del parent[way]
    elif kind == 1:
        parent[way] = deepcopy(rng.choice(VALUES))
    elif kind == 2 and isinstance(parent, dict):
        parent[rng.choice((f"{way}s", way.upper(), way[:-1], "when", "on", "no"))] = parent.pop(way)
    else:
        parent[way] = [node] if rng.random() < 0.5 else {"a": node}
