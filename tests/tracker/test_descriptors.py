from __future__ import annotations

import resource

import pytest

from tracker import descriptors
from tracker.descriptors import KEPT_BACK, UNLIMITED, raise_descriptor_limit


class Limits:
    """Stands for the system's limit of open files."""

    def __init__(self, soft: int, hard: int, *, may_raise: bool = True) -> None:
        self.limit = (soft, hard)
        self.may_raise = may_raise

    def get(self, _: int) -> tuple[int, int]:
        return self.limit

    def set(self, _: int, limit: tuple[int, int]) -> None:
        if not self.may_raise:
            raise ValueError
        self.limit = limit


@pytest.mark.parametrize(
    ("soft", "hard", "may_raise", "sockets"),
    [
        (256, 4096, True, 4096 - KEPT_BACK),
        (4096, 4096, True, 4096 - KEPT_BACK),
        (256, 4096, False, 256 - KEPT_BACK),
        (10, 10, True, 1),
        (256, resource.RLIM_INFINITY, True, UNLIMITED),
    ],
)
def test_the_limit_is_raised_as_far_as_the_system_allows(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, may_raise: bool, sockets: int
) -> None:
    limits = Limits(soft, hard, may_raise=may_raise)
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    monkeypatch.setattr(resource, "setrlimit", limits.set)
    assert raise_descriptor_limit() == sockets


def test_a_system_that_does_not_tell_has_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "HAS_RESOURCE", False)
    assert raise_descriptor_limit() == UNLIMITED
