"""The sections of a rule file that are made of conditions: segments, disqualifications, temperature."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

from scorer.domain.conditions import leaves
from scorer.domain.model import Band, Condition, Disqualification, InSegment, Segment
from scorer.rulefile.conditions import when
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import Fields, mapping, name, sequence, truth
from scorer.rulefile.nodes import Entry, Mapping, Node, Text
from scorer.rulefile.rules import Names
from scorer.rulefile.words import keys

OTHERWISE = "otherwise"


class Temperature(NamedTuple):
    bands: tuple[Band, ...] = ()
    coldest: str | None = None


class Sections:
    """Reads them; ``segments`` are the names that the file defines."""

    def __init__(self, segments: Iterable[str], names: Names) -> None:
        self._when = partial(when, segments=list(segments))
        self._names = names

    def _named(self, report: Report, entry: Entry, what: str) -> tuple[str, Condition] | None:
        """An entry ``NAME: condition``."""
        named = name(report, entry.key, f"a {what}'s name")
        if isinstance(entry.value, Text) and entry.value.empty:
            report.error(entry.key.place, f"the {what} `{entry.key.value}` has no condition")
            return None
        condition = self._when(report, entry.value)
        return None if named is None or condition is None else (named, condition)

    # -- segments -----------------------------------------------------------------------------

    def segments(self, report: Report, node: Node) -> tuple[Segment, ...] | None:
        """In an order in which each uses only those before it."""
        found = mapping(report, node, "`segments`")
        if found is None:
            return None
        made: dict[str, Condition] = {}
        for entry in found.entries:
            if named := self._named(report, entry, "segment"):
                made.setdefault(*named)
        order = _order(report, found, made)
        return tuple(Segment(named, made[named]) for named in order)

    # -- disqualifications -----------------------------------------------------------------------

    def disqualifications(self, report: Report, node: Node) -> tuple[Disqualification, ...] | None:
        found = sequence(report, node, "`disqualify`")
        if found is None:
            return None
        made = [self._disqualification(report, item) for item in found.items]
        return tuple(one for one in made if one is not None)

    def _disqualification(self, report: Report, node: Node) -> Disqualification | None:
        found = mapping(report, node, "a disqualification")
        if found is None:
            return None
        fields = Fields(report, found, "a disqualification")
        hints = {"name": "write `rule: NAME`", "if": "write `when`", "stage": "write `deal stage`"}
        fields.only(keys("disqualification"), hints)
        named = fields.require("rule", self._names.read, "`rule: Student who only looks around`")
        condition = fields.require("when", self._when, "`when: {role: student}`")
        reason = fields.read("reason", _reason, named)
        stage = fields.read("deal stage", _reason, "Lost")
        requalify = fields.read("requalify", truth, default=True)
        if named is None or condition is None or reason is None or stage is None or requalify is None:
            return None
        return Disqualification(named, condition, reason, stage, requalify)

    # -- temperature ------------------------------------------------------------------------------

    def temperature(self, report: Report, node: Node) -> Temperature | None:
        """The bands, and the one of leads that are in none."""
        found = mapping(report, node, "`temperature`")
        if found is None:
            return None
        bands: dict[str, Condition] = {}
        coldest: str | None = None
        for entry in found.entries:
            if entry.key.value == OTHERWISE:
                coldest = self._coldest(report, entry)
            elif named := self._named(report, entry, "temperature"):
                bands.setdefault(*named)
        return Temperature(tuple(Band(named, condition) for named, condition in bands.items()), coldest)

    @staticmethod
    def _coldest(report: Report, entry: Entry) -> str | None:
        if isinstance(entry.value, Text) and entry.value.empty:
            report.error(entry.key.place, f"`{OTHERWISE}` has no value", "`otherwise: cold`")
            return None
        return name(report, entry.value, "a temperature")


def _reason(report: Report, node: Node) -> str | None:
    return name(report, node, "this text")


def _order(report: Report, node: Mapping, segments: dict[str, Condition]) -> list[str]:
    """Segments after those that they use; a circle is a diagnostic at each of its members."""
    uses = {
        named: [
            leaf.name for leaf in leaves(condition) if isinstance(leaf, InSegment) and leaf.name in segments
        ]
        for named, condition in segments.items()
    }
    while True:
        try:
            return list(TopologicalSorter(uses).static_order())
        except CycleError as error:
            circle: list[str] = error.args[1]
            for entry in node.entries:
                if entry.key.value in circle:
                    hint = "a segment can't depend on itself, not even by way of others"
                    report.error(entry.key.place, f"segments in a circle: {_chain(circle)}", hint)
            for named in circle:
                uses[named] = []


def _chain(circle: list[str]) -> str:
    return " uses ".join(f"`{named}`" for named in reversed(circle))


def defined(node: Node | None) -> list[str]:
    """The names of the segments of a section, good or not."""
    if not isinstance(node, Mapping):
        return []
    return [" ".join(entry.key.value.split()) for entry in node.entries]
