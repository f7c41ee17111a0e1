"""Which ends of a worker are met by another start, and when."""

from __future__ import annotations

import signal

import pytest

from scorer.worker.endings import Again, Backoff, End, Ending, decide

BRIEF = 5.0


@pytest.mark.parametrize("status", [70, -signal.SIGKILL, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGTERM])
def test_fatal_errors_and_signals_are_met_by_another_start(status: int) -> None:
    assert decide(Ending(status, BRIEF), 0, chance=1) == Again(failures=1, delay=1)


@pytest.mark.parametrize("status", [0, 1, 2, 3, 69, 71, 130])
def test_any_other_exit_code_is_passed_through(status: int) -> None:
    assert decide(Ending(status, BRIEF), 0, chance=1) == End(status)


def test_what_was_told_to_end_is_not_started_again() -> None:
    ends = {
        0: 0,
        -signal.SIGTERM: 0,  # before it had taken the signal over
        130: 0,
        70: 70,  # it did not stop in time
        2: 2,
        -signal.SIGKILL: 137,
        -signal.SIGINT: 130,
    }
    told = {signal.SIGTERM}
    assert {status: decide(Ending(status, BRIEF, told), 3, chance=1) for status in ends} == {
        status: End(code) for status, code in ends.items()
    }


def delays(lives: list[float], chance: float, backoff: Backoff) -> list[float]:
    failures, found = 0, []
    for lived in lives:
        verdict = decide(Ending(70, lived), failures, chance, backoff)
        assert isinstance(verdict, Again)
        failures = verdict.failures
        found.append(verdict.delay)
    return found


def test_delays_double_up_to_the_longest() -> None:
    assert delays([BRIEF] * 8, 1, Backoff()) == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_long_life_starts_them_anew() -> None:
    assert delays([BRIEF, BRIEF, 59.9, 60, BRIEF], 1, Backoff()) == [1, 2, 4, 1, 2]


def test_chance_takes_off_up_to_half() -> None:
    assert delays([BRIEF] * 3, 0, Backoff()) == [0.5, 1, 2]
    assert delays([BRIEF] * 3, 0.5, Backoff()) == [0.75, 1.5, 3]


def test_failing_for_weeks_is_no_overflow() -> None:
    assert decide(Ending(70, BRIEF), 100_000, chance=1) == Again(100_001, 30)


def test_ends_are_told_in_words() -> None:
    assert str(Ending(70, 12.3)) == "ended with exit code 70 after 12 s"
    assert str(Ending(-9, 0.2)) == "was ended by SIGKILL (kill -9, or out of memory) after 0 s"
    assert str(Ending(-11, 7200)) == "was ended by SIGSEGV after 7200 s"
    assert str(Ending(-42, 1)) == "was ended by signal 42 after 1 s"
    assert str(Ending(70, 0, obstacle="no memory")) == "could not be started (no memory)"
