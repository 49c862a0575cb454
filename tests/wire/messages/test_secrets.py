from __future__ import annotations

from wire.messages.accounts import StateKey


def test_a_message_that_carries_a_key_never_shows_it() -> None:
    shown = repr(StateKey(b"s" * 32))
    assert shown == "StateKey(...)"
