"""Named lists: written in the rule file, or one value a line in a file of their own."""

from __future__ import annotations

from pathlib import PurePosixPath

from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import mapping, name, texts
from scorer.rulefile.nodes import Broken, Node, Sequence, Text

LARGEST = 1 << 20
"""Bytes of a list's file."""
LONGEST_VALUE = 200
"""Characters of a value in one."""


def read_lists(report: Report, node: Node) -> dict[str, tuple[str, ...] | None] | None:
    """``lists``: a name, and its values or the name of their file."""
    found = mapping(report, node, "`lists`", "`lists: {Free mail: lists/free-mail.txt}`")
    if found is None:
        return None
    made: dict[str, tuple[str, ...] | None] = {}
    for entry in found.entries:
        named = name(report, entry.key, "a list's name")
        if named is None:
            continue
        if isinstance(entry.value, Sequence):
            values = tuple(text.value for text in texts(report, entry.value, "a value"))
            made[named] = tuple(dict.fromkeys(values)) or None
        elif isinstance(entry.value, Text) and not entry.value.empty:
            made[named] = _file(report, entry.value)
        else:
            made[named] = None
            if not isinstance(entry.value, Broken):
                hint = f"`{named}: lists/names.txt`, or `{named}: [one, another]`"
                report.error(entry.key.place, f"the list `{named}` has no values", hint)
    return made


def _file(report: Report, node: Text) -> tuple[str, ...] | None:
    """The values in a file beside the rule file."""
    path = PurePosixPath(node.value)
    if report.folder is None:
        report.error(
            node.place, "a list in a file of its own needs a rule file that is one", "write `[one, two]`"
        )
        return None
    if path.is_absolute() or ".." in path.parts:
        hint = "`lists/free-mail.txt`; values themselves are written in brackets"
        report.error(node.place, "a list's file lies in the folder of the rule file or below it", hint)
        return None
    try:
        with (report.folder / path).open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        hint = "one value a line; values themselves are written in brackets: `[one, two]`"
        report.error(node.place, f"`{node.value}`: {error.strerror or error}", hint)
        return None
    except UnicodeDecodeError:
        report.error(node.place, f"`{node.value}` is no text in UTF-8")
        return None
    if len(data) > LARGEST:
        report.error(node.place, f"`{node.value}` is larger than 1 MiB")
        return None
    return _values(report, node, text)


def _values(report: Report, node: Text, text: str) -> tuple[str, ...] | None:
    values: dict[str, str] = {}
    good = True
    for number, line in enumerate(text.splitlines(), 1):
        value = line.partition("#")[0].strip()
        if not value:
            continue
        if len(value) > LONGEST_VALUE or not value.isprintable():
            good = False
            message = f"`{node.value}`, line {number}: a value has 1 to {LONGEST_VALUE} visible characters"
            report.error(node.place, message)
        values.setdefault(value.casefold(), value)
    if not values:
        report.error(node.place, f"`{node.value}` has no values", "write one a line; `#` begins a comment")
    return tuple(values.values()) if good and values else None
