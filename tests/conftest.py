"""How hard the properties are tried: profile `default`, `quick` while writing, `deep` on demand.

HYPOTHESIS_PROFILE=deep tries a hundred times as many examples and runs the tests marked `deep`.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")

settings.register_profile(
    "default", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("quick", parent=settings.get_profile("default"), max_examples=15)
settings.register_profile("deep", parent=settings.get_profile("default"), max_examples=10_000)
settings.load_profile(PROFILE)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what waits for real programs first, so that the quick tests fill every worker to the end.

    What is marked `deep` is left out unless the profile asks for it.
    """
    items.sort(key=lambda item: not item.nodeid.startswith(("tests/e2e/", "tests/net/")))
    if PROFILE == "deep":
        return
    deep = [item for item in items if item.get_closest_marker("deep")]
    if deep:
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if item not in deep]
