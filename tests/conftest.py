"""Fixtures and settings for every test."""

from __future__ import annotations

import os

import hypothesis
import pytest

pytest_plugins = ["tests.kafka_fixtures"]

# A shared machine is slow at times, so no deadlines. CI always tries the same examples, so that a red
# build is about the change; `HYPOTHESIS_PROFILE=long make test` searches further.
hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True)
hypothesis.settings.register_profile("long", deadline=None, print_blob=True, max_examples=5000)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses a Kafka fixture is marked ``kafka``, so ``-m 'not kafka'`` needs no Java."""
    for item in items:
        if {"kafka", "kafka_three"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)
