"""A rule file as a whole: its sections in, a model out."""

from __future__ import annotations

from typing import Any

from scorer.domain.model import Award, Model, Standing, Threshold, encode_model
from scorer.rulefile import settings
from scorer.rulefile.accounts import accounts
from scorer.rulefile.diagnostics import Place, Report
from scorer.rulefile.fields import Fields, mapping, name, sequence
from scorer.rulefile.grades import Matrices
from scorer.rulefile.lint import lint
from scorer.rulefile.lists import read_lists
from scorer.rulefile.machines import machines
from scorer.rulefile.names import did_you_mean
from scorer.rulefile.nodes import Mapping, Node, Text
from scorer.rulefile.qualify import Qualify
from scorer.rulefile.rules import Names, RuleReader
from scorer.rulefile.sections import Sections, Temperature, defined
from scorer.rulefile.settings import Bounds, Memory, Scores
from scorer.rulefile.stages import StageReader, holidays
from scorer.rulefile.words import keys

HINTS = {
    "name": "write `model: NAME`",
    "version": "rule sets are numbered when they are put in force",
    "threshold": "write `qualify: {enter: above 20, exit: below 15}`",
    "fit": "write it under `rules`: `rules: {fit: [...]}`",
    "engagement": "write it under `rules`: `rules: {engagement: [...]}`",
    "disqualification": "write `disqualify`",
    "bands": "write `temperature`",
    "grades": "write them under their score: `scores: {fit: {grades: {A: 20, B: otherwise}}}`",
    "bots": "write `machines`",
    "routing": "write `follow up`",
    "assignment": "write `follow up`",
    "tests": "a file of rule tests is run with `scorer test FILE`",
}
LARGEST_MODEL = 900_000
"""Bytes of a compiled file: it has to fit into one record of the rules topic."""


def compile_file(report: Report, root: Mapping) -> Model | None:
    """The model of a file, or None when ``report`` has errors. Everything is read in any case."""
    fields = Fields(report, root, "the rule file")
    fields.only(keys("file"), HINTS)
    segments = [entry.value for entry in root.entries if entry.key.value == "segments"]
    names = Names()
    known = [named for section in segments for named in defined(section)]
    lists = fields.read("lists", read_lists)
    report.lists = lists or {}
    sections = Sections(known, names)
    stages = StageReader(known, names)

    values: dict[str, Any] = {
        "name": fields.require("model", _model_name, "begin the file with `model: Your company`"),
        "time_zone": fields.read("time zone", settings.time_zone),
        "grace": fields.read("grace", settings.grace),
        "segments": fields.read("segments", sections.segments),
    }
    scores = fields.require("scores", settings.scores, "`scores: {fit: {decay: none}}`")
    made = None if scores is None else scores.scores
    values["machines"] = fields.read("machines", machines)
    values["threshold"] = fields.read("qualify", Qualify(known, made).read, Threshold())
    values["matrix"] = fields.read("matrix", Matrices(made).read)
    bounds = fields.read("total", settings.bounds) or Bounds()
    awards, standings = _rules(fields, scores, known, names)
    values["disqualifications"] = fields.read("disqualify", sections.disqualifications)
    values["staged"] = "stages" in fields
    values["moves"] = fields.read("stages", stages.stages)
    values["follow_ups"] = fields.read("follow up", stages.follow_ups)
    values["holidays"] = fields.read("holidays", holidays)
    temperature = fields.read("temperature", sections.temperature) or Temperature()
    memory = fields.read("memory", settings.memory) or Memory()
    values["identity"] = fields.read("identity", settings.identity)
    values["accounts"] = fields.read("accounts", accounts)
    if report.errors or scores is None:
        return None
    values |= {"cap": bounds.cap, "floor": bounds.floor, "dedupe": memory.events, "objects": memory.objects}
    values |= {"bands": temperature.bands, "coldest": temperature.coldest, "scores": scores.scores}
    values |= {"awards": tuple(awards), "standings": tuple(standings)}
    model = Model(**{key: value for key, value in values.items() if value is not None})
    if len(encode_model(model)) > LARGEST_MODEL:
        report.error(Place(1, 1), f"the compiled rules are larger than {LARGEST_MODEL:,} bytes")
        return None
    lint(report, root, model)
    return model


def _model_name(report: Report, node: Node) -> str | None:
    return name(report, node, "a model's name")


def _rules(
    fields: Fields, scores: Scores | None, segments: list[str], names: Names
) -> tuple[list[Award], list[Standing]]:
    """The rules of all scores, each kind in the order of the file."""
    awards: list[Award] = []
    standings: list[Standing] = []

    def lists(report: Report, node: Node) -> Mapping | None:
        found = mapping(report, node, "`rules`", "a list for each score: `engagement:`, `fit:`")
        for entry in found.entries if found else ():
            score = entry.key.value
            if scores is not None and score not in scores.fading and not report.may_be_named(score):
                hint = did_you_mean(score, scores.fading)
                report.error(entry.key.place, f"unknown score `{score}`", hint)
            if isinstance(entry.value, Text) and entry.value.empty:
                continue
            fading = scores.fading.get(score) if scores else None
            reader = RuleReader(score, fading, segments, names)
            found_list = sequence(report, entry.value, f"`{score}`")
            for item in found_list.items if found_list else ():
                rule = reader.read(report, item)
                if isinstance(rule, Award):
                    awards.append(rule)
                elif rule is not None:
                    standings.append(rule)
        return found

    fields.require("rules", lists, "`rules: {fit: [...], engagement: [...]}`")
    return awards, standings
