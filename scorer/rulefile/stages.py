"""The sections ``stages``, ``follow up`` and ``holidays``: where leads go, and who does what about them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import partial
from typing import cast

from scorer.domain.lifecycle import NUMBERS, STAGES, legal
from scorer.domain.model import FollowUp, Matcher, Move, Stage
from scorer.rulefile.conditions import types, when, where
from scorer.rulefile.diagnostics import Report
from scorer.rulefile.fields import Fields, mapping, name, sequence, single, texts
from scorer.rulefile.names import did_you_mean
from scorer.rulefile.nodes import Node, Text
from scorer.rulefile.rules import Names
from scorer.rulefile.words import keys

MOST_DAYS = 250
"""Business days: about a year."""
_BY = re.compile(r"by (.+)")
_DUE = re.compile(r"([0-9]{1,9}) business days?|(today)")
_MOVE_HINTS = {
    "name": "write `rule: NAME`",
    "stage": "write `to: Nurture`",
    "points": "points are given by rules under `rules`, for the same activity",
    "reason": "the rule's name is the reason",
}
_FOLLOW_HINTS = {
    "name": "write `rule: NAME`",
    "owner": "write `owners: [anna]` or `existing owner: ATTRIBUTE`",
    "assign": "write `owners: [anna, ben]`",
    "within": "write `due: 2 business days`",
    "task": "write `next step: Call and ask`",
    "on": "follow-ups are about leads that qualify; write `when`",
}


class StageReader:
    """Reads them; ``segments`` are the names that the file defines."""

    def __init__(self, segments: Iterable[str], names: Names) -> None:
        self._when = partial(when, segments=list(segments))
        self._names = names

    # -- stages ---------------------------------------------------------------------------------

    def stages(self, report: Report, node: Node) -> tuple[Move, ...] | None:
        found = sequence(report, node, "`stages`")
        if found is None:
            return None
        made = [self._move(report, item) for item in found.items]
        return tuple(one for one in made if one is not None)

    def _move(self, report: Report, node: Node) -> Move | None:
        found = mapping(report, node, "a stage rule")
        if found is None:
            return None
        fields = Fields(report, found, "a stage rule")
        fields.only(keys("stage rule"), _MOVE_HINTS)
        named = fields.require("rule", self._names.read, "`rule: Accepted by sales`")
        if "on" in fields and "when" in fields:
            message = "`{key}` does not go together with `on`"
            fields.refuse(("when",), message, "`from` says which leads; make two rules of it")
        elif "on" not in fields and "when" not in fields:
            hint = "`on: feedback.accepted`, or `when: {no: page.viewed, for: 180 days}`"
            fields.missing(("on", "when"), "this rule never applies: it has no `on` and no `when`", hint)
        on, condition = self._matcher(fields), fields.read("when", self._when)
        sources = fields.read("from", _sources, ())
        target = fields.require("to", _target, "`to: Nurture`")
        rearm = fields.read("rearm", _rearm, default=False)
        deal_stage = fields.read("deal stage", _text, "Lost")
        if named is None or target is None or sources is None or rearm is None or deal_stage is None:
            return None
        if (on is None) == (condition is None):
            return None
        to, field = target
        if field is not None and on is None:
            fields.refuse(("to",), "only an activity says where to", "name a stage: `to: Nurture`")
            return None
        if to is not None and not _check_legal(fields, sources, to):
            return None
        if "deal stage" in fields and to not in (None, "Unqualified"):
            fields.refuse(("deal stage",), "`{key}` goes with `to: Unqualified`")
        return Move(named, to, on, condition, sources, field, rearm, deal_stage)

    def _matcher(self, fields: Fields) -> Matcher | None:
        if "where" in fields and "on" not in fields:
            fields.refuse(("where",), "`{key}` is about an activity's properties and goes with `on`")
        activities = fields.read("on", types)
        condition = fields.read("where", lambda report, node: where(report, node, activities or ()))
        if activities is None or ("where" in fields and condition is None):
            return None
        return Matcher(activities, condition)

    # -- follow-up ------------------------------------------------------------------------------

    def follow_ups(self, report: Report, node: Node) -> tuple[FollowUp, ...] | None:
        found = sequence(report, node, "`follow up`")
        if found is None:
            return None
        made: list[FollowUp] = []
        for item in found.items:
            if made and made[-1].when is None:
                message = f"`{made[-1].id}` above is for every lead, so this one never counts"
                report.warning(item.place, message, "the first whose `when` holds counts")
            one = self._follow_up(report, item)
            if one is not None:
                made.append(one)
        return tuple(made)

    def _follow_up(self, report: Report, node: Node) -> FollowUp | None:
        found = mapping(report, node, "a follow-up")
        if found is None:
            return None
        fields = Fields(report, found, "a follow-up")
        fields.only(keys("follow-up"), _FOLLOW_HINTS)
        named = fields.require("rule", self._names.read, "`rule: Everybody else`")
        condition = fields.read("when", self._when)
        existing = fields.read("existing owner", _attribute)
        owners = fields.read("owners", _owners, ())
        due = fields.read("due", _due)
        step = fields.read("next step", _text)
        answers = keys("follow-up")[2:]
        if not any(key in fields for key in answers):
            hint = "`owners`, `due` or `next step`"
            fields.missing(answers, "this follow-up says nothing", hint)
        if named is None or owners is None or ("when" in fields and condition is None):
            return None
        return FollowUp(named, condition, existing, owners, due, step)


def _check_legal(fields: Fields, sources: tuple[Stage, ...], to: Stage) -> bool:
    """A rule none of whose moves can ever be made says something else than was meant."""
    wrong = [source for source in sources if not legal(NUMBERS[source], NUMBERS[to])]
    if not wrong:
        return True
    listed = " or ".join(wrong)
    ways = [stage for stage in STAGES if legal(NUMBERS[wrong[0]], NUMBERS[stage]) and stage != "Qualified"]
    fields.refuse(("to",), f"no lead goes from {listed} to {to}", f"from {wrong[0]}: {', '.join(ways)}")
    return False


def _stage(report: Report, text: Text) -> Stage | None:
    if text.value in STAGES:
        return cast("Stage", text.value)
    report.error(text.place, f"unknown stage `{text.value[:60]}`", did_you_mean(text.value, STAGES))
    return None


def _sources(report: Report, node: Node) -> tuple[Stage, ...] | None:
    found = texts(report, node, "a stage")
    made = [_stage(report, text) for text in found]
    good = tuple(one for one in made if one is not None)
    return good if good and len(good) == len(made) else None


def _target(report: Report, node: Node) -> tuple[Stage | None, str | None] | None:
    """A stage, or ``by PROPERTY``."""
    text = single(report, node, "a stage")
    if text is None:
        return None
    if match := _BY.fullmatch(text.value):
        return None, match[1]
    stage = _stage(report, text)
    if stage == "Qualified":
        hint = "to let sales have a lead at once, move it to Contacted"
        report.error(text.place, "the score qualifies leads, no stage rule does", hint)
        return None
    return None if stage is None else (stage, None)


def _rearm(report: Report, node: Node) -> bool | None:
    text = single(report, node, "`rearm`")
    if text is None:
        return None
    value = {"at once": True, "below exit": False}.get(" ".join(text.value.split()))
    if value is None:
        hint = "`at once`, or `below exit`: when its total has been below the exit"
        report.error(text.place, f"`{text.value[:60]}` does not say when a lead may qualify again", hint)
    return value


def _text(report: Report, node: Node) -> str | None:
    return name(report, node, "this text")


def _attribute(report: Report, node: Node) -> str | None:
    return name(report, node, "an attribute")


def _owners(report: Report, node: Node) -> tuple[str, ...] | None:
    names = [name(report, item, "an owner") for item in texts(report, node, "an owner")]
    good = [one for one in names if one is not None]
    if len(set(good)) < len(good):
        report.warning(node.place, "an owner is in this list twice", "each gets an equal part of the leads")
    return tuple(dict.fromkeys(good)) if good and len(good) == len(names) else None


def _due(report: Report, node: Node) -> int | None:
    """``2 business days``, or ``today``."""
    text = single(report, node, "a due day")
    if text is None:
        return None
    match = _DUE.fullmatch(" ".join(text.value.split()))
    if match is None:
        digits = re.search(r"[0-9]{1,3}", text.value)
        count = digits.group() if digits else "2"
        hint = f"write `{count} business day{'' if count == '1' else 's'}`, or `today`"
        report.error(text.place, f"`{text.value[:60]}` is not a number of business days", hint)
        return None
    days = 0 if match[2] else int(match[1])
    if days > MOST_DAYS:
        report.error(text.place, f"at most {MOST_DAYS} business days are possible")
        return None
    return days


def holidays(report: Report, node: Node) -> tuple[str, ...] | None:
    """Days on which nobody works, as ``2026-12-25``."""
    made: list[str] = []
    for text in texts(report, node, "a day"):
        try:
            found = date.fromisoformat(text.value)
        except ValueError:
            found = None
        if found is None or found.isoformat() != text.value:
            report.error(text.place, f"`{text.value[:60]}` is not a day", "year, month, day: `2026-12-25`")
        elif text.value in made:
            report.warning(text.place, f"`{text.value}` is in this list already")
        else:
            made.append(text.value)
    return tuple(sorted(made))
