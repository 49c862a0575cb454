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


class Answer(enum.Enum):
    """What a router does with a packet for itself that nobody inside asked for."""

    DROP = 'iifname "eth0" drop'  # nothing, as most homes' do
    RESET = 'iifname "eth0" meta l4proto tcp reject with tcp reset; iifname "eth0" reject'


_RULES = """
table ip home {{
  chain out {{ type nat hook postrouting priority srcnat; oifname "eth0" {mapping}; }}
  chain local {{ type filter hook input priority filter; ct state established,related accept; {answer}; }}
  chain through {{ type filter hook forward priority filter; ct state established,related accept; ct status dnat accept; iifname "eth0" drop; }}
}}
"""


_RULES_IPV6 = """
table ip6 home {
  chain through { type filter hook forward priority filter; ct state established,related accept; icmpv6 type != echo-request accept; iifname "eth0" drop; }
}
"""
"""A firewall that lets nothing in; nothing is translated."""

_MUTE = """
table ip mute {
  chain out { type filter hook output priority filter; icmp type destination-unreachable drop; }
}
"""
_NO_UDP = """
table inet tcponly {
  chain through { type filter hook forward priority filter - 1; meta l4proto udp drop; }
  chain local { type filter hook input priority filter - 1; meta l4proto udp drop; }
}
"""
ROUTER_IPV6 = "fe80::1"


class Router:
    """One home: a router on the Internet, and one machine behind it, `inside`; left with the switch.

    number: 1 to 250, another one for each home. delay_s: of its line, each way. has_ipv6: the home has a network of
    IPv6, too, which other hosts have to be told the way to (`lead`).
    """

    def __init__(
        self,
        internet: Switch,
        number: int,
        mapping: Mapping = Mapping.SAME,
        *,
        answer: Answer = Answer.DROP,
        delay_s: float = 0.0,
        has_ipv6: bool = False,
    ) -> None:
        self.outside: Host = internet.host(delay_s=delay_s, has_ipv6=has_ipv6)
        self._network = f"192.168.{number}"
        self.has_ipv6 = has_ipv6
        self._prefix = f"2a01:4f8:77:{0x100 + number:x}" if has_ipv6 else ""
        self._machines: list[Host] = []
        self.outside.run("ip", "link", "add", "lan", "type", "bridge")
        self.outside.run("ip", "address", "add", f"{self._network}.1/24", "dev", "lan")
        self.outside.run("ip", "link", "set", "lan", "up")
        if has_ipv6:
            for address in (ROUTER_IPV6, f"{self._prefix}::1"):
                self.outside.run("ip", "address", "add", f"{address}/64", "dev", "lan", "nodad")
            self.outside.set_kernel("net/ipv6/conf/all/forwarding", "1")
            self.outside.run("nft", _RULES_IPV6)
        self.inside = self.machine()
        self.outside.set_kernel("net/ipv4/ip_forward", "1")
        self.outside.run("nft", _RULES.format(mapping=mapping.value, answer=answer.value))

    def machine(self) -> Host:
        """Add another machine to this home."""
        number = len(self._machines) + 2
        ipv6 = f"{self._prefix}::{number}" if self._prefix else ""
        host = Host(f"{self._network}.{number}", number, ipv6)
        self._machines.append(host)
        self.outside.cable(host.port, host, "eth0")
        self.outside.run("ip", "link", "set", host.port, "master", "lan")
        host.run("ip", "address", "add", f"{host.address}/24", "dev", "eth0")
        host.run("ip", "route", "add", "default", "via", f"{self._network}.1")
        if ipv6:
            host.run("ip", "address", "add", f"{ipv6}/64", "dev", "eth0", "nodad")
            host.run("ip", "route", "add", "default", "via", ROUTER_IPV6, "dev", "eth0")
        return host

    def lead(self, *hosts: Host) -> None:
        """Tell others on the Internet the way to this home's network of IPv6."""
        for host in hosts:
            host.run("ip", "route", "add", f"{self._prefix}::/64", "via", self.outside.ipv6)

    def swallow_large(self, most_bytes: int = 1280) -> None:
        """Let no larger packet pass from now on, and tell nobody (RFC 2923, section 2.1): a line with a delay only.

        Without one packets come in larger ones than any line takes, and pass.
        """
        self.outside.run("ip", "link", "set", "eth0", "mtu", str(most_bytes))
        self.outside.run("nft", _MUTE)

    def block_udp(self) -> None:
        """Let TCP pass only, as some offices and hotels do."""
        self.outside.run("nft", _NO_UDP)

    def restart(self) -> None:
        """Forget every connection that was translated, as a router does that is switched off and on."""
        self.outside.run("conntrack", "-F")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for host in self._machines:
            host.close()
