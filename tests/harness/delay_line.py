"""A line that takes its time: frames between two devices, each held for so long; `python delay_line.py MS ONE OTHER`.

`netem` is missing on many kernels, so it is done by hand over packet sockets. Nothing is lost and nothing waits in a
queue; both devices must be plain, without offloads (`plain`), or frames come larger than any line takes them.
Written for the standard library alone: it runs in a namespace of its own, often before anything else does.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import sys
import time
from collections import deque

EVERY_PROTOCOL = 3  # ETH_P_ALL
OUTGOING = 4  # PACKET_OUTGOING: what we sent ourselves
FRAME_BYTES = 65536
SIOCETHTOOL = 0x8946
OFFLOADS = (0x17, 0x1F, 0x24, 0x2C)  # ETHTOOL_STXCSUM, _STSO, _SGSO, _SGRO: <linux/ethtool.h>


def plain(device: str) -> None:
    """Have a device of this namespace send frames as a line carries them: whole, with their checksums."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for command in OFFLOADS:
            value = bytearray(struct.pack("II", command, 0))
            address = struct.unpack("Q", struct.pack("P", _address(value)))[0]
            request = struct.pack("16sQ16x", device.encode(), address)
            try:
                fcntl.ioctl(asker, SIOCETHTOOL, request)
            except OSError:
                continue  # a device that does not have it does not do it


def _address(value: bytearray) -> int:
    """Give where the bytes of a buffer are, as the kernel is told of it."""
    import ctypes

    return ctypes.addressof((ctypes.c_char * len(value)).from_buffer(value))


def carry(delay_s: float, names: tuple[str, str]) -> None:
    """Pass frames between two devices for ever, each after so many seconds."""
    sockets = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) for _ in names]
    for each, name in zip(sockets, names, strict=True):
        each.bind((name, EVERY_PROTOCOL))
    other = {sockets[0]: sockets[1], sockets[1]: sockets[0]}
    held: deque[tuple[float, bytes, socket.socket]] = deque()  # in the order in which they leave
    while True:
        wait_s = max(0.0, held[0][0] - time.monotonic()) if held else None
        for each in select.select(sockets, [], [], wait_s)[0]:
            frame, origin = each.recvfrom(FRAME_BYTES)
            if origin[2] != OUTGOING:
                held.append((time.monotonic() + delay_s, frame, other[each]))
        while held and held[0][0] <= time.monotonic():
            _, frame, way_out = held.popleft()
            try:
                way_out.send(frame)
            except OSError:
                continue  # the device is down: the cable was cut


if __name__ == "__main__":
    if len(sys.argv) == 2:
        plain(sys.argv[1])
    else:
        print("ready", flush=True)
        carry(float(sys.argv[1]) / 1000, (sys.argv[2], sys.argv[3]))
