"""Threads that are begun without waiting: who waits for their end, and what is left of them."""

from __future__ import annotations

import _thread
import gc
import threading
import weakref

import pytest

from peer.transfers.worker import Worker

WAIT_S = 30.0


def test_whoever_joins_waits_for_the_end() -> None:
    may_end = threading.Event()
    done: list[int] = []

    def work() -> None:
        may_end.wait(WAIT_S)
        done.append(1)

    made = Worker(work)
    made.start()
    assert not made.join(0.0)
    may_end.set()
    assert made.join(WAIT_S)
    assert done == [1]
    assert made.join()


def test_it_knows_itself_and_does_not_wait_for_itself() -> None:
    told: list[bool] = []
    made = Worker(lambda: told.extend((made.is_current, made.join())))
    assert not made.is_current
    made.start()
    assert made.join(WAIT_S)
    assert told == [True, False]
    assert not made.is_current


def test_one_that_was_never_begun_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Worker(lambda: None).join()

    def refuse(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    made = Worker(lambda: None)
    with pytest.raises(RuntimeError):
        made.start()
    assert made.join()


class Owner:
    """Who has a thread for something of its own."""

    def __init__(self) -> None:
        self.worker = Worker(self.work)

    def work(self) -> None:
        """Be done at once."""


def test_its_owner_is_let_go_of_by_its_end() -> None:
    gc.disable()
    try:
        owner = Owner()
        seen = weakref.ref(owner)
        owner.worker.start()
        assert owner.worker.join(WAIT_S)
        del owner
        assert seen() is None
    finally:
        gc.enable()
