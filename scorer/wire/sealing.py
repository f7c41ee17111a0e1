"""Fields that identify a person, sealed: in the log for as long as it is, readable only with the lead's key.

    sealed field = lead id, 0x1f, key id (8 bytes), nonce (12 bytes), AES-256-GCM of the text and its tag

The lead id is the one that the key belongs to: what a lead has said may have become another lead's since.
Lead ids have no control characters, so the first 0x1f ends it. It and the field's name are authenticated:
a sealed field opens nowhere but in its own place.

A key is 32 random bytes in ``lead.key.v1``, under the lead id, 0x1f and its own id in hex. It is wrapped
(AES-256-GCM) with a key made from the deployment's secret: who can read Kafka can open nothing with that
alone. Without the record nobody can, and that is how a person is forgotten.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from scorer.domain.person import encode_sealed
from scorer.errors import UserError
from scorer.wire.properties import PERSONAL, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MAX_TEXT: Final = 256
"""Characters of a field that is sealed; a longer one is dropped."""
KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 8
NONCE_BYTES: Final = 12
SEPARATOR: Final = b"\x1f"
SAID_FOR: Final = 3_600_000
"""ms after which the same text of a lead is sealed again."""
REMEMBERED: Final = 2**15
"""Leads whose last sealed texts are remembered."""

_PURPOSE = b"scorer lead.key.v1"
_WHITE = " \t\r\n"


class LeadKey(NamedTuple):
    lead: bytes
    id: bytes
    key: bytes

    @property
    def name(self) -> bytes:
        """Its record's key."""
        return key_name(self.lead, self.id)


def new_key(lead: bytes) -> LeadKey:
    return LeadKey(lead, os.urandom(KEY_ID_BYTES), os.urandom(KEY_BYTES))


def key_name(lead: bytes, key_id: bytes) -> bytes:
    return lead + SEPARATOR + key_id.hex().encode()


def parse_key_name(name: bytes) -> tuple[bytes, bytes] | None:
    """(lead id, key id) of a record's key; None for what is none."""
    lead, _, digits = name.partition(SEPARATOR)
    try:
        key_id = bytes.fromhex(digits.decode())
    except ValueError:
        return None
    return (lead, key_id) if lead and len(key_id) == KEY_ID_BYTES else None


class Wrap:
    """Keys as their topic holds them, under one deployment's secret."""

    def __init__(self, secret: str) -> None:
        derive = HKDF(SHA256(), KEY_BYTES, salt=None, info=_PURPOSE).derive
        self._cipher = AESGCM(derive(secret.encode()))

    def close(self, key: LeadKey) -> bytes:
        """The value of its record."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key.key, key.name)

    def open(self, name: bytes, value: bytes) -> bytes | None:
        """The key in a record; None where it was made under another secret, or is damaged."""
        return _decrypt(self._cipher, value, name)


def seal(key: LeadKey, field: str, text: str) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key.key).encrypt(nonce, text.encode(), _place(key.lead, field))
    return b"".join((key.lead, SEPARATOR, key.id, nonce, sealed))


def unseal(sealed: bytes, field: str, find: Callable[[bytes, bytes], bytes | None]) -> str | None:
    """The text; None where ``find``, of (lead id, key id), has no key, or it is another field's or lead's."""
    lead, _, rest = sealed.partition(SEPARATOR)
    key = find(lead, rest[:KEY_ID_BYTES])
    if key is None:
        return None
    text = _decrypt(AESGCM(key), rest[KEY_ID_BYTES:], _place(lead, field))
    return None if text is None else text.decode()


def _place(lead: bytes, field: str) -> bytes:
    return lead + SEPARATOR + field.encode()


def _decrypt(cipher: AESGCM, value: bytes, bound_to: bytes) -> bytes | None:
    try:
        return cipher.decrypt(value[:NONCE_BYTES], value[NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError):  # ValueError: too short to be one
        return None


def field_names(text: str, variable: str) -> tuple[str, ...]:
    """The fields that a setting names, joined with commas, in the order of their names.

    Raises ``UserError`` for one that intake would not have taken for a person's anyway.
    """
    names = {name.strip() for name in text.split(",")} - {""}
    if unknown := sorted(names - PERSONAL):
        raise UserError(
            f"environment: {variable}: {', '.join(unknown)}: not a field that identifies a person",
            hint=f"these are: {', '.join(sorted(PERSONAL))}",
        )
    return tuple(sorted(names))


class Keys(Protocol):
    """Where a sealer has its keys from."""

    def key_of(self, lead: bytes) -> LeadKey:
        """A key of the lead's; a new one where there is none."""


_Said = dict[str, tuple[int, int]]
"""Field -> hash of its text, when it was received."""


class Draft:
    """What was sealed and may yet not be written."""

    __slots__ = ("begun", "said")

    def __init__(self, begun: int) -> None:
        self.begun = begun
        self.said: dict[bytes, _Said] = {}


class Sealer:
    """Seals what a deployment keeps of each event, once: the same text of a lead again is left out."""

    _NAMES = 10_000

    def __init__(
        self,
        fields: Iterable[str],
        keys: Keys,
        names_somebody: Callable[[str, str], bool],
        remembered: int = REMEMBERED,
    ) -> None:
        """``names_somebody``: of (field, text), False for identifiers like ``null`` and ``n/a``."""
        self._keys = keys
        self._names_somebody = names_somebody
        self._by_fold = {fold(field): field for field in fields}
        self._by_name: dict[str, str | None] = {}
        self._limit = remembered
        self._last: OrderedDict[bytes, _Said] = OrderedDict()
        self._draft: Draft | None = None
        self._unsure: dict[bytes, int] = {}
        """Lead -> how many drafts that say something of it are on their way ..."""
        self._mixed: set[bytes] = set()
        """... of those of whom there have been several at once."""
        self._forgotten = 0

    def pick(self, data: Mapping[str, Any]) -> dict[str, str]:
        """Field -> text of what is to be kept: text at the top of ``data``, not empty and not too long."""
        found: dict[str, str] = {}
        by_name = self._by_name
        for name, value in data.items():
            field = by_name[name] if name in by_name else self._learn(name)
            if field is not None and type(value) is str and len(value) <= MAX_TEXT:
                text = value.strip(_WHITE)
                if text and self._names_somebody(field, text):
                    found[field] = text
        return found

    def _learn(self, name: str) -> str | None:
        if len(self._by_name) >= self._NAMES:
            self._by_name.clear()
        field = self._by_name[name] = self._by_fold.get(fold(name))
        return field

    def seal(
        self, lead: bytes, picked: Mapping[str, str], at: int = 0, *, anew: bool = False
    ) -> bytes | None:
        """``Fact.sealed``: of what was picked, that which the lead did not say last; None: nothing.

        ``at``: when it was received, ms. What was said long before that, by another worker's or another id's
        account perhaps overtaken since, is said again; and all of it where ``anew``.
        """
        # Hashes, so that nobody's address waits here for as long as the process lives.
        said = {field: (hash(text), at) for field, text in picked.items()}
        known = self._last.get(lead)
        if known is not None:
            self._last.move_to_end(lead)
        draft = self._draft
        if draft is not None:
            sure = {} if known is None or lead in self._unsure else known
            known = sure | draft.said.get(lead, {})
        if known is not None and not anew:
            said = {field: one for field, one in said.items() if not _still_said(known.get(field), one)}
            if not said:
                return None
        if draft is None:
            self._remember(lead, said)
        else:
            draft.said.setdefault(lead, {}).update(said)
        key = self._keys.key_of(lead)
        return encode_sealed({field: seal(key, field, picked[field]) for field in said})

    def _remember(self, lead: bytes, said: _Said) -> None:
        known = self._last.get(lead)
        if known is not None:
            known.update(said)
            return
        if len(self._last) >= self._limit:
            self._last.popitem(last=False)
        self._last[lead] = said

    # -- for whoever may fail to write what was sealed, and goes on -----------------------------------

    def begin(self) -> Draft:
        """What is sealed from here on counts as said when it is ``settled``, once it was ``sent``."""
        self._draft = Draft(self._forgotten)
        return self._draft

    def sent(self, draft: Draft) -> None:
        """What was sealed since its ``begin`` is on its way: until it is settled nothing counts as said by
        its leads.
        """
        for lead in draft.said:
            self._unsure[lead] = self._unsure.get(lead, 0) + 1
            if self._unsure[lead] > 1:
                self._mixed.add(lead)
        self._draft = None

    def settled(self, draft: Draft, *, good: bool) -> None:
        """``good``: all of it is in the log."""
        for lead, said in draft.said.items():
            self._unsure[lead] -= 1
            if self._unsure[lead]:
                continue
            del self._unsure[lead]
            # Of several at once nobody knows which is the later, and of whom a key was deleted meanwhile is
            # not looked for: the next is sealed in any case.
            if good and lead not in self._mixed and draft.begun == self._forgotten:
                self._remember(lead, said)
            else:
                self._last.pop(lead, None)
            self._mixed.discard(lead)

    def forget(self, lead: bytes) -> None:
        """What was sealed of the lead is gone, or never reached the log: it is sealed again."""
        self._forgotten += 1
        self._last.pop(lead, None)
        if self._draft is not None:
            self._draft.said.pop(lead, None)


def _still_said(before: tuple[int, int] | None, now: tuple[int, int]) -> bool:
    """(hash of a text, when): whether it was said, and not long ago."""
    return before is not None and before[0] == now[0] and now[1] - before[1] < SAID_FOR
