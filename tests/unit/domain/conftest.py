from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.domain.world import Make, World

if TYPE_CHECKING:
    from scorer.domain.model import Model


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
