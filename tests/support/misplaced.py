"""An address where none should be: what must not turn up where more people look than at records."""

from __future__ import annotations

import json
from typing import Any, Final

MISPLACED: Final = "anna.secret@example.com"

_EVENT = {"specversion": "1.0", "source": "/mail", "type": "email.opened", "subject": "lead-17", "data": {}}


def misplaced(address: str = MISPLACED) -> list[bytes]:
    """Messages for the door of e-mails, most of them dead letters."""

    def one(**changes: Any) -> bytes:
        return json.dumps(_EVENT | {"id": "e1"} | changes).encode()

    def data(content: Any, **changes: Any) -> bytes:
        return one(data=content, **changes)

    raw = address.encode()
    return [
        raw,
        one()[:-2] + raw,
        one(data={"a": "b"}).replace(b'"b"', raw),
        *(
            one(**{attribute: value})
            for attribute in ("specversion", "id", "source", "type", "subject", "time")
            for value in (address, f"{address}\n" * 100, [address], {address: address})
        ),
        *(
            data({kind: f"{address} {address}"}, subject=None)
            for kind in ("email", "user_id", "anonymous_id")
        ),
        *(data({address: value}) for value in ([{}], 2**70, {address: [[]]}, [None], {"a": [address, {}]})),
        *(data({"email": value}) for value in ([{address: 1}], {address: 2**70}, {"a": [[address]]})),
        data({address * 10: 1}),
        data({"a": {"b": {"c": {"d": {address: {"e": address}}}}}}),
        data({f"{address}{number}": number for number in range(300)}),
        data([address]),
        data(address),
    ]
