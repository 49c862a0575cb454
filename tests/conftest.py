"""How hard the properties are tried: profile `default`, `quick` while writing, `deep` on demand.

HYPOTHESIS_PROFILE=deep tries a hundred times as many examples and runs the tests marked `deep`.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")

settings.register_profile(
    "default", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("quick", parent=settings.get_profile("default"), max_examples=15)
settings.register_profile("deep", parent=settings.get_profile("default"), max_examples=10_000)
settings.load_profile(PROFILE)

for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
    os.environ.pop(name, None)  # whoever runs the tests may have a keyring, and it is none of ours


MakeFolder = Callable[[str], Path]

ADDING_NOTHING = (
    "tests/fuzz/",
    "tests/house/",
    "tests/independent/",
    "tests/net/",
    # Days of simulated talk and mail walk again and again through what tests beside them cover.
    "tests/peer/mail/test_simnet_mail.py",
    "tests/peer/talk/test_simnet_talk.py",
    "tests/peer/test_simnet.py",
)


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeFolder]:
    """Folders for what the tests of a module share, by name; they are gone when those tests are over."""
    made: list[Path] = []

    def make(name: str) -> Path:
        made.append(tmp_path_factory.mktemp(name))
        return made[-1]

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


def pytest_configure(config: pytest.Config) -> None:
    """Tell of a failure when it happens, if workers run the tests: such a run takes minutes, and may not end."""
    if config.getoption("numprocesses", None):
        config.pluginmanager.register(_AtOnce(config), "at-once")


class _AtOnce:
    """Prints what failed, and why, between the dots."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        screen = self._config.pluginmanager.get_plugin("terminalreporter")
        if not report.failed or screen is None:
            return
        screen.ensure_newline()
        screen.write_line(f"FAILED {report.nodeid} ({report.when}, after {report.duration:.1f} s)")
        screen.write_line(report.longreprtext)
        screen.flush()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what waits for real programs first, and large files before small: so no worker is left with a long one.

    What is marked `deep` is left out unless the profile asks for it. What adds nothing to the coverage of the code is
    not measured, which halves what it costs.
    """
    for item in items:
        if _adds_nothing(item):
            item.add_marker("no_cover")
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (not _waits(item), -sizes[item.path]))
    if PROFILE == "deep":
        return
    deep = [item for item in items if item.get_closest_marker("deep")]
    if deep:
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if item not in deep]


def _adds_nothing(item: pytest.Item) -> bool:
    """Say whether a test runs our code in other processes, or code that other tests cover."""
    if item.nodeid.startswith("tests/e2e/"):
        return item.get_closest_marker("measured") is None
    return item.nodeid.startswith(ADDING_NOTHING)


def _waits(item: pytest.Item) -> bool:
    """Say whether a test is about real programs: it waits more than it computes."""
    return item.nodeid.startswith(("tests/e2e/", "tests/net/"))
