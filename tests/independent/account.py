"""A person at a tracker: registering, logging in on another machine, friends, presence, where friends are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.independent import values
from tests.independent.link import Link, Place, number, octets, rows
from tests.independent.msgpack import Value
from tests.independent.values import Certificate, Device, Kdf, PasswordKeys

AVAILABLE = 1


@dataclass
class Person:
    """An account and the device that acts for it."""

    name: str
    address: str
    device: Device
    friends: dict[str, bytes] = field(default_factory=dict)  # identities, pinned

    @property
    def tracker(self) -> tuple[Place, bytes]:
        """Give where the tracker is, and its key."""
        return values.read_address(self.address)

    @property
    def code(self) -> str:
        """Give our friend code."""
        (host, port), key = self.tracker
        return values.friend_code(self.name, f"hobnob://{host}:{port}/", key, self.device.identity)


def anonymous(address: str, link_private: bytes) -> Link:
    """Open a link to a tracker as somebody it does not know."""
    place, key = values.read_address(address)
    link = Link.dial(place, "tracker", expected=key, static=link_private, remote_static=key)
    link.say("HelloAnonymous", 0)
    link.hear("HelloTracker")
    link.is_open()
    return link


def register(address: str, name: str, password: str, seed: bytes = b"") -> Person:
    """Make an account with a device of ours as its first; seed: of the identity, drawn if empty."""
    seed, state_key = seed or os.urandom(32), os.urandom(32)
    device = values.make_device(seed)
    _, tracker_key = values.read_address(address)
    kdf = Kdf(os.urandom(16))
    keys = values.derive(password, name, tracker_key, kdf)
    now = values.now_ms()
    vault = values.seal_vault(keys.wrap_key, name, seed, state_key, 1, now, os.urandom(32))
    with anonymous(address, device.link_private) as link:
        proof = (name.encode(), tracker_key, link.handshake_hash)
        signature = values.sign(seed, "register", *proof)
        how = (kdf.salt, kdf.memory_kib, kdf.passes, kdf.lanes)
        auth_key = values.verify_key(keys.auth_seed)
        signed = (device.certificate, device.device_list, signature)
        link.ask("Register", name, device.identity, *how, auth_key, vault, 1, *signed)
    return Person(name, address, device)


def prove(link: Link, address: str, name: str, password: str) -> tuple[PasswordKeys, list[Value]]:
    """Prove a password on an anonymous link; gives its keys, and what LoggedIn says."""
    _, tracker_key = values.read_address(address)
    _, said = link.ask("AskKdf", name)
    kdf = Kdf(octets(said, 1), number(said, 2), number(said, 3), number(said, 4))
    keys = values.derive(password, name, tracker_key, kdf)
    proof = (name.encode(), tracker_key, link.handshake_hash)
    _, found = link.ask("LogIn", name, values.sign(keys.auth_seed, "login", *proof))
    return keys, found


def open_vault(keys: PasswordKeys, name: str, found: list[Value]) -> list[Value]:
    """Open the vault that LoggedIn brought, and check whose it is."""
    vault = values.open_vault(keys.wrap_key, name, octets(found, 2))
    if values.verify_key(octets(vault, 0)) != found[1] or number(vault, 2) < number(found, 3):
        raise ValueError("not the vault of this account")
    return vault


def change_password(address: str, name: str, former: str, password: str) -> None:
    """Put another password in place."""
    _, tracker_key = values.read_address(address)
    with anonymous(address, os.urandom(32)) as link:
        keys, found = prove(link, address, name, former)
        seed, state_key, counter, changed = open_vault(keys, name, found)
        assert isinstance(seed, bytes)
        assert isinstance(state_key, bytes)
        assert isinstance(counter, int)
        assert isinstance(changed, int)
        kdf = Kdf(os.urandom(16))
        fresh = values.derive(password, name, tracker_key, kdf)
        content = (seed, state_key, counter + 1, changed, os.urandom(32))
        vault = values.seal_vault(fresh.wrap_key, name, *content)
        auth_key = values.verify_key(fresh.auth_seed)
        fields = (name.encode(), tracker_key, link.handshake_hash, auth_key, vault)
        signature = values.sign(keys.auth_seed, "password", *fields)
        how = (kdf.salt, kdf.memory_kib, kdf.passes, kdf.lanes, False)
        link.ask("ChangePassword", *how, auth_key, vault, counter + 1, signature)


def delete(address: str, name: str, password: str) -> None:
    """Remove an account with all that is held of it."""
    _, tracker_key = values.read_address(address)
    with anonymous(address, os.urandom(32)) as link:
        keys, _ = prove(link, address, name, password)
        proof = (name.encode(), tracker_key, link.handshake_hash)
        link.ask("DeleteAccount", values.sign(keys.auth_seed, "delete-account", *proof))


def log_in(address: str, name: str, password: str) -> Person:
    """Become another device of an account, by its password alone."""
    link_private = os.urandom(32)
    with anonymous(address, link_private) as link:
        keys, found = prove(link, address, name, password)
        seed = octets(open_vault(keys, name, found), 0)
        vault, listed = octets(found, 2), octets(found, 5)
        device = values.make_device(seed, listed=listed, link_private=link_private)
        link.ask("AddDevice", device.certificate, device.device_list, vault, number(found, 3))
    return Person(name, address, device)


class Session:
    """The session of a known device at its tracker; a context that hangs up."""

    def __init__(self, person: Person, *, show: int = AVAILABLE) -> None:
        self.person = person
        place, key = person.tracker
        static = person.device.link_private
        self.link = Link.dial(place, "tracker", expected=key, static=static, remote_static=key)
        self.link.say_hello(person.device)
        self.link.hear("HelloTracker")
        self.link.is_open()
        _, self.entered = self.link.ask("Enter", False, show, "", 0)
        self.listed: dict[str, tuple[bytes, int]] = {}  # identity and presence, as the tracker says
        is_last = False
        while not is_last:
            _, page = self.link.hear("FriendsPage")
            self.listed |= {str(row[0]): (octets(row, 1), number(row, 2)) for row in rows(page, 0)}
            is_last = page[1] is True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.link.__exit__(kind, error, trace)

    def befriend(self, code: str, note: str = "") -> bytes:
        """Ask somebody by their friend code; gives the signed request."""
        name, _, _, identity = values.read_friend_code(code)
        request = self.request(name, identity, note)
        self.link.ask("AskFriend", name, request)
        self.person.friends[name] = identity
        return request

    def request(self, name: str, target: bytes, note: str = "") -> bytes:
        """Sign a friend request."""
        own = self.person.device
        return values.issue(
            own.signing_seed,
            "friend-request",
            [
                self.person.name,
                name,
                own.identity,
                target,
                os.urandom(16),
                note,
                values.now_ms(),
                own.certificate,
                own.device_list,
            ],
        )

    def wait_friend(self, request: bytes) -> str:
        """Wait for the answer to our request, verify it, take it; gives the friend's name."""
        _, (name, is_yes, signed, _) = self.link.hear("FriendAnswered")
        assert isinstance(signed, bytes)
        fields = values.peek(signed)
        identity = octets(fields, 2)
        vouched = values.read_certificate(octets(fields, 5), octets(fields, 6), identity)
        values.read(signed, "friend-answer", vouched.signing_key)
        if (
            fields[0] != hashlib.sha256(request).digest()
            or fields[1] != self.person.device.identity
            or identity != self.person.friends.get(str(name))
            or fields[3] is not True
            or is_yes is not True
        ):
            raise ValueError("not the answer to what we asked")
        self.link.ask("TakeAnswer", name)
        self.link.hear("FriendAdded")
        return str(name)

    def answer(self, *, is_yes: bool = True) -> str:
        """Wait for a friend request, verify it, answer it; gives who asked."""
        _, (name, signed, _) = self.link.hear("FriendAsked")
        assert isinstance(signed, bytes)
        fields = values.peek(signed)
        asker = octets(fields, 2)
        vouched = values.read_certificate(octets(fields, 7), octets(fields, 8), asker)
        values.read(signed, "friend-request", vouched.signing_key)
        own = self.person.device
        if fields[:2] != [name, self.person.name] or fields[3] not in (b"", own.identity):
            raise ValueError("a request for somebody else")
        body: list[Value] = [
            hashlib.sha256(signed).digest(),
            asker,
            own.identity,
            is_yes,
            values.now_ms(),
        ]
        said = values.issue(
            own.signing_seed, "friend-answer", [*body, own.certificate, own.device_list]
        )
        self.link.ask("AnswerFriend", name, is_yes, said)
        self.person.friends[str(name)] = asker
        return str(name)

    def publish(self, hosts: Sequence[tuple[str, int]], counter: int) -> None:
        """Say where this device can be dialled."""
        self.link.ask("PutAddresses", addresses(self.person.device, hosts, counter))

    def where(self, name: str, key: bytes = b"") -> list[tuple[Certificate, list[Place]]]:
        """Give a friend's devices and where each can be dialled, all verified; key: what sealed places open with."""
        _, (_, _, identity, device_list, listed) = self.link.ask("AskDirectory", name)
        if identity != self.person.friends[name]:
            raise ValueError("key-mismatch")
        assert isinstance(identity, bytes)
        assert isinstance(device_list, bytes)
        assert isinstance(listed, list)
        found: list[tuple[Certificate, list[Place]]] = []
        for record in listed:
            assert isinstance(record, list)
            vouched = values.read_certificate(octets(record, 0), device_list, identity)
            places: list[Place] = []
            if record[1]:
                said = values.read(octets(record, 1), "addresses", vouched.signing_key)
                assert said[0] == vouched.device
                hosts = rows(said, 3)
                if key and not hosts:
                    hosts = values.open_places(key, octets(said, 4), vouched.device)
                places = [(str(row[0]), number(row, 1)) for row in hosts]
            found.append((vouched, places))
        return found


def addresses(device: Device, hosts: Sequence[tuple[str, int]], counter: int) -> bytes:
    """Sign where a device can be dialled."""
    body: list[Value] = [device.id, os.urandom(16), counter, [list(host) for host in hosts]]
    return values.issue(device.signing_seed, "addresses", body)
