"""When which session wants to be called: one sweep for all instead of a timer for each.

Pure over `now`. Instants are sorted into slots of a quarter of a second; a session that moves its instant
later (every byte that arrives does) costs nothing until its old slot comes up and it is sorted in again.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from wire.machine import Monotonic

SLOT_S = 0.25

KeyT = TypeVar("KeyT")


class Wheel(Generic[KeyT]):
    """Remembers one instant for each key."""

    def __init__(self) -> None:
        self._slots: dict[int, set[KeyT]] = {}
        self._slot_of: dict[KeyT, int] = {}
        self._next = 0  # no slot before this one is filled

    def __len__(self) -> int:
        return len(self._slot_of)

    def set(self, key: KeyT, at: Monotonic | None) -> None:
        """Make sure that the key is called at `at`, or a slot later; maybe earlier too. None: forget it."""
        held = self._slot_of.get(key)
        if at is None:
            if held is not None:
                self._drop(key, held)
            return
        slot = int(at / SLOT_S) + 1
        if held is not None:
            if held <= slot:
                return  # sorted in again when its slot comes up
            self._drop(key, held)
        self._slot_of[key] = slot
        self._slots.setdefault(slot, set()).add(key)
        self._next = min(self._next, slot)

    def due(self, now: Monotonic) -> list[KeyT]:
        """Give the keys whose slot has come, and forget them: each is looked at and set again."""
        last = int(now / SLOT_S)
        due: list[KeyT] = []
        if len(self._slots) <= last - self._next:
            come = sorted(slot for slot in self._slots if slot <= last)
        else:
            come = [slot for slot in range(self._next, last + 1) if slot in self._slots]
        for slot in come:
            due += self._slots.pop(slot)
        for key in due:
            del self._slot_of[key]
        self._next = last + 1
        return due

    def _drop(self, key: KeyT, slot: int) -> None:
        del self._slot_of[key]
        keys = self._slots[slot]
        keys.discard(key)
        if not keys:
            del self._slots[slot]
