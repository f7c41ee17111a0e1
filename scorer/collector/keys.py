"""The keys file: who may send what, how much of it, and from where.

    keys:
      shop:                                # the name: in metrics, logs and the events' source
        kind: segment
        secrets: [env:SHOP_WRITE_KEY, file:/run/secrets/shop-old]
        scopes: [page, app, profile]       # doors that its events may go to
        origins: [https://www.example.com, https://*.example.org]
        rate: 500                          # events a second, of all processes together
        burst: 5000
        largest body: 200 KB
        options: {name: value}

Read once when the collector starts, every mistake at once. Secrets stand elsewhere: in the environment or in
files. No message of here repeats a line that might hold one all the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from scorer.collector.origins import Origins
from scorer.collector.source import Key, Source
from scorer.collector.sources import KINDS, SCOPES, WRITE_KEYS, Kind
from scorer.errors import UserError
from scorer.rulefile.diagnostics import Diagnostic, Place, Report
from scorer.rulefile.fields import Fields, mapping, single, texts
from scorer.rulefile.files import read, understand
from scorer.rulefile.names import did_you_mean
from scorer.rulefile.nodes import Entry, Node, Text
from scorer.rulefile.nodes import Mapping as Tree
from scorer.rulefile.quantities import number

MIN_WRITE_KEY: Final = 16
"""Characters of a secret that is all a sender has to know."""
MOST_EVENTS: Final = 1_000_000
BURST_SECONDS: Final = 10.0
"""Of its rate, what a key without ``burst`` may send at once."""
LARGEST: Final = 8 << 20

FIELDS: Final = ("kind", "secrets", "scopes", "origins", "rate", "burst", "largest body", "options")
_HINTS: Final = {
    "secret": "write `secrets: [env:NAME]`",
    "write key": "write `secrets: [env:NAME]`",
    "key": "write `secrets: [env:NAME]`",
    "type": "write `kind: segment`",
    "source": "write `kind: segment`",
    "cors": "write `origins: [https://www.example.com]`",
    "limit": "write `rate: 500`, events a second",
    "topics": "write `scopes: [page, app]`",
}
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*").fullmatch
_SIZE: Final = re.compile(r"([0-9]{1,9}) ?(KB|MB|bytes)").fullmatch
_UNITS: Final = {"bytes": 1, "KB": 1024, "MB": 1024 * 1024}
_SHOWN: Final = re.compile(r"\s*(kind|scopes|origins|rate|burst|largest body)\s*:[^{}]*").fullmatch
"""Lines that a message may repeat."""
_HINT: Final = "`secrets: [env:NAME]` or `[file:/run/secrets/name]`; the secret itself stands there"


class PublisherKey(NamedTuple):
    """One key, ready for use."""

    name: str
    kind: str
    about: Kind
    source: Source
    secrets: tuple[bytes, ...]
    scopes: frozenset[str]
    """Doors."""
    origins: Origins
    rate: float | None
    """Events a second; None: no limit."""
    burst: float
    largest: int
    """Bytes of a body, unpacked."""


class Keys(NamedTuple):
    """What came of a file. ``keys`` is empty if one of the diagnostics is an error."""

    keys: tuple[PublisherKey, ...]
    diagnostics: list[Diagnostic]


def load(path: Path, environment: Mapping[str, str], only: str | None = None) -> Keys:
    """Reads a keys file; raises ``UserError`` only if it can't be opened.

    ``only``: the one key that matters, so that the others' secrets need not be at hand.
    """
    return loads(read(path), str(path), environment, path.parent, only=only)


def loads(
    data: bytes,
    name: str,
    environment: Mapping[str, str],
    folder: Path,
    kinds: Mapping[str, Kind] = KINDS,
    only: str | None = None,
) -> Keys:
    """``name`` stands for the file in the diagnostics. ``folder``: where paths in it begin."""
    build = _Reader(environment, folder, kinds, only).read
    begin = "begin with `keys:`"
    made, report = understand(data, name, build, "a keys file", begin, folder, quoting=False)
    found = [_without_secrets(one) for one in report.diagnostics()]
    return Keys(made if made is not None and not report.errors else (), found)


def require(path: Path, environment: Mapping[str, str], only: str | None = None) -> tuple[PublisherKey, ...]:
    """The keys of a file without mistakes; raises ``UserError`` with all of them."""
    found = load(path, environment, only)
    if not found.keys:
        text = "\n\n".join(one.render() for one in found.diagnostics)
        count = sum(one.severity == "error" for one in found.diagnostics)
        raise UserError(f"{path} has {count} mistake{'s' if count != 1 else ''}\n\n{text}")
    return found.keys


def _without_secrets(found: Diagnostic) -> Diagnostic:
    if _SHOWN(found.source):
        return found
    return Diagnostic(
        file=found.file,
        line=found.line,
        column=found.column,
        severity=found.severity,
        message=found.message,
        hint=found.hint,
    )


class _Reader:
    def __init__(
        self, environment: Mapping[str, str], folder: Path, kinds: Mapping[str, Kind], only: str | None
    ) -> None:
        self._only = only
        self._environment = environment
        self._folder = folder
        self._kinds = kinds

    def read(self, report: Report, root: Tree) -> tuple[PublisherKey, ...] | None:
        fields = Fields(report, root, "a keys file")
        fields.only(("keys",), {})
        return fields.require("keys", self._keys, "`keys:` and the keys' names below it")

    def _keys(self, report: Report, node: Node) -> tuple[PublisherKey, ...]:
        found = mapping(report, node, "`keys`", "`keys: {shop: {kind: segment, secrets: [env:NAME]}}`")
        made: list[PublisherKey] = []
        names: set[str] = set()
        taken: dict[tuple[object, bytes], str] = {}
        for entry in found.entries if found is not None else ():
            place = entry.key.place
            name = entry.key.value
            if not _NAME(name) or len(name) > _LONGEST:
                hint = "as `shop` or `mail-eu`; it is part of addresses, metrics and events"
                report.error(place, "a key's name has small letters, digits and single dashes", hint)
                continue
            if name in names:
                report.error(place, f"there are two keys `{name}`")
            names.add(name)
            if self._only not in {None, name}:
                continue
            key = self._key(report, entry, name)
            if key is None:
                continue
            made.append(key)
            if key.about.mount in WRITE_KEYS:
                self._own(report, place, key, taken)
        if found is not None and not found.entries:
            report.error(found.place, "there is no key")
        elif found is not None and self._only is not None and self._only not in names:
            hint = did_you_mean(self._only, names) or f"it has these: {', '.join(sorted(names))}"
            report.error(found.place, f"there is no key `{self._only}`", hint)
        return tuple(made)

    def _own(
        self, report: Report, place: Place, key: PublisherKey, taken: dict[tuple[object, bytes], str]
    ) -> None:
        """A write key finds its key, so it belongs to one."""
        for secret in key.secrets:
            if len(secret) < MIN_WRITE_KEY:
                report.error(place, f"a secret of `{key.name}` has fewer than {MIN_WRITE_KEY} characters")
            other = taken.setdefault((key.about.mount, secret), key.name)
            if other != key.name:
                report.error(place, f"`{key.name}` and `{other}` have the same secret")

    def _key(self, report: Report, entry: Entry, name: str) -> PublisherKey | None:
        errors = report.errors
        found = mapping(report, entry.value, f"the key `{name}`", "`{kind: segment, secrets: [env:NAME]}`")
        if found is None:
            return None
        fields = Fields(report, found, "a key")
        fields.only(FIELDS, dict(_HINTS))
        kind = fields.require("kind", self._kind, "`kind: segment`")
        secrets = fields.require("secrets", self._secrets, _HINT)
        scopes = fields.read("scopes", _scopes)
        origins = fields.read("origins", _origins)
        rate = fields.read("rate", _positive)
        burst = fields.read("burst", _positive)
        largest = fields.read("largest body", _size)
        options = fields.read("options", _options)
        if burst is not None and rate is None:
            report.error(fields.key("burst"), "a burst needs a rate", "`rate: 500`, events a second")
        if kind is None or secrets is None or report.errors > errors:
            return None
        about = self._kinds[kind]
        given = {
            option: str(self._folder / value) if option in about.paths else value
            for option, value in (options or {}).items()
        }
        try:
            source = about.make(Key(name, secrets, given))
        except UserError as error:
            report.error(entry.key.place, error.message, error.hint)
            return None
        except ValueError as error:
            report.error(entry.key.place, f"`{name}`: {error}")
            return None
        return PublisherKey(
            name=name,
            kind=kind,
            about=about,
            source=source,
            secrets=secrets,
            scopes=frozenset(SCOPES[one] for one in scopes or about.scopes),
            origins=origins or Origins(()),
            rate=rate,
            burst=burst or max(1.0, (rate or 0) * BURST_SECONDS),
            largest=largest or about.largest,
        )

    def _kind(self, report: Report, node: Node) -> str | None:
        text = single(report, node, "a kind")
        if text is None or text.value in self._kinds:
            return None if text is None else text.value
        hint = did_you_mean(text.value, self._kinds) or f"one of {', '.join(sorted(self._kinds))}"
        report.error(text.place, f"there is no kind `{text.value}`", hint)
        return None

    def _secrets(self, report: Report, node: Node) -> tuple[bytes, ...] | None:
        found = [self._secret(report, text) for text in texts(report, node, "a secret")]
        good = tuple(one for one in found if one is not None)
        return good if good and len(good) == len(found) else None

    def _secret(self, report: Report, text: Text) -> bytes | None:
        where, colon, name = text.value.partition(":")
        if not colon or where not in {"env", "file"}:
            report.error(text.place, "a secret does not stand in this file", _HINT)
            return None
        if where == "env":
            secret = self._environment.get(name, "").strip().encode()
            missing = f"the variable {name} is not set"
        else:
            try:
                secret = (self._folder / name).read_bytes().strip()
            except OSError as error:
                report.error(text.place, f"{name}: {error.strerror or error}")
                return None
            missing = f"{name} is empty"
        if not secret:
            report.error(text.place, missing)
            return None
        return secret


_LONGEST: Final = 64


def _scopes(report: Report, node: Node) -> tuple[str, ...] | None:
    found = []
    for text in texts(report, node, "a scope"):
        if text.value in SCOPES:
            found.append(text.value)
        else:
            hint = did_you_mean(text.value, SCOPES) or f"one of {', '.join(SCOPES)}"
            report.error(text.place, f"there is no scope `{text.value}`", hint)
    return tuple(found)


def _origins(report: Report, node: Node) -> Origins | None:
    found = Origins(())
    for text in texts(report, node, "an origin"):
        try:
            found |= Origins((text.value,))
        except ValueError:
            hint = "`https://www.example.com`, without a path; `https://*.example.com`; `*` for all"
            report.error(text.place, "this is no origin", hint)
    return found


def _positive(report: Report, node: Node) -> float | None:
    found = number(report, node, MOST_EVENTS)
    if found is not None and found <= 0:
        report.error(node.place, "this is more than 0")
        return None
    return found


def _size(report: Report, node: Node) -> int | None:
    text = single(report, node, "a size")
    if text is None:
        return None
    found = _SIZE(text.value.strip())
    size = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < size <= LARGEST:
        report.error(text.place, "this is no size of at most 8 MB", "`500 KB`, `1 MB`")
        return None
    return size


def _options(report: Report, node: Node) -> dict[str, str] | None:
    found = mapping(report, node, "`options`", "`options: {name: value}`")
    if found is None:
        return None
    options: dict[str, str] = {}
    for entry in found.entries:
        value = single(report, entry.value, "an option")
        if entry.key.value in options:
            report.error(entry.key.place, "this option stands here twice")
        if value is not None:
            options[entry.key.value] = value.value
    return options
