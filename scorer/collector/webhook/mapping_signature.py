"""The section ``signature`` of a mapping file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from scorer.collector.webhook.mapping import ALGORITHMS, ENCODINGS, WINDOW_MS, Mac, Standard
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import Fields, mapping, single
from scorer.rulefile.names import did_you_mean
from scorer.rulefile.nodes import Node, Text
from scorer.rulefile.quantities import duration

STANDARD: Final = "standard"

_KEYS: Final = ("header", "algorithm", "encoding", "prefix", "timestamp", "signed", "window")
_HINTS: Final = {
    "secret": "secrets stand in the keys file",
    "type": "write `signature: standard`, or `header:` with the header's name",
    "format": "write `encoding: hex` or `encoding: base64`",
    "max age": "write `window: 5 minutes`",
}
_BODY: Final = "{body}"
_TIME: Final = "{timestamp}"


def signature(report: Report, node: Node) -> Standard | Mac | None:
    """``standard``, or how a header is made."""
    if isinstance(node, Text) and not node.empty:
        if node.value == STANDARD:
            return Standard()
        hint = "write `signature: standard`, or `signature: {header: X-Signature}`"
        if node.value.casefold() in {"none", "no"}:
            hint = "whoever knows the address could send events; ask the sender how requests are signed"
        report.error(node.place, f"`{node.value}` is no way to sign", hint)
        return None
    found = mapping(
        report, node, "`signature`", "`signature: standard` or `signature: {header: X-Signature}`"
    )
    if found is None:
        return None
    fields = Fields(report, found, "`signature`")
    fields.only(_KEYS, _HINTS)
    header = fields.require("header", _text, "`header: X-Signature`, the header that holds it")
    algorithm = fields.read("algorithm", _one_of(ALGORITHMS), "sha256")
    encoding = fields.read("encoding", _one_of(ENCODINGS), "hex")
    prefix = fields.read("prefix", _text, "")
    timestamp = fields.read("timestamp", _text, "")
    signed = fields.read("signed", _signed, f"{_TIME}.{_BODY}" if timestamp else _BODY)
    window = fields.read("window", duration, WINDOW_MS)
    if signed is not None and timestamp is not None and (_TIME in signed) != bool(timestamp):
        if timestamp:
            report.error(fields.key("timestamp"), f"the time is not signed: `signed` has no {_TIME}")
        else:
            hint = "`timestamp: X-Timestamp`, the header that holds it"
            report.error(fields.key("signed"), f"{_TIME} is signed, but where does it stand?", hint)
    if "window" in fields and not timestamp:
        fields.refuse(("window",), "`{key}` needs `timestamp`: nothing else says how old a request is")
    if (
        header is None
        or algorithm is None
        or encoding is None
        or prefix is None
        or timestamp is None
        or signed is None
        or window is None
    ):
        return None
    return Mac(header, algorithm, encoding, prefix, timestamp, signed, window)


def _text(report: Report, node: Node) -> str | None:
    text = single(report, node, "this")
    return None if text is None else text.value


def _one_of(known: Iterable[str]) -> Callable[[Report, Node], str | None]:
    known = tuple(known)

    def read(report: Report, node: Node) -> str | None:
        text = single(report, node, "this")
        if text is None:
            return None
        if text.value not in known:
            report.error(text.place, f"`{text.value}` is not known here", did_you_mean(text.value, known))
            return None
        return text.value

    return read


def _signed(report: Report, node: Node) -> str | None:
    text = single(report, node, "`signed`")
    if text is None:
        return None
    if text.value.count(_BODY) != 1 or text.value.count(_TIME) > 1:
        report.error(text.place, f"what is signed holds {_BODY} once", f'`signed: "{_TIME}.{_BODY}"`')
        return None
    return text.value
