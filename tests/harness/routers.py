"""Routers that translate addresses, as homes have them: a host on the Internet, and a network behind it.

Real ones: the kernel's own translation by nftables, which must be there.
"""

from __future__ import annotations

import enum
import os
import shutil
from typing import Self

import pytest

from tests.harness.netns import Host, Switch

needs_routers = pytest.mark.skipif(
    "CI" not in os.environ and shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin") is None,
    reason="nft is not installed; CI installs it",
)


class Mapping(enum.Enum):
    """Which port a connection gets outside."""

    SAME = "masquerade"  # its own, if that is free, whatever it dials
    RANDOM = "masquerade fully-random"  # another one for each


_RULES = """
table ip home {{
  chain out {{ type nat hook postrouting priority srcnat; oifname "eth0" {mapping}; }}
  chain local {{ type filter hook input priority filter; ct state established,related accept; iifname "eth0" drop; }}
  chain through {{ type filter hook forward priority filter; ct state established,related accept; ct status dnat accept; iifname "eth0" drop; }}
}}
"""


class Router:
    """One home: a router on the Internet, and one machine behind it, `inside`; left with the switch.

    number: 1 to 250, another one for each home.
    """

    def __init__(self, internet: Switch, number: int, mapping: Mapping = Mapping.SAME) -> None:
        self.outside: Host = internet.host()
        self.inside = Host(f"192.168.{number}.2", 0)
        gateway = f"192.168.{number}.1"
        self.outside.cable("lan", self.inside, "eth0")
        self.outside.run("ip", "address", "add", f"{gateway}/24", "dev", "lan")
        self.inside.run("ip", "address", "add", f"{self.inside.address}/24", "dev", "eth0")
        self.inside.run("ip", "route", "add", "default", "via", gateway)
        self.outside.set_kernel("net/ipv4/ip_forward", "1")
        self.outside.run("nft", _RULES.format(mapping=mapping.value))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.inside.close()
