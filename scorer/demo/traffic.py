"""The demonstration's publishers without the demonstration: traffic for a collector that somebody tries."""

from __future__ import annotations

import os
import secrets
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from scorer.demo.keys import Keys, make_keys
from scorer.demo.lanes import Lanes
from scorer.demo.publisher import Publisher
from scorer.demo.roster import Roster
from scorer.demo.senders import Senders
from scorer.demo.story import Story
from scorer.errors import UserError

if TYPE_CHECKING:
    from scorer.wire.identity import Identity

KEYS_FILE: Final = "keys.yaml"
"""For the collector."""
OWN_FILE: Final = "publishers.json"
"""What only the publishers know."""
SECRET_FILE: Final = "lead-secret"  # noqa: S105 - a file's name
STORY_SECONDS: Final = 3600.0
"""Then other people come; those of before are forgotten, or memory would grow for ever."""
POLL: Final = 0.05  # seconds
TELL_EVERY: Final = 60.0  # seconds


def prepare(folder: Path) -> bool:
    """Makes a lead secret, keys and the keys file in a folder, readable by its owner only.

    Returns False where they are already there. Raises ``UserError`` where they can't be written.
    """
    if (folder / OWN_FILE).exists():
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        keys = make_keys()
        keys.write(folder / KEYS_FILE)
        (folder / SECRET_FILE).write_text(secrets.token_hex(32) + "\n", "utf-8")
        for path in folder.iterdir():
            if path.is_file():
                path.chmod(0o600)
        # Last, at once and never readable by others: with it everything is there.
        unfinished = folder / f"{OWN_FILE}.new"
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(_shown(keys)))
        unfinished.rename(folder / OWN_FILE)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}", exit_code=1) from error
    return True


def publishers_keys(folder: Path) -> Keys:
    """Those that ``prepare`` has made. Raises ``UserError`` where there are none."""
    try:
        held = msgspec.json.decode((folder / OWN_FILE).read_bytes(), type=dict[str, str])
        return Keys(
            app=held["app"],
            site=held["site"],
            page=held["page"],
            letters=held["letters"].encode(),
            mail=_elliptic(held["mail"]),
            calendly=held["calendly"].encode(),
            crm=b64decode(held["crm"]),
        )
    except (OSError, KeyError, ValueError, msgspec.DecodeError) as error:
        hint = f"`scorer traffic keys {folder}` makes them"
        raise UserError(f"{folder}: no keys of publishers here", hint=hint) from error


class Traffic:
    """Sends until it is stopped: story after story, each of other people."""

    def __init__(
        self, keys: Keys, identity: Identity, address: tuple[str, int], speed: float, seed: int
    ) -> None:
        """``address``: the collector's. ``identity``: how leads are found, for the newsletter's links.

        ``seed``: the first story's. A story's events have the same ids whenever it is told: a seed that was
        told within the last day adds nothing.
        """
        self._keys = keys
        self._identity = identity
        self._address = address
        self._speed = speed
        self._seeds = count(seed)
        self._stop = threading.Event()
        self.taken = self.refused = 0
        """Events that the collector took, and requests that it refused and was to refuse."""

    def stop(self) -> None:
        self._stop.set()

    def run(self, tell: Callable[[str], object], seconds: float | None = None) -> None:
        """Until ``stop``, or for so many seconds. Raises ``UserError`` where something wrong is answered."""
        began = told = monotonic()
        with closing(Lanes(*self._address)) as lanes:
            for publisher in self._publishers(lanes):
                publisher.start()
                ends = monotonic() + STORY_SECONDS
                while (now := monotonic()) < ends:
                    if self._stop.is_set() or (seconds is not None and now - began >= seconds):
                        return
                    publisher.publish_due()
                    if now - told >= TELL_EVERY:
                        told = now
                        tell(f"{self.taken:,} taken, {self.refused:,} refused as they should be")
                    self._stop.wait(POLL)

    def _publishers(self, lanes: Lanes) -> Iterator[Publisher]:
        for seed in self._seeds:
            story = Story(seed)
            roster = Roster(story.people, self._identity)
            senders = Senders(
                self._keys,
                story.event_id,
                lambda person, roster=roster: roster.lead_of("user_id", person.user_id),  # type: ignore[misc]
            )
            yield Publisher(story, senders, lanes, self._speed, self._one_taken, self._one_refused)

    def _one_taken(self) -> None:
        self.taken += 1

    def _one_refused(self, code: str) -> None:  # noqa: ARG002 - the publisher tells why
        self.refused += 1


def _elliptic(text: str) -> ec.EllipticCurvePrivateKey:
    key = load_der_private_key(b64decode(text), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("no elliptic curve's")  # noqa: TRY004 - the file's fault
    return key


def _shown(keys: Keys) -> dict[str, Any]:
    mail = keys.mail.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return {
        "app": keys.app,
        "site": keys.site,
        "page": keys.page,
        "letters": keys.letters.decode(),
        "mail": b64encode(mail).decode(),
        "calendly": keys.calendly.decode(),
        "crm": b64encode(keys.crm).decode(),
    }
