"""Beyond mistakes: what a good file says, but its author hardly meant.

Runs when a file has no error, so everything here may rely on the model. Warnings and notes only.
"""

from __future__ import annotations

from scorer.domain.model import Model
from scorer.rulefile import lint_conditions, lint_numbers, lint_uses
from scorer.rulefile.diagnostics import Report, TooManyError
from scorer.rulefile.lint_places import Places
from scorer.rulefile.nodes import Mapping


def lint(report: Report, root: Mapping, model: Model) -> None:
    """Add what is doubtful about ``model``, which was read from ``root``."""
    places = Places(root)
    try:
        lint_conditions.check(report, places, model)
        lint_numbers.check(report, places, model)
        lint_uses.check(report, places, model)
    except TooManyError:
        pass  # a file with a thousand doubts is still a good file
