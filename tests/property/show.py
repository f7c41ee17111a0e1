"""Models and stories as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from scorer.domain.model import Model
from tests.reference.log import About, Entry, InForce, ReadThrough

_START = datetime(1970, 1, 1, tzinfo=UTC)


def clock_time(at: int) -> str:
    return (_START + timedelta(milliseconds=at)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def story(log: list[Entry]) -> str:
    return "\n".join(f"{offset:4} {entry(one)}" for offset, one in enumerate(log))


def entry(one: Entry) -> str:
    match one:
        case About(lead, fact):
            door = f"door {fact.door} offset {fact.offset}" if fact.door else "no door"
            properties = ", ".join(f"{name}={value!r}" for name, value in fact.properties.items())
            what = f"{lead}  {fact.type}  {properties}"
            return f"{clock_time(fact.time)}  {what}  [{door}, {fact.digest.hex()[:6]}]"
        case ReadThrough(times):
            return "clock  " + "  ".join(f"door {door}: {clock_time(time)}" for door, time in times.items())
        case InForce(version, model_):
            return f"rules {version}\n{model(model_)}"
        case control:
            return str(control)


def model(one: Model) -> str:
    """Only what is set."""
    lines = []
    for name in one.__struct_fields__:
        value = getattr(one, name)
        default = getattr(Model("", ()), name)
        if value == default and name != "scores":
            continue
        if isinstance(value, tuple):
            lines += [f"       {name}: {_terse(item)}" for item in value]
        else:
            lines.append(f"       {name}: {_terse(value)}")
    return "\n".join(lines)


def _terse(value: object) -> str:
    return msgspec.json.encode(value).decode().replace('"', "")
