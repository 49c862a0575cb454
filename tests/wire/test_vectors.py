"""Our own vectors against our own implementation: what is written is what is committed, and it reads back.

`python -m tests.vectors.make` writes them anew; a difference is a change of the protocol.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness.entropy import RecordedEntropy
from tests.vectors.links import NOW
from tests.vectors.make import FOLDER, MAKERS, text_of
from wire.account_state import open_state, read_contact, read_list_seen, read_verified
from wire.channel.handshake import Role
from wire.channel.primitives import KemKeyPair, x25519_public
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import (
    check_deletion_proof,
    check_login_proof,
    check_password_proof,
    check_register_proof,
    decode_friend_code,
    public_of,
    read_addresses,
    read_friend_answer,
    read_friend_request,
    read_vouched,
)
from wire.identity.packing import pack
from wire.ids import AccountName, AuthKey, DeviceId, SigningKey
from wire.link import Ending, Link, LinkClosed, LinkConfig, LinkEvent, LinkIdentified
from wire.log.event import read_event, read_header
from wire.log.receipt import read_receipt
from wire.mailbox import Route, open_letter, read_nack, read_prekey
from wire.messages import Purpose
from wire.messages.conversation import SealedEvent
from wire.messages.session import Hello
from wire.transfer import manifest
from wire.transfer.digests import read_digests
from wire.vault import KdfParameters, derive_keys, open_vault


def committed(name: str) -> Any:
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(text, object_hook=_bytes)


def _bytes(value: dict[str, Any]) -> Any:
    return bytes.fromhex(value["hex"]) if value.keys() == {"hex"} else value


@pytest.mark.parametrize("name", MAKERS)
def test_what_is_written_today_is_what_is_committed(name: str) -> None:
    committed_text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert text_of(name) == committed_text, "python -m tests.vectors.make, if the protocol changed"


def test_every_file_of_vectors_is_described_beside_them() -> None:
    about = (FOLDER / "__init__.py").read_text(encoding="utf-8")
    files = {file.name for file in FOLDER.glob("*.json")}
    assert {name for name in files if name not in about} == set()
    assert files == {f"{name}.json" for name in MAKERS} | {
        "handshake.json",
        "frames.json",
        "message_numbers.json",
    }


def test_devices_and_what_vouches_for_them_read_back() -> None:
    vectors = committed("identity")
    alice = vectors["alice"]
    for device in (*alice["devices"], *vectors["bob"]["devices"]):
        identity = device["certificate_fields"][0]
        certificate, listed = read_vouched(device["certificate"], device["device_list"], identity)
        assert (certificate.device, certificate.link_key) == (device["device"], device["link_key"])
        assert x25519_public(device["link_private"]) == device["link_key"]
        assert public_of(device["signing_seed"]) == device["signing_key"]
        assert listed.counter == device["list_fields"][1]
    revoked = alice["after_revocation"]["device_list"]
    with pytest.raises(RemoteProtocolError) as caught:
        read_vouched(alice["devices"][0]["certificate"], revoked, alice["identity"])
    assert caught.value.code is Code.DEVICE_REVOKED
    read_vouched(alice["devices"][1]["certificate"], revoked, alice["identity"])


def test_friendship_and_proofs_read_back() -> None:
    vectors = committed("identity")
    alice, bob = vectors["alice"], vectors["bob"]
    for code in vectors["friend_codes"]:
        read = decode_friend_code(code["code"])
        assert (read.name, read.identity) == (code["name"], alice["identity"])
        assert (read.tracker is None) is (code["address"] == "")
    request = read_friend_request(vectors["friend_request"]["signed"])
    assert (request.asker, request.target) == (alice["identity"], bob["identity"])
    assert read_friend_answer(vectors["friend_answer"]["signed"]).is_yes
    device = alice["devices"][0]
    signed = vectors["addresses"]["signed"]
    record = read_addresses(signed, DeviceId(device["device"]), SigningKey(device["signing_key"]))
    assert [host.port for host in record.hosts] == [4000, 65535]
    where = (AccountName("alice"), vectors["tracker_key"], vectors["handshake_hash"])
    check_register_proof(alice["identity"], vectors["register_proof"], *where)
    auth_key = AuthKey(public_of(vectors["auth_seed"]))
    check_login_proof(auth_key, vectors["login_proof"], *where)
    check_deletion_proof(auth_key, vectors["deletion_proof"], *where)
    following = (AuthKey(vectors["following_auth_key"]), vectors["following_vault"])
    check_password_proof(auth_key, vectors["password_proof"], *where, *following)


def test_an_account_state_opens() -> None:
    vector = committed("state")
    state = open_state(vector["box"], vector["state_key"], AccountName(vector["name"]))
    entries = {entry.key: entry.value for entry in state.entries}
    assert read_contact(entries["contact/bob"]).state == "friends"
    assert read_contact(entries["contact/carol"]).identity == b""
    assert read_list_seen(entries["list/bob"]).counter == 2
    bob = committed("identity")["bob"]["identity"]
    assert read_verified(entries["verified/bob"]) == bob


def test_passwords_open_their_vaults() -> None:
    for vector in committed("password")["vectors"]:
        parameters = KdfParameters(
            vector["salt"], vector["memory_kib"], vector["passes"], vector["lanes"]
        )
        name = AccountName(vector["name"])
        recovery = vector["recovery_key"] or None
        keys = derive_keys(vector["password"], name, vector["tracker_key"], parameters, recovery)
        assert keys.auth_key == vector["auth_key"]
        vault = open_vault(vector["vault"], keys.wrap_key, name)
        assert [vault.identity_seed, vault.counter] == vector["vault_fields"][::2]


def test_a_conversation_reads_back() -> None:
    vectors, people = committed("log"), committed("identity")
    vouched = {}
    for who in ("alice", "bob"):
        device = people[who]["devices"][0]
        certificate, _ = read_vouched(
            device["certificate"], device["device_list"], people[who]["identity"]
        )
        vouched[certificate.device] = certificate
    clock = 0
    for vector in vectors["events"]:
        sealed = SealedEvent(vector["header"], vector["body"])
        event = read_event(sealed, vouched.get, known_clock=clock)
        assert event.id == vector["id"]
        assert event.content is not None
        clock = event.header.clock
    last, fork = vectors["events"][-1], vectors["fork"]
    places = [read_header(one["header"], vouched.get)[1] for one in (last, fork)]
    assert [places[0].seq, places[0].prev] == [places[1].seq, places[1].prev]
    assert last["id"] != fork["id"]
    bob = people["bob"]["devices"][0]
    for vector in vectors["receipts"]:
        receipt = read_receipt(
            vector["signed"], DeviceId(bob["device"]), SigningKey(bob["signing_key"])
        )
        assert receipt.counter == vector["fields"][4]


def test_mail_opens_and_reads_back() -> None:
    vector, people = committed("mail"), committed("identity")
    alice, bob = (people[name]["devices"][0] for name in ("alice", "bob"))
    identities = (people["alice"]["identity"], people["bob"]["identity"])
    number = vector["prekey_fields"][1]
    route = Route(identities[0], alice["device"], identities[1], bob["device"], number)
    assert route.info == vector["info"]
    letter = open_letter(vector["item"], vector["private"], route)
    assert pack(letter) == vector["letter"]
    prekey = read_prekey(vector["prekey"], DeviceId(bob["device"]), SigningKey(bob["signing_key"]))
    assert prekey.public == vector["public"]
    nack = read_nack(vector["nack"], DeviceId(alice["device"]), SigningKey(alice["signing_key"]))
    assert nack.sender == bob["device"]


def test_what_is_said_of_files_reads_back() -> None:
    vectors, people = committed("transfer"), committed("identity")
    entries = manifest.decode(vectors["manifest"]["content"])
    assert [entry.path for entry in entries if entry.is_file] == [
        "holiday/a.jpg",
        "holiday/b/c.txt",
        "holiday!",
        "ü 😀.txt",
    ]
    key = SigningKey(people["alice"]["devices"][0]["signing_key"])
    batch = read_digests(vectors["signed_digests"]["signed"], key)
    assert [len(run.digests) // 32 for run in batch.runs] == [1, 3]


def test_the_link_replays_against_what_was_sent() -> None:
    """Bob's side alone, fed with Alice's flights: his are those of the file."""
    vector = committed("link")
    dice = RecordedEntropy(
        [vector["responder_ephemeral"]],
        {_kem_key(vector): (vector["kem_secret"], vector["kem_ciphertext"])},
    )
    config = LinkConfig(
        purpose=Purpose.PEER,
        static_private=vector["responder_static"],
        responder=vector["responder_identity"],
    )
    link = Link(Role.RESPONDER, config, now=NOW, entropy=dice)
    said: list[bytes] = []
    events: list[LinkEvent] = []
    for flight in vector["flights"][::2]:
        link.receive_data(flight, now=NOW)
        events = link.events()
        if any(isinstance(event, LinkIdentified) for event in events):
            link.admit(Hello(*vector["hellos"][1]))
        said.append(link.data_to_send())
    assert said == [*vector["flights"][1::2], b""]
    assert events == [LinkClosed(Code.GOODBYE, "until tomorrow", Ending.THEM)]
    assert link.handshake_hash == vector["handshake_hash"]


def _kem_key(vector: Any) -> bytes:
    return KemKeyPair(vector["kem_seed"]).public
