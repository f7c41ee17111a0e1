"""What all mail providers tell of a mail, in the words of ``activity.email.v1``.

What theirs become:

- the recipient: ``email``
- the message's id: ``email_id``
- tags, categories: ``tags``; the first that is one of the option ``kinds`` is ``kind``, the first other
  ``campaign``
- custom arguments, variables, metadata: those that the option ``arguments`` names; they count before
  tags
- the link that was clicked: ``link``, without query and fragment unless the option ``link_query`` is
  yes
- the reader's program: ``user_agent``
- that it was no reader: ``machine``

Addresses of readers' computers and their places are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from scorer.collector.webhook.decoding import text_of
from scorer.collector.webhook.options import Options

OPTIONS: Final = ("kinds", "arguments", "link_query")
KINDS: Final = "nurture, onboarding, sales, newsletter, survey"
ARGUMENTS: Final = "kind, campaign, template, user_id"

_MOST_TAGS: Final = 100
"""As many as a list in ``data`` may have."""


class Mails:
    """The data of mail activities, for one provider and the options of one key."""

    def __init__(self, provider: str, options: Options) -> None:
        self._provider = provider
        self._kinds = frozenset(word.lower() for word in options.words("kinds", KINDS))
        self._arguments = options.pairs("arguments", ARGUMENTS)
        self._link_query = options.truth("link_query", default=False)
        # Of a message with many members only these are made.
        arguments = msgspec.defstruct(
            "Arguments",
            [
                (f"argument_{number}", Any, msgspec.field(name=theirs, default=None))
                for number, theirs in enumerate(self._arguments)
            ],
        )
        self._decode_arguments = msgspec.json.Decoder(arguments).decode

    def data(
        self,
        email: str,
        email_id: str | None,
        tags: Sequence[str] = (),
        arguments: Mapping[str, Any] | None = None,
        **more: str | None,
    ) -> dict[str, Any]:
        """``arguments``: what the sender of the mail attached to it. ``more`` counts before what tags say."""
        found: dict[str, Any] = {"email": email, "email_id": email_id or None, "provider": self._provider}
        told = [tag for tag in tags if tag][:_MOST_TAGS]
        if told:
            found["tags"] = told
            for tag in told:
                low = tag.lower()
                if low in self._kinds:
                    found.setdefault("kind", low)
                else:
                    found.setdefault("campaign", tag)
        found.update((name, value) for name, value in more.items() if value)
        if arguments:
            for theirs, ours in self._arguments.items():
                value = arguments.get(theirs)
                if ours == "user_id":
                    value = text_of(value)
                if isinstance(value, str | int | float) and value != "":
                    found[ours] = value
        return found

    def arguments(self, message: msgspec.Raw) -> Mapping[str, Any]:
        """Those that the option names, where they stand beside the members of a message."""
        return dict(
            zip(self._arguments, msgspec.structs.astuple(self._decode_arguments(message)), strict=True)
        )

    def link(self, url: str | None) -> str | None:
        """Queries of tracked links name their readers often enough."""
        if not url or self._link_query:
            return url or None
        return url.partition("#")[0].partition("?")[0]
