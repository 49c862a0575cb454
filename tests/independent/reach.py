"""Reaching a device that cannot be dialled: the relay, and opening from both sides. PROTOCOL.md, section 1."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

from tests.independent.account import Session
from tests.independent.link import PATIENCE_S, PURPOSES, Link, Place, number, octets, preamble
from tests.independent.talk import link_from, link_over
from tests.independent.values import Certificate, Device

PUNCH_S = 5.0
AGAIN_S = 0.1


def relayed(session: Session, name: str, friend: Certificate, purpose: str) -> Link:
    """Ask the tracker to join us with a friend's device, and open the link."""
    _, fields = session.link.ask("AskRelay", name, friend.device, PURPOSES[purpose])
    return _at_relay(session, friend, purpose, octets(fields, 1))


def relayed_for(session: Session, friend: Certificate) -> Link:
    """Go to the relay for a friend's device that waits there, and open the link it wants."""
    _, (_, device, purpose, _) = offered = session.link.hear("RelayOffered")
    if device != friend.device:
        raise ValueError("somebody else waits")
    wanted = next(name for name, byte in PURPOSES.items() if byte == purpose)
    return _at_relay(session, friend, wanted, octets(offered[1], 3))


def punched(session: Session, name: str, friend: Certificate, purpose: str) -> Link:
    """Be introduced to a friend's device, and open from both sides."""
    _, fields = session.link.ask("AskPunch", name, friend.device, PURPOSES[purpose])
    return _punch(session, friend, purpose, octets(fields, 1), number(fields, 2))


def punched_for(session: Session, friend: Certificate) -> Link:
    """Open from both sides because a friend's device asked for it."""
    _, fields = session.link.hear("PunchOffered")
    wanted = next(name for name, byte in PURPOSES.items() if byte == fields[2])
    return _punch(session, friend, wanted, octets(fields, 3), number(fields, 4))


def seen_at(session: Session) -> Place | None:
    """Learn where this device is seen, None where each connection comes from another port."""
    _, fields = session.link.ask("AskProbe")
    with _probes(session, octets(fields, 1), number(fields, 2)):
        return _told(session, octets(fields, 1))


def opened(own: Device, friend: Certificate, connection: socket.socket, purpose: str) -> Link:
    """Open a link that neither side dialled first: the smaller link key begins."""
    if own.link_key < friend.link_key:
        return link_over(own, friend, connection, purpose)
    link = link_from(own, connection, friend.identity)
    if link.purpose != purpose:
        raise ValueError(link.purpose)
    return link


def _at_relay(session: Session, friend: Certificate, purpose: str, ticket: bytes) -> Link:
    place, _ = session.person.tracker
    connection = socket.create_connection(place, PATIENCE_S)
    connection.sendall(preamble("relay") + ticket)
    return opened(session.person.device, friend, connection, purpose)


def _punch(
    session: Session, friend: Certificate, purpose: str, ticket: bytes, second_port: int
) -> Link:
    with _probes(session, ticket, second_port) as port:
        place = _told(session, ticket)
        if place is None:
            raise ValueError("a router is in the way")
        return opened(session.person.device, friend, _dial(place, port), purpose)


@contextlib.contextmanager
def _probes(session: Session, ticket: bytes, second_port: int) -> Iterator[int]:
    """Show a ticket at the tracker's two ports from one fresh port, which it gives."""
    (host, first_port), _ = session.person.tracker
    port = 0
    with contextlib.ExitStack() as stack:
        for far in (second_port, first_port):
            if far:
                probe = stack.enter_context(_bound(port))
                port = probe.getsockname()[1]
                probe.connect((host, far))
                probe.sendall(preamble("probe") + ticket)
        yield port


def _told(session: Session, ticket: bytes) -> Place | None:
    """Wait for the word to go."""
    _, (_, host, port) = session.link.hear("PunchGo", where=lambda said: said[0] == ticket)
    assert isinstance(port, int)
    return (str(host), port) if host else None


def _dial(place: Place, port: int) -> socket.socket:
    """Dial from a port until it opens, and take what comes in there: on one machine nothing drops a first knock."""
    ends = time.monotonic() + PUNCH_S
    with _bound(port) as door:
        door.listen()
        door.settimeout(AGAIN_S)
        while time.monotonic() < ends:
            with contextlib.suppress(TimeoutError):
                return door.accept()[0]
            ours = _bound(port)
            try:
                ours.connect(place)
            except OSError:
                ours.close()
            else:
                return ours
    raise TimeoutError(place)


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        made.setsockopt(socket.SOL_SOCKET, option, 1)
    made.settimeout(PATIENCE_S)
    made.bind(("127.0.0.1", port))
    return made
