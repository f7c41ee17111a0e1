from __future__ import annotations

import pytest

from scorer.domain.model import Model
from tests.unit.domain.world import Make, World


@pytest.fixture(params=["engine", "oracle"])
def world(request: pytest.FixtureRequest) -> Make:
    def make(model: Model) -> World:
        return World(request.param).rules(model)

    return make


@pytest.fixture
def engine() -> Make:
    """For what only the engine has: ledger lines."""

    def make(model: Model) -> World:
        return World("engine").rules(model)

    return make
