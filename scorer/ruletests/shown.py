"""What came of rule tests, for people."""

from __future__ import annotations

from collections.abc import Iterator

from scorer.rulefile.diagnostics import Diagnostic, Report
from scorer.ruletests.running import Failure, Result, Seen, number, said, span_text

_WIDEST_NAME = 48
_POINTS = 9


def failed(result: Result, file: str, lines: list[str]) -> Iterator[str]:
    """What is wrong, each with its place, and the ledger at each instant."""
    for failure in result.failures:
        yield "\n\n".join(one.render() for one in diagnostics(failure, file, lines))
        yield "\n".join(ledger(result.test.name, failure))


def diagnostics(failure: Failure, file: str, lines: list[str]) -> list[Diagnostic]:
    report = Report(file, lines)
    for place, message in failure.wrong:
        report.error(place, message)
    return report.diagnostics()


def ledger(name: str, failure: Failure) -> Iterator[str]:
    """The lead as it was: every contribution, the sum, what was emitted."""
    seen = failure.seen
    yield f"  {name}, at {span_text(failure.expect.at)}:"
    for line in seen.ledger:
        rule = f"{line.rule} ({line.detail})" if line.detail else line.rule
        yield f"  {_signed(line.points):>{_POINTS}}  {rule[:_WIDEST_NAME]}"
    if not seen.ledger:
        yield f"  {'':>{_POINTS}}  no rule gives anything"
    yield f"  {'-' * _POINTS}"
    yield f"  {number(seen.total):>{_POINTS}}  {_state(seen)}"
    told = ", ".join(said(one) for one in seen.emitted)
    yield f"  {'':>{_POINTS}}  emitted since the last look: {told or 'nothing'}"


def _state(seen: Seen) -> str:
    scores = ", ".join(f"{name} {number(value)}" for name, value in seen.scores.items())
    state = f"{scores}; {seen.stage}, {seen.temperature}"
    return state + (f"; in {', '.join(seen.segments)}" if seen.segments else "")


def _signed(points: float) -> str:
    return f"{points:+.2f}"
