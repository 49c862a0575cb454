"""`doctor`: everything that decides who can reach whom, looked at one after another, in plain words.

Each check says that it is fine, or what is wrong, on whose side, and what to do. It asks the tracker and looks
at this machine; nothing is changed.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from peer import api
from peer.errors import PeerError
from peer.identity import seal_of
from peer.listener import parse_listen
from peer.reach import outward
from peer.reach.lan import FAILED, OFF
from peer.reach.places import own_hosts
from peer.settings import configuring
from peer.sizes import bytes_text
from wire import limits
from wire.codes import Code
from wire.ids import AccountName
from wire.messages import Purpose
from wire.messages.reach import (
    AskDialBack,
    AskProbe,
    AskRelay,
    DialledBack,
    Probe,
    Relay,
)

if TYPE_CHECKING:
    from peer.node import Node

SETTLE_S = 10.0
MAPPING_WAIT_S = 20.0
PROBE_WAIT_S = 5.0  # for what the tracker sent already: this machine may be busy
CLOCK_OFF_S = limits.CLOCK_LABEL_OFF_S
LEAST_SPACE_BYTES = 256 * limits.MIB


UNSEEN = "what only a tracker can see was not looked at: clock, address, dial-back, punching, relay"


def _fine(check: str, detail: str) -> api.Check:
    return api.Check(check, True, detail, "")


def _wrong(check: str, detail: str, remedy: str) -> api.Check:
    return api.Check(check, False, detail, remedy)


async def examine(node: Node) -> AsyncGenerator[api.Check, None]:
    """Look at everything; what needs the tracker is left out while it cannot be asked."""
    await node.settle(SETTLE_S)
    yield _listener(node)
    yield _tracker(node)
    if node.uplink.state == "online":
        async for check in _by_tracker(node):
            yield check
    elif node.profile.tracker is not None:
        yield await _mapping(node)
    yield await _ipv6(node)
    yield _lan(node)
    for check in _this_machine(node):
        yield check


async def _by_tracker(node: Node) -> AsyncIterator[api.Check]:
    yield _clock(node)
    yield _address(node)
    yield await _mapping(node)
    if (by := outward.proxy()) is None:
        yield await _dial_back(node)
        yield await _punching(node)
    else:
        yield _fine(
            "proxy", f"the tracker and its relay are reached through {by}; nobody is dialled"
        )
    yield await _relay(node)


def _listener(node: Node) -> api.Check:
    if not node.listening:
        return _wrong("listener", "this node takes no connections", "start it by hobnob up")
    return _fine("listener", f"listens on {', '.join(node.listening)}")


def _tracker(node: Node) -> api.Check:
    uplink = node.uplink
    if uplink.state == "online":
        return _fine("tracker", f"online at {node.profile.tracker}")
    if node.profile.tracker is None:
        return _fine("tracker", "this account has none; friends are met on the local network")
    failure = uplink.failure
    remedy = "check its address, and whether it runs" if failure is None else failure.remedy
    why = uplink.why or f"the tracker link is {uplink.state}"
    return _wrong("tracker", f"{why}; {UNSEEN}", remedy)


def _clock(node: Node) -> api.Check:
    ahead_s = node.uplink.clock_ahead_ms / 1000
    if abs(ahead_s) < CLOCK_OFF_S:
        return _fine("clock", "this machine's clock agrees with the tracker's")
    way = "ahead of" if ahead_s > 0 else "behind"
    return _wrong(
        "clock",
        f"this machine's clock is {abs(ahead_s) / 60:.0f} minutes {way} the tracker's",
        "set this machine's clock, or tell the tracker's host that theirs is wrong",
    )


def _address(node: Node) -> api.Check:
    own, seen = node.uplink.own_host, node.uplink.observed_host
    if not own:
        return _fine("address", f"the tracker sees the proxy's address, {seen}")
    if own == seen:
        return _fine("address", f"the tracker sees this machine at its own address, {own}")
    return _fine("address", f"a router stands between: {own} is seen as {seen}")


async def _dial_back(node: Node) -> api.Check:
    """Have the tracker dial our listener: what it reaches must bring its nonce here."""
    family_ports = [
        port
        for host, port in map(parse_listen, node.listening)
        if (":" in host) is (":" in node.uplink.own_host)
    ]
    if not family_ports:
        kind = "IPv6" if ":" in node.uplink.own_host else "IPv4"
        return _wrong(
            "dial-back",
            f"this node does not listen on {kind}, by which it reaches the tracker",
            "leave --listen out, to listen on all addresses",
        )
    mapped = node.where.mapping.place
    port = family_ports[0] if mapped is None or ":" in node.uplink.own_host else mapped[1]
    nonce = node.entropy.bytes(limits.TICKET_BYTES)
    with node.linking.reception.expect_probe(nonce) as came:
        try:
            answer = await node.uplink.ask(
                lambda request: AskDialBack(request, port, nonce), DialledBack
            )
            async with asyncio.timeout(PROBE_WAIT_S if answer.is_reached else 0.0):
                await came.wait()
        except TimeoutError:
            return _wrong(
                "dial-back",
                f"nobody outside can dial port {port} of this machine: a router or a firewall on this side"
                " lets nothing in",
                f"let TCP port {port} through to this machine, if you can; without it friends are met by"
                " dialling at one moment, or by the relay",
            )
        except PeerError as error:
            return _wrong("dial-back", error.message, error.remedy)
    return _fine("dial-back", f"the tracker reached port {port} of this machine")


async def _mapping(node: Node) -> api.Check:
    """Say what the router answered; the first answer may take some seconds."""
    mapping = node.where.mapping
    with suppress(TimeoutError):
        async with asyncio.timeout(MAPPING_WAIT_S if node.listening else 0.0):
            await mapping.has_tried.wait()
    if mapping.lease is not None:
        lease = mapping.lease
        return _fine(
            "mapping",
            f"the router leads port {lease.port} of {lease.host} to this machine, by {lease.by}",
        )
    if mapping.failure is not None:
        return _wrong("mapping", mapping.failure.message, mapping.failure.remedy)
    if mapping.why_not is None:
        return _fine("mapping", "the router is still being asked")
    return _fine("mapping", f"no port is mapped: {mapping.why_not}")


async def _punching(node: Node) -> api.Check:
    """See whether one port is seen at one place by both ports of the tracker."""
    try:
        asked = await node.uplink.ask(AskProbe, Probe)
        seen = await node.linking.meeting.punching.seen(asked.ticket, asked.second_port)
    except PeerError as error:
        return _wrong("punching", error.message, error.remedy)
    except (OSError, TimeoutError):
        return _wrong(
            "punching",
            "the probes did not get through to the tracker's second port",
            "nothing to do here; the tracker's host may have to open that port",
        )
    if asked.second_port == 0:
        return _fine("punching", "the tracker has no second port: it is tried without knowing")
    if seen is None:
        return _wrong(
            "punching",
            "the router on this side gives each connection another port: dialling at one moment cannot"
            " work, the relay serves instead",
            "forward a port of the router to this machine, if you can",
        )
    return _fine("punching", f"a port is seen at one place, {seen[0]}:{seen[1]}")


async def _relay(node: Node) -> api.Check:
    """Ask for ourselves: a tracker that relays says that we cannot be joined with ourselves."""
    name, device = AccountName(node.profile.name), node.profile.keys.device
    purpose = int(Purpose.PEER)
    try:
        await node.uplink.ask(lambda request: AskRelay(request, name, device, purpose), Relay)
    except PeerError as error:
        if error.code is not Code.NOT_ONLINE:
            return _wrong("relay", error.message, error.remedy)
    return _fine("relay", "the tracker joins friends who cannot reach each other")


async def _ipv6(node: Node) -> api.Check:
    """See which addresses of IPv6 this machine has that others can dial, many have none; and what its router says."""
    hosts = [host for host in own_hosts("") if ":" in host and ip_address(host).is_global]
    if not hosts:
        return _fine("ipv6", "this machine has no way out by IPv6; IPv4 alone is used")
    opening = node.where.opening
    with suppress(TimeoutError):
        async with asyncio.timeout(MAPPING_WAIT_S if node.listening else 0.0):
            await opening.has_tried.wait()
    said = f"this machine goes out as {', '.join(hosts)}"
    if opening.lease is not None:
        lease = opening.lease
        said = f"{said}; the router's firewall lets port {lease.port} of {lease.host} in, by {lease.by}"
    elif opening.failure is not None:
        said = f"{said}; a firewall of the router, if it has one, was not opened: {opening.failure.message}"
    return _fine("ipv6", said)


def _lan(node: Node) -> api.Check:
    """Say whether friends on this network would be found without a tracker."""
    lan = node.near.lan
    if lan.state == FAILED:
        return _wrong(
            "lan",
            f"friends on the local network are not looked for: {lan.why}",
            f"{lan.remedy}, or: hobnob config set lan off",
        )
    if lan.state == OFF:
        return _fine("lan", f"friends on the local network are not looked for: {lan.why}")
    count = len(lan.nearby)
    others = ("no other device is", "one other device is", f"{count} other devices are")[
        min(count, 2)
    ]
    if lan.why_silent:
        return _fine("lan", f"only listens on the local network: {lan.why_silent}; {others} heard")
    return _fine("lan", f"announces itself on the local network; {others} heard there")


def _this_machine(node: Node) -> list[api.Check]:
    chosen = node.database.read(configuring.downloads)
    checks = [_space("home", node.locations.home)]
    try:
        checks.append(_space("downloads", configuring.downloads_folder(node.locations, chosen)))
    except PeerError as error:
        checks.append(_wrong("downloads", error.message, error.remedy))
    seal = seal_of(node.locations)
    if seal != "none":
        checks.append(_fine("key-file", f"the key file is sealed by the {seal}"))
    else:
        checks.append(
            _fine("key-file", "the key file is not sealed: only its file mode keeps others out")
        )
    return checks


def _space(check: str, folder: Path) -> api.Check:
    """See how much a folder, or the one it will stand in, has room for."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return _wrong(check, f"{folder}: {error.strerror}", "check its path, owner and permissions")
    if free < LEAST_SPACE_BYTES:
        return _wrong(check, f"{folder} has only {bytes_text(free)} free", "make room on that disk")
    return _fine(check, f"{bytes_text(free)} free")
