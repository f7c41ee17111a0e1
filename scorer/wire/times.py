"""The times that publishers write, as ms since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from scorer.wire.dead_letters import Reason, Rejected

# RFC 3339's date-time: upper or lower case T and Z, any number of decimals, an offset always. Years
# from 1970; no leap seconds, which have no instant of their own in any clock that we compare with.
# What a calendar knows (30 February) is left to datetime; the JSON Schema spells it out.
_DATE_TIME: Final = re.compile(
    r"(?:19[7-9][0-9]|[2-9][0-9]{3})-[0-9]{2}-[0-9]{2}"
    r"[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
).fullmatch
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)

_MINUTE: Final = 16
"""Characters of a date-time up to its minutes."""
_SECOND: Final = 19
"""Up to its seconds."""
_REMEMBERED: Final = 50_000
_minutes: Final[dict[str, int]] = {}
"""Date-time up to its minutes, in UTC -> ms: thousands of events tell of the same minute."""
_seconds: Final[dict[str, int]] = {f":{second:02}": second * 1_000 for second in range(60)}
"""What comes next -> ms."""
_rests: Final[dict[str, int]] = {"Z": 0} | {f".{ms:03}Z": ms for ms in range(1_000)}
"""And then, as most publishers write it -> ms."""


_texts: Final[dict[int, str]] = {}
"""s -> date-time up to its seconds: the other way round."""
_decimals: Final = [f".{ms:03}Z" for ms in range(1_000)]
_END: Final = 253_402_300_800
"""s at which the year 10000 begins."""


def milliseconds(time: str) -> int:
    """An RFC 3339 date-time as ms since 1970-01-01 UTC, rounded down; raises ``Rejected``."""
    rest = _rests.get(time[_SECOND:])
    second = _seconds.get(time[_MINUTE:_SECOND])
    if rest is None or second is None:
        return _parsed(time)
    minute = _minutes.get(time[:_MINUTE])
    if minute is None:
        minute = _parsed(time) - second - rest
        if len(_minutes) >= _REMEMBERED:
            _minutes.clear()
        _minutes[time[:_MINUTE]] = minute
    return minute + second + rest


def date_time(ms: int) -> str:
    """Those ms as ``milliseconds`` reads them; raises ``Rejected`` outside of the years 1970 to 9999."""
    second, rest = divmod(ms, 1_000)
    text = _texts.get(second)
    if text is None:
        if not 0 <= second < _END:
            raise Rejected(Reason.BAD_TIME, "time: not between 1970 and 9999")
        text = (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")
        if len(_texts) >= _REMEMBERED:
            _texts.clear()
        _texts[second] = text
    return text + _decimals[rest]


def _parsed(time: str) -> int:
    if _DATE_TIME(time) is None:
        raise Rejected(Reason.BAD_TIME, "time: not an RFC 3339 date-time with an offset")
    try:
        # Python 3.11 knows the upper-case Z only.
        return (datetime.fromisoformat(time.upper()) - _EPOCH) // _MS
    except ValueError:
        raise Rejected(Reason.BAD_TIME, "time: no such day") from None
