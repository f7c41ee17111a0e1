"""Asking a running worker."""

from __future__ import annotations

import msgspec

from scorer.domain.explaining import Explanation, decode_explanation
from scorer.errors import UserError
from scorer.explain.past import Nobody
from scorer.wire.asking import FORGOTTEN, FOUND, UNKNOWN, UNREACHABLE, ask

TIMEOUT = 10.0
"""Seconds; a worker tries for three while partitions change hands."""


class _Refusal(msgspec.Struct):
    error: str
    hint: str = ""


def explain_now(address: str, lead_id: str) -> Explanation | Nobody:
    """Raises ``UserError`` where no worker can say."""
    hint = "a worker serves it on its metrics port; --worker URL names one"
    try:
        reply = ask(address, lead_id, timeout=TIMEOUT)
    except UNREACHABLE as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise UserError(f"no worker at {address}: {detail}", hint=hint, exit_code=1) from error
    except ValueError as error:
        raise UserError(str(error)) from error
    try:
        if reply.status == FOUND:
            return decode_explanation(reply.body)
        refusal = msgspec.json.decode(reply.body, type=_Refusal)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"{address} does not answer like a worker", hint=hint, exit_code=1) from error
    if reply.status == UNKNOWN:
        return Nobody(lead_id)
    if reply.status == FORGOTTEN:
        return Nobody(lead_id, refusal.hint)
    raise UserError(refusal.error, hint=refusal.hint or None, exit_code=1)
