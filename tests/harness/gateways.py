"""Routers that map ports when asked, as homes have them: the real `miniupnpd`, with rules of the real nftables."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import Self

import pytest

from tests.harness.routers import Router

DAEMON = Path("/usr/sbin/miniupnpd")

needs_daemon = pytest.mark.skipif(
    "CI" not in os.environ and not DAEMON.exists(),
    reason="miniupnpd is not installed; CI installs it",
)

_CHAINS = """
table inet filter {
  chain forward { type filter hook forward priority 0; policy accept; jump miniupnpd; }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority 99; policy accept; jump postrouting_miniupnpd; }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}
"""
_CHAINS_IPV6 = """
delete table ip6 home
table inet filter {
  chain forward {
    meta nfproto ipv6 ct state established,related accept
    meta nfproto ipv6 meta l4proto icmpv6 icmpv6 type != echo-request accept
    meta nfproto ipv6 iifname "eth0" drop
  }
}
"""
"""In place of the firewall of a home with IPv6: what the daemon lets in comes in, and nothing else."""

_SETTINGS = """
ext_ifname=eth0
listening_ip=lan
enable_natpmp={pcp}
enable_upnp={upnp}
secure_mode=yes
ipv6_disable={no_ipv6}
uuid=6e6f7420-736f-2072-616e-646f6d206964
allow 1024-65535 192.168.0.0/16 1024-65535
"""


class Gateway:
    """A router with its daemon, entered for as long as it serves. by: `UPnP`, or `PCP` (and NAT-PMP)."""

    def __init__(self, router: Router, folder: Path, by: str) -> None:
        self._host = router.outside
        self._host.run("nft", _CHAINS)
        if router.has_ipv6:
            self._host.run("nft", _CHAINS_IPV6)
        upnp = "yes" if by == "UPnP" else "no"
        pcp = "no" if by == "UPnP" else "yes"
        no_ipv6 = "no" if router.has_ipv6 else "yes"
        folder.mkdir()
        (folder / "conf").write_text(_SETTINGS.format(upnp=upnp, pcp=pcp, no_ipv6=no_ipv6))
        words = (str(DAEMON), "-d", "-f", str(folder / "conf"), "-P", str(folder / "pid"))
        self._daemon = subprocess.Popen(
            [*self._host.words, *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )

    def __enter__(self) -> Self:
        assert self._daemon.stderr is not None
        for line in self._daemon.stderr:
            if b"listening" in line.lower():
                break
        self._reader = threading.Thread(target=self._daemon.stderr.read)  # it says much
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._daemon.kill()
        self._reader.join()
        self._daemon.communicate()

    @property
    def let_in(self) -> str:
        """What its firewall lets in for machines with IPv6, as nftables prints it: empty for nothing."""
        listed = self._host.run("nft", "list", "chain", "inet", "filter", "miniupnpd")
        return "\n".join(line.strip() for line in listed.splitlines() if "accept" in line)

    @property
    def mapped(self) -> str:
        """What it maps now, as nftables prints it: empty for nothing."""
        listed = self._host.run("nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd")
        return "\n".join(line.strip() for line in listed.splitlines() if "dnat" in line)
