"""Finding the rules that an activity can set off, at a cost that does not grow with those that it can't."""

from __future__ import annotations

from typing import Any, Final

from scorer.domain import model
from scorer.domain.conditions import Properties, comparable
from scorer.domain.grants import Grant
from scorer.domain.watching import Move, Watch

FEW: Final = 12
"""Awards found for one record that are put into order by insertion."""


class FieldIndex:
    """Awards found by the value of one property."""

    __slots__ = ("equal", "heads", "prefix", "shortest")

    def __init__(self) -> None:
        self.equal: dict[Any, list[Grant]] = {}
        self.prefix: dict[str, list[Grant]] = {}
        self.shortest = 0
        """The length of the shortest prefix."""
        self.heads: dict[str, list[int]] = {}
        """The first characters of prefixes, as many as the shortest has -> the lengths of those prefixes."""

    def index_prefixes(self) -> None:
        self.shortest = min(map(len, self.prefix), default=0)
        for prefix in self.prefix:
            lengths = self.heads.setdefault(prefix[: self.shortest], [])
            if len(prefix) not in lengths:
                lengths.append(len(prefix))

    def find(self, value: Any, found: list[Grant]) -> None:
        """Add the awards whose condition on this property holds."""
        if type(value) is str:
            value = value.casefold()
            if self.heads:
                lengths = self.heads.get(value[: self.shortest])
                if lengths is not None:
                    for length in lengths:
                        prefixed = self.prefix.get(value[:length])
                        if prefixed is not None:
                            found.extend(prefixed)
        elif type(value) is not int and type(value) is not float:
            value = comparable(value)
        grants = self.equal.get(value)
        if grants is not None:
            found.extend(grants)


class TypeIndex:
    """What an activity type can set off."""

    __slots__ = ("always", "click", "delivery", "fields", "looks", "mail", "moves", "profile", "watches")

    def __init__(self) -> None:
        self.always: list[Grant] = []
        self.fields: dict[str, FieldIndex] = {}
        self.watches: list[Watch] = []
        self.moves: list[Move] = []
        self.mail = False
        """May be a machine's, or is a delivery that tells."""
        self.delivery = False
        self.click = False
        self.profile = False
        """Its properties are the lead's attributes."""
        self.looks = False
        """Some rule wants to see its properties."""

    def finish(self) -> None:
        """When everything has been added."""
        self.looks = (
            self.profile
            or self.mail
            or bool(self.fields)
            or any(award.where is not None or award.plain is None for award in self.always)
            or any(watch.where is not None for watch in self.watches)
            or any(move.where is not None or move.item.field is not None for move in self.moves)
        )

    def find(self, properties: Properties) -> list[Grant]:
        """Awards whose indexed condition holds, in rule order; the cost grows with the properties."""
        fields = self.fields
        found: list[Grant] = []
        if len(fields) <= len(properties):
            for name, index in fields.items():
                value = properties.get(name)
                if value is not None:
                    index.find(value, found)
        else:
            for name, value in properties.items():
                asked = fields.get(name)
                if asked is not None:
                    asked.find(value, found)
        if not found:
            return self.always
        if len(found) == 1 and not self.always:
            return found
        found.extend(self.always)
        # A prefix list may name an award twice; the rule order keeps a lead's grants independent of
        # the order in which a publisher wrote the properties.
        return _in_order(found) if len(found) <= FEW else sorted(set(found), key=_order)


def _in_order(grants: list[Grant]) -> list[Grant]:
    """In rule order, each once: by insertion, which for a few is several times faster than sorting a set."""
    ordered = [grants[0]]
    for grant in grants[1:]:
        order, place = grant.order, len(ordered)
        while place and ordered[place - 1].order > order:
            place -= 1
        if not place or ordered[place - 1].order != order:
            ordered.insert(place, grant)
    return ordered


def _order(grant: Grant) -> int:
    return grant.order


EMPTY_INDEX = TypeIndex()


def split(where: model.Condition | None) -> tuple[model.Compare | None, model.Condition | None]:
    """(a comparison to index the award by, the rest of the condition)."""
    if isinstance(where, model.Compare):
        return (where, None) if _indexable(where) else (None, where)
    if isinstance(where, model.All):
        for position, item in enumerate(where.items):
            if isinstance(item, model.Compare) and _indexable(item):
                rest = where.items[:position] + where.items[position + 1 :]
                if not rest:
                    return item, None
                return item, rest[0] if len(rest) == 1 else model.All(rest)
    return None, where


def _indexable(node: model.Compare) -> bool:
    return bool(node.value) and (
        node.op == "equals" or (node.op == "prefix" and all(type(value) is str for value in node.value))
    )
