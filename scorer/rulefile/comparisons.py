"""What may stand after a field in a condition: a value, a list of values, or a comparison in words."""

from __future__ import annotations

import re

from scorer.domain.model import All, Any, Compare, Condition, Dated, Not, Operator, Scalar
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.names import closest, did_you_mean
from scorer.rulefile.nodes import Broken, Mapping, Node, Sequence, Text
from scorer.rulefile.patterns import pattern_problem
from scorer.rulefile.quantities import length

ORDERS: dict[str, Operator] = {
    "at least": "at_least",
    "at most": "at_most",
    "above": "above",
    "below": "below",
}
TEXTS: dict[str, Operator] = {"contains": "contains", "starts with": "prefix", "matches": "matches"}
PRESENCE: dict[str, Operator] = {"exists": "exists", "missing": "missing"}
OPERATORS = (*ORDERS, *TEXTS, *PRESENCE, "not")
"""The words of comparisons, all of them."""

_N = r"[-+]?[0-9]+(?:\.[0-9]+)?"
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})\.[0-9]{1,300}(?:[eE][-+]?[0-9]{1,2})?")
_DIGITS = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")
_RANGE = re.compile(rf"({_N}) +to +({_N})")
_ORDER = re.compile(rf"({'|'.join(ORDERS)}) +(.+)")
_TEXT = re.compile(rf"({'|'.join(TEXTS)}) +(.+)", re.DOTALL)
_IN_LIST = re.compile(r"in list +(.+)")
_WITHIN = re.compile(r"within the (last|next) +(.+)")
_DISTANT = re.compile(r"more than +(.+) +(ago|ahead)")
_NOT = re.compile(r"not +(.+)", re.DOTALL)
LARGEST_INTEGER = 2**63 - 1

# What authors write where the language has another word -> the word.
_SLIPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), word)
    for pattern, word in (
        (rf"(?:>=|=>|min(?:imum)?|at-?least) *({_N})", r"at least \1"),
        (rf"(?:<=|=<|max(?:imum)?|at-?most) *({_N})", r"at most \1"),
        (rf"(?:>|(?:more|greater|higher|bigger|older) than|over) *({_N})", r"above \1"),
        (r"(?:in|within) (?:the )?(last|next|past|coming) (.+)", r"within the \1 \2"),
        (
            r"(?:older|more|longer) than ([0-9]+ [a-z]+)(?: ago| old)?|([0-9]+ [a-z]+) ago",
            r"more than \1\2 ago",
        ),
        (r"within ([0-9]+ [a-z]+)", r"within the next \1"),
        (r"(?:less|younger|newer) than ([0-9]+ [a-z]+)(?: ago| old)?", r"within the last \1"),
        (r"(?:before|after|until|since|from) [0-9]{4}-[0-9]{2}-[0-9]{2}", "more than 365 days ago"),
        (r"ends?(?:ing)?[- ]with (.+)", r"matches \1$"),
        (r"(\S+) or (\S+)", r"[\1, \2]"),
        (rf"(?:<|(?:less|fewer|lower|smaller|younger) than|under) *({_N})", r"below \1"),
        (rf"({_N}) ?(?:\+|or more)", r"at least \1"),
        (rf"({_N}) or less", r"at most \1"),
        (rf"({_N}) ?(?:-|\u2013|\u2014|\.\.\.?|\u2026) ?({_N})", r"\1 to \2"),
        (rf"between ({_N}) and ({_N})", r"\1 to \2"),
        (r"(?:begins?|starting|start)[- ]with (.+)|starts?-?with (.+)|prefix (.+)", r"starts with \1\2\3"),
        (r"(?:containing|contain|includes?|including) (.+)", r"contains \1"),
        (r"(?:match|matching|regexp?) (.+)", r"matches \1"),
        (r"!= ?(.+)|(?:is not|isn't|other than|except) (.+)", r"not \1\2"),
        (r"==? ?(.+)|(?:is|equals?) (.+)", r"\1\2"),
        (r"([^*]+)\*", r"starts with \1"),
        (r"\*([^*]+)\*?", r"contains \1"),
        (r"/(\^.*|.*\$)/", r"matches \1"),
        (r"[\u201c\u201d\u2018\u201e](.*)[\u201c\u201d\u2019]", r'"\1"'),
        (r"(\S.*), *(\S.*)", r"[\1, \2]"),
    )
)


def comparison(report: Report, field: str, node: Node) -> Condition | None:
    """The condition on ``field`` that ``node`` says; None, with diagnostics, if it makes no sense."""
    if isinstance(node, Mapping):
        return _operators(report, field, node)
    if isinstance(node, Sequence):
        return _one_of(report, field, node)
    return _single(report, field, node) if isinstance(node, Text) else None


def scalar(report: Report, node: Node) -> Scalar | None:
    """A plain value: a number, true / false, or a text; quoted values are texts always."""
    if isinstance(node, Text):
        return _scalar(report, node, node.value)
    if not isinstance(node, Broken):
        report.error(node.place, "a single value is expected here")
    return None


def _scalar(report: Report, node: Text, value: str) -> Scalar | None:
    if node.quoted:
        return value
    if node.empty:
        hint = "write `missing` for a field that is not there; in quotes it is a text"
        report.error(node.place, "a value is missing here", hint)
        return None
    if value in _TRUTH:
        return _TRUTH[value]
    if _FLOAT.fullmatch(value):
        return float(value)
    if _INTEGER.fullmatch(value) and abs(int(value)) <= LARGEST_INTEGER:
        return int(value)
    if not _DIGITS.fullmatch(value):
        return value
    # YAML would make 02134 the number 2134, and a lead's post code would never equal it.
    hint = "put it in quotes if it is a text; numbers have no leading zeros and at most 18 digits"
    report.error(node.place, f"is `{_shown(value)}` a number or a text?", hint)
    return None


# YAML 1.2: yes, no, on and off are words, and NO is Norway.
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SHOWN = 40


def _single(report: Report, field: str, node: Text) -> Condition | None:
    return _words(report, field, node, " ".join(node.value.split()))


def _words(  # noqa: PLR0911 - one for each kind
    report: Report, field: str, node: Text, value: str
) -> Condition | None:
    """A comparison in words, or the value itself."""
    if node.quoted:
        return Compare(field, "equals", (node.value,))
    if value in PRESENCE:
        return Compare(field, PRESENCE[value])
    if match := _NOT.fullmatch(value):
        inner = _words(report, field, node, match[1])
        return None if inner is None else Not((inner,))
    if match := _RANGE.fullmatch(value):
        return _range(report, field, node, match[1], match[2])
    if match := _ORDER.fullmatch(value):
        return _order(report, field, node, match[1], match[2])
    if match := _IN_LIST.fullmatch(value):
        return _in_list(report, field, node, match[1])
    if (match := _WITHIN.fullmatch(value)) or (match := _DISTANT.fullmatch(value)):
        return _dated(report, field, node, match)
    if match := _TEXT.fullmatch(value):
        return _text(report, field, node, match[1], _unquote(match[2]))
    return _value(report, field, node, value)


def _in_list(report: Report, field: str, node: Text, named: str) -> Condition | None:
    values = report.lists.get(named)
    report.asked.add(named)
    if named not in report.lists and not report.may_be_named(named):
        hint = did_you_mean(named, report.lists) or "define it under `lists`"
        report.error(node.place, f"unknown list `{_shown(named)}`", hint)
    return Compare(field, "equals", values) if values else None


def _dated(report: Report, field: str, node: Text, match: re.Match[str]) -> Condition | None:
    """A date relative to now."""
    word, other = match[1], match[2]
    if word in ("last", "next"):
        ms = length(report, node, other)
        if ms is None:
            return None
        return Dated(field, 1 - ms, 1) if word == "last" else Dated(field, 0, ms)
    ms = length(report, node, word)
    if ms is None:
        return None
    return Dated(field, None, 1 - ms) if other == "ago" else Dated(field, ms, None)


def _range(report: Report, field: str, node: Node, first: str, last: str) -> Condition | None:
    low, high = float(first), float(last)
    if low > high:
        report.error(node.place, "nothing lies in this range", f"did you mean `{last} to {first}`?")
        return None
    return All((Compare(field, "at_least", (low,)), Compare(field, "at_most", (high,))))


def _value(report: Report, field: str, node: Text, value: str) -> Condition | None:
    """The value itself, unless it looks like a comparison that was meant."""
    if value in OPERATORS:
        report.error(node.place, f"`{value}` needs something after it")
        return None
    if meant := _meant(report, value):
        hint = f"write `{_shown(meant)}`, or put it in quotes if it is the text itself"
        report.error(node.place, f"is `{_shown(value)}` a comparison or a text?", hint)
        return None
    result = _scalar(report, node, value)
    return None if result is None else Compare(field, "equals", (result,))


def _meant(report: Report, value: str) -> str | None:
    """The comparison that a text was probably meant to be."""
    if (match := _SOME_LIST.fullmatch(value)) and match[1] in report.lists:
        return f"in list {match[1]}"
    for pattern, word in _SLIPS:
        if match := pattern.fullmatch(value):
            return match.expand(word)
    if (match := _TWO_WORDS.fullmatch(value)) and (close := closest(match[1], ORDERS, cutoff=0.8)):
        return f"{close} {match[2]}"
    return None


_SOME_LIST = re.compile(r"(?:in|is in|one of|in the list|list) +(?:the )?(.+)")
_TWO_WORDS = re.compile(rf"([a-z]+ [a-z]+) ({_N})")


def _shown(value: str) -> str:
    return value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _unquote(text: str) -> str:
    """``contains "free trial"``: the quotes are for the eye."""
    if len(text) > 2 and text[0] == text[-1] and text[0] in "\"'":  # noqa: PLR2004 - the quotes
        return text[1:-1]
    return text


def _order(report: Report, field: str, node: Node, word: str, operand: str) -> Condition | None:
    if not _DIGITS.fullmatch(operand):
        report.error(node.place, f"`{word}` compares numbers, but `{_shown(operand)}` is none")
        return None
    bound = float(operand)
    if abs(bound) > LARGEST_INTEGER:
        report.error(node.place, "this number is too large")
        return None
    return Compare(field, ORDERS[word], (bound,))


def _text(report: Report, field: str, node: Node, word: str, operand: str) -> Condition | None:
    if word == "matches" and (problem := pattern_problem(operand)):
        report.error(node.place, *problem)
        return None
    return Compare(field, TEXTS[word], (operand,))


def _one_of(report: Report, field: str, node: Sequence) -> Condition | None:
    """A list: one of its values is enough. Values compared in the same way become one comparison."""
    if not node.items:
        report.error(node.place, "an empty list is never matched")
        return None
    same: dict[Operator, list[Scalar]] = {}
    others: list[Condition] = []
    good = True
    for item in node.items:
        condition = None
        if isinstance(item, Sequence):
            report.error(item.place, "a list can't stand in this list")
        else:
            condition = comparison(report, field, item)
        good &= condition is not None
        if isinstance(condition, Not):
            hint = f"`{field}: {{not: [...]}}` is true when none of a list matches"
            report.error(
                item.place, "one value of a list is enough, so `not` makes it true for nearly all", hint
            )
        if isinstance(condition, Compare) and condition.op in {"equals", "prefix", "contains"}:
            _add(report, item, same.setdefault(condition.op, []), condition.value[0])
        elif condition is not None:
            others.append(condition)
    if not good:
        return None
    made: list[Condition] = [Compare(field, op, tuple(values)) for op, values in same.items()]
    return either([*made, *others])


def _add(report: Report, item: Node, values: list[Scalar], value: Scalar) -> None:
    folded = [(type(one), one.casefold() if isinstance(one, str) else one) for one in (*values, value)]
    if folded[-1] in folded[:-1]:
        report.warning(item.place, f"`{value}` is in this list already", "capitals make no difference")
    else:
        values.append(value)


def _operators(report: Report, field: str, node: Mapping) -> Condition | None:
    """``{at least: 25, below: 100}``: all of them hold."""
    made: list[Condition | None] = []
    for entry in node.entries:
        word = entry.key.value
        if word == "not":
            inner = comparison(report, field, entry.value)
            made.append(None if inner is None else Not((inner,)))
        elif word in PRESENCE:
            report.error(entry.key.place, f"`{word}` stands alone", f"write `{field}: {word}`")
        elif word in ORDERS or word in TEXTS:
            made.append(_operand(report, field, word, entry.value))
        else:
            if word in ("in list", "not in list"):
                value = entry.value.value if isinstance(entry.value, Text) else "NAME"
                report.error(entry.key.place, f"`{word}` stands alone", f"write `{field}: {word} {value}`")
                made.append(None)
                continue
            nested = f"fields inside fields are written with a dot: `{field}.{word}`"
            close = closest(word, OPERATORS)
            hint = f"did you mean `{close}`?" if close else nested
            report.error(entry.key.place, f"`{word}` is not a comparison", hint)
            made.append(None)
    if not node.entries:
        report.error(node.place, "a comparison is missing here")
    good = [one for one in made if one is not None]
    return both(good) if good and len(good) == len(made) else None


def _operand(report: Report, field: str, word: str, node: Node) -> Condition | None:
    """What follows an operator that is a key: one value or, for texts, a list of which one is enough."""
    nodes = node.items if isinstance(node, Sequence) else [node]
    if isinstance(node, Sequence) and (not nodes or word in ORDERS):
        report.error(node.place, f"`{word}` needs one value" if word in ORDERS else "this list is empty")
        return None
    made: list[Condition] = []
    for one in nodes:
        if not isinstance(one, Text) or one.empty:
            if not isinstance(one, Broken):
                report.error(one.place, f"`{word}` needs a value")
            continue
        read = _order if word in ORDERS else _text
        if condition := read(report, field, one, word, one.value):
            made.append(condition)
    if len(made) < len(nodes):
        return None
    if word == "matches":
        return either(made)
    values = tuple(value for one in made if isinstance(one, Compare) for value in one.value)
    return Compare(field, ORDERS.get(word) or TEXTS[word], values)


def both(conditions: list[Condition]) -> Condition:
    """All of at least one condition, without a wrapper that says nothing."""
    flat: list[Condition] = []
    for one in conditions:
        flat.extend(one.items if isinstance(one, All) else (one,))
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def either(conditions: list[Condition]) -> Condition:
    """Any of at least one condition."""
    return conditions[0] if len(conditions) == 1 else Any(tuple(conditions))
