from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tracker.coalesce import Coalescer
from wire.machine import Monotonic


def at(seconds: float) -> Monotonic:
    return Monotonic(seconds)


def holds(coalescer: Coalescer) -> bool:
    return coalescer.is_holding


def test_the_first_change_leaves_at_once_and_further_ones_together_a_moment_later() -> None:
    coalescer = Coalescer(0.05)
    assert coalescer.put(b"alice away", "alice", at(1.0)) == [b"alice away"]
    assert coalescer.put(b"bob here", "bob", at(1.01)) == []
    assert coalescer.put(b"carol here", "carol", at(1.02)) == []
    assert holds(coalescer)
    assert coalescer.release(at(1.05)) == [b"bob here", b"carol here"]
    assert not holds(coalescer)
    assert coalescer.put(b"dan here", "dan", at(1.06)) == []
    assert coalescer.release(at(1.1)) == [b"dan here"]
    assert coalescer.put(b"eve here", "eve", at(2.0)) == [b"eve here"]


def test_what_was_said_twice_about_one_thing_is_sent_once() -> None:
    coalescer = Coalescer(0.05)
    coalescer.put(b"x", "x", at(1.0))
    coalescer.put(b"bob here", "bob", at(1.0))
    coalescer.put(b"carol here", "carol", at(1.0))
    coalescer.put(b"bob gone", "bob", at(1.0))
    assert coalescer.release(at(1.05)) == [b"carol here", b"bob gone"]


def test_what_may_not_wait_takes_along_what_is_held() -> None:
    coalescer = Coalescer(0.05)
    coalescer.put(b"x", "x", at(1.0))
    coalescer.put(b"bob here", "bob", at(1.01))
    assert coalescer.put(b"answer", None, at(1.02)) == [b"bob here", b"answer"]
    assert coalescer.put(b"answer", None, at(1.02)) == [b"answer"]


keys = st.sampled_from(["a", "b", None])


@given(st.lists(st.tuples(keys, st.floats(0, 0.1)), max_size=50))
def test_the_last_word_about_everything_arrives_in_order(steps: list[Any]) -> None:
    coalescer, now, sent = Coalescer(0.05), 0.0, []
    last: dict[object, bytes] = {}
    urgent: list[bytes] = []
    for number, (key, step) in enumerate(steps):
        now += step
        record = f"{key} {number}".encode()
        if key is None:
            urgent.append(record)
        last[key] = record
        sent += coalescer.put(record, key, at(now))
    sent += coalescer.release(at(now))
    assert len(sent) == len(set(sent))
    assert [record for record in sent if record.startswith(b"None")] == urgent
    for key, record in last.items():
        about = [item for item in sent if item.startswith(f"{key} ".encode())]
        assert about[-1] == record
        assert [int(item.split()[1]) for item in about] == sorted(int(i.split()[1]) for i in about)
