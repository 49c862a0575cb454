from __future__ import annotations

import resource

import pytest

from tracker.descriptors import KEPT_BACK, UNLIMITED, raise_descriptor_limit


class Limits:
    """Stands for the system's limit of open files."""

    RLIMIT_NOFILE = resource.RLIMIT_NOFILE
    RLIM_INFINITY = resource.RLIM_INFINITY

    def __init__(self, soft: int, hard: int, *, may_raise: bool = True) -> None:
        self.limit = (soft, hard)
        self.may_raise = may_raise

    def getrlimit(self, _: int, /) -> tuple[int, int]:
        return self.limit

    def setrlimit(self, _: int, limit: tuple[int, int], /) -> None:
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
    soft: int, hard: int, may_raise: bool, sockets: int
) -> None:
    limits = Limits(soft, hard, may_raise=may_raise)
    assert raise_descriptor_limit(limits) == sockets


def test_a_system_that_does_not_tell_has_no_limit() -> None:
    assert raise_descriptor_limit(None) == UNLIMITED
