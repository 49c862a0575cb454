"""Under which marks a device announces itself on a local network: friends recognise it, others see noise.

A mark holds for one day (UTC), so that who listens for longer cannot tell that two of them are one device.
What lives here: how a mark is made. What does not: how it travels (`peer.reach.lan`, PROTOCOL.md).

    mark = first 16 bytes of BLAKE3("hobnob/v1/lan" | 0 | identity | device | day: 4, big-endian)
    open = first 16 bytes of BLAKE3("hobnob/v1/lan-open" | 0 | identity | day: 4)

A device's id is 128 random bits that only friends are told, while an identity is told to whoever asks a tracker
for a name: hence both. The second is for those who have a friend code, and announced only while the device
takes requests.
"""

from __future__ import annotations

from blake3 import blake3

from wire.ids import DeviceId, IdentityKey
from wire.machine import UnixMillis

MARK_BYTES = 16
DAY_MS = 86_400_000


def day_of(now: UnixMillis) -> int:
    """Give the day that an instant (milliseconds, UTC) belongs to, counted from 1970."""
    return now // DAY_MS


def days_around(now: UnixMillis) -> tuple[int, int, int]:
    """Give the days whose marks count: clocks are off, and midnight comes between two words."""
    today = day_of(now)
    return today, today - 1, today + 1


def lan_mark(identity: IdentityKey, device: DeviceId, day: int) -> bytes:
    """Give the mark of one device for a day; 16 bytes."""
    return _mark(b"hobnob/v1/lan\0" + identity + device, day)


def lan_open_mark(identity: IdentityKey, day: int) -> bytes:
    """Give the mark by which who has an account's friend code finds it while it takes requests; 16 bytes."""
    return _mark(b"hobnob/v1/lan-open\0" + identity, day)


def _mark(subject: bytes, day: int) -> bytes:
    return blake3(subject + max(day, 0).to_bytes(4, "big")).digest()[:MARK_BYTES]
