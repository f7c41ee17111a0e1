"""Our own code fails under rules that are only tried: nobody else notices."""

from __future__ import annotations

import random

import pytest

from scorer.domain import shadowing
from tests.property.dice import Dice
from tests.property.test_same_anyhow import told
from tests.property.test_shadow import draw_trial, leads


def test_what_goes_wrong_in_a_shadow_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = draw_trial(Dice(random.Random(4).randrange))
    without = trial.without()

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(shadowing, "step", fails)
    beside = trial.beside(restart=True)
    assert told(beside) == told(without)
    shadows = [lead.shadow for lead in leads(beside).values()]
    assert any(shadow is not None and shadow.failed for shadow in shadows)
