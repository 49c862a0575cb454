"""Which request asks which service."""

from __future__ import annotations

from tracker.dispatch import HANDLERS
from wire.dialogue import REQUESTS


def test_every_request_that_may_come_has_a_handler() -> None:
    assert set(HANDLERS) == set(REQUESTS)
