"""Who somebody is: devices, certificates, lists, friendship, what people compare."""

from __future__ import annotations

import hashlib
from typing import Any

from msgspec.structs import astuple

from tests.harness.entropy import SeededEntropy
from wire.address import TrackerAddress
from wire.identity import (
    AddressRecord,
    DeviceKeys,
    DeviceList,
    FriendAnswer,
    FriendRequest,
    Host,
    add_device,
    deletion_proof,
    direct_conversation,
    encode_friend_code,
    first_device,
    issue_addresses,
    issue_friend_answer,
    issue_friend_request,
    login_proof,
    password_proof,
    public_of,
    read_certificate,
    read_device_list,
    register_proof,
    request_hash,
    safety_number,
    seal_places,
)
from wire.identity.devices import revoke_device
from wire.identity.sign import SignPurpose, _covered, open_container
from wire.ids import AccountName, AuthKey, BootId, IdentityKey, LinkKey
from wire.limits import CERTIFICATE_BYTES
from wire.machine import UnixMillis
from wire.state_key import state_key_hash

THEN = UnixMillis(1_767_225_600_000)  # the first instant of 2026
DAY_MS = 86_400_000
TRACKER_KEY = LinkKey(bytes(range(32)))
HANDSHAKE_HASH = bytes(range(32, 64))


class Somebody:
    """A person of the vectors with a first device."""

    def __init__(self, name: str) -> None:
        self.entropy = SeededEntropy(f"vectors: {name}")
        self.name = AccountName(name)
        self.seed = self.entropy.bytes(32)
        self.keys = first_device(self.seed, "desk", now=THEN, entropy=self.entropy)

    @property
    def identity(self) -> IdentityKey:
        return IdentityKey(public_of(self.seed))


def device(keys: DeviceKeys) -> dict[str, Any]:
    """Give a device, its certificate and the list it was made with, signed and taken apart."""
    certificate = read_certificate(keys.certificate, keys.identity)
    listed = read_device_list(keys.device_list, keys.identity)
    return {
        "device": keys.device,
        "link_private": keys.link_private,
        "link_key": keys.link_key,
        "signing_seed": keys.signing_seed,
        "signing_key": keys.signing_key,
        "certificate_fields": list(astuple(certificate)),
        "certificate": keys.certificate,
        "certificate_hash": hashlib.sha256(keys.certificate).digest(),
        **signed_list(keys.device_list, listed),
    }


def signed_list(signed: bytes, listed: DeviceList) -> dict[str, Any]:
    """Give a device list, signed and taken apart."""
    rows = [list(astuple(entry)) for entry in listed.devices]
    return {
        "list_fields": [
            listed.identity,
            listed.counter,
            listed.changed,
            rows,
            listed.state_key_hash,
        ],
        "device_list": signed,
    }


def make() -> dict[str, Any]:
    """Give everything that identity.json holds."""
    alice, bob = Somebody("alice"), Somebody("bob")
    first = read_device_list(alice.keys.device_list, alice.identity)
    later = UnixMillis(THEN + DAY_MS)
    second = add_device(alice.seed, first, "laptop ü", now=later, entropy=alice.entropy)
    both = read_device_list(second.device_list, alice.identity)
    revoked = revoke_device(
        alice.seed,
        both,
        alice.keys.device,
        now=UnixMillis(THEN + 2 * DAY_MS),
        state_key_hash=state_key_hash(b"\x07" * 32),
    )
    place = TrackerAddress("tracker.example", 9797, TRACKER_KEY)
    return {
        "about": "Who somebody is. `covered` is what the signature of the first certificate is over. Lists: the "
        "first device alone, then both, then the first taken off, the state key being 32 times 7 from there on. Proofs hold on the link with this handshake hash.",
        "alice": {
            "name": alice.name,
            "identity_seed": alice.seed,
            "identity": alice.identity,
            "devices": [device(alice.keys), device(second)],
            "after_revocation": signed_list(revoked, read_device_list(revoked, alice.identity)),
            "covered": _covered(
                SignPurpose.CERTIFICATE,
                (open_container(alice.keys.certificate, CERTIFICATE_BYTES).body,),
            ),
        },
        "bob": {
            "name": bob.name,
            "identity_seed": bob.seed,
            "identity": bob.identity,
            "devices": [device(bob.keys)],
        },
        "direct_conversation": direct_conversation(alice.identity, bob.identity),
        "safety_number": safety_number(alice.identity, bob.identity),
        "friend_codes": [
            {
                "name": alice.name,
                "address": "hobnob://tracker.example:9797/",
                "tracker_key": TRACKER_KEY,
                "code": encode_friend_code(alice.name, place, alice.identity),
            },
            {
                "name": alice.name,
                "address": "",
                "tracker_key": b"",
                "code": encode_friend_code(alice.name, None, alice.identity),
            },
        ],
        **_friendship(alice, bob),
        "tracker_key": TRACKER_KEY,
        "handshake_hash": HANDSHAKE_HASH,
        "register_proof": register_proof(alice.seed, alice.name, TRACKER_KEY, HANDSHAKE_HASH),
        "auth_seed": bytes(range(64, 96)),
        "following_auth_key": bytes(range(96, 128)),
        "following_vault": b"a vault, sealed by another password",
        "password_proof": password_proof(
            bytes(range(64, 96)),
            alice.name,
            TRACKER_KEY,
            HANDSHAKE_HASH,
            AuthKey(bytes(range(96, 128))),
            b"a vault, sealed by another password",
        ),
        "deletion_proof": deletion_proof(
            bytes(range(64, 96)), alice.name, TRACKER_KEY, HANDSHAKE_HASH
        ),
        "login_proof": login_proof(bytes(range(64, 96)), alice.name, TRACKER_KEY, HANDSHAKE_HASH),
    }


def _friendship(alice: Somebody, bob: Somebody) -> dict[str, Any]:
    request = FriendRequest(
        asker_name=alice.name,
        target_name=bob.name,
        asker=alice.identity,
        target=bob.identity,
        nonce=alice.entropy.bytes(16),
        note="it is me, from the café",
        created=THEN,
        certificate=alice.keys.certificate,
        device_list=alice.keys.device_list,
    )
    signed = issue_friend_request(alice.keys, request)
    answer = FriendAnswer(
        request_hash=request_hash(signed),
        asker=alice.identity,
        answerer=bob.identity,
        is_yes=True,
        created=THEN + 1000,
        certificate=bob.keys.certificate,
        device_list=bob.keys.device_list,
    )
    record = AddressRecord(
        device=alice.keys.device,
        boot_id=BootId(alice.entropy.bytes(16)),
        counter=7,
        hosts=(Host("192.0.2.1", 4000), Host("2001:db8::1", 65535)),
    )
    rows = [list(astuple(host)) for host in record.hosts]
    key = b"\x0c" * 32  # an address key
    return {
        "friend_request": {"fields": list(astuple(request)), "signed": signed},
        "friend_answer": {
            "fields": list(astuple(answer)),
            "signed": issue_friend_answer(bob.keys, answer),
        },
        "addresses": {
            "fields": [record.device, record.boot_id, record.counter, rows, record.sealed],
            "signed": issue_addresses(alice.keys.signing_seed, record),
        },
        "places": {
            "key": key,
            "device": record.device,
            "hosts": rows,
            "sealed": seal_places(record.hosts, key, record.device, alice.entropy),
        },
    }
