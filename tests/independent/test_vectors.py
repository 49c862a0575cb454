"""The second client against the committed vectors: a stranger gets the same bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from tests.independent import files, mail, msgpack, noise, talk, values
from tests.independent.files import MIB
from tests.independent.message_numbers import NUMBERS

FOLDER = Path(__file__).parents[1] / "vectors"


def vectors(name: str) -> Any:
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(text, object_hook=_bytes)


def _bytes(value: dict[str, Any]) -> Any:
    return bytes.fromhex(value["hex"]) if value.keys() == {"hex"} else value


# --- the channel


@pytest.mark.parametrize("vector", vectors("handshake")["vectors"], ids=lambda one: one["name"])
def test_the_handshake_and_its_records(vector: Any) -> None:
    known = {
        name: bytes.fromhex(one)
        for name, one in vector.items()
        if isinstance(one, str) and name != "name"
    }
    caller = noise.Dice(known["kem_seed"], known["initiator_ephemeral"])
    answer = (known["kem_secret"], known["kem_ciphertext"])
    called = noise.Dice(ephemeral=known["responder_ephemeral"], encapsulated=answer)
    public = noise.public_of(known["responder_static"])
    one = noise.Handshake(known["prologue"], known["initiator_static"], public, caller)
    other = noise.Handshake(known["prologue"], known["responder_static"], None, called)
    said = [one.write_1()]
    other.read_1(said[0])
    said.append(other.write_2())
    one.read_2(said[1])
    said.append(one.write_3())
    other.read_3(said[2])
    assert [message.hex() for message in said] == vector["messages"]
    assert one.h == other.h == known["handshake_hash"]
    assert one.psk == other.psk == known["psk"]
    assert other.remote_static == noise.public_of(known["initiator_static"])
    limits = (vector["rekey_after_records"], vector["rekey_after_bytes"])
    for keys, records in (
        (one.split(), vector["initiator_records"]),
        (other.split(), vector["responder_records"]),
    ):
        sealer, opener = noise.Direction(keys[0], *limits), noise.Direction(keys[0], *limits)
        for record in records:
            sealed, plaintext = (bytes.fromhex(record[name]) for name in ("record", "plaintext"))
            assert sealer.seal(plaintext) == sealed[4:]
            assert opener.open(sealed[4:]) == plaintext


def test_a_whole_link() -> None:
    vector = vectors("link")
    prologue = b"HBNB\x01\x01\x02\x00" + vector["responder_identity"]
    dice = noise.Dice(vector["kem_seed"], vector["initiator_ephemeral"])
    public = noise.public_of(vector["responder_static"])
    caller = noise.Handshake(prologue, vector["initiator_static"], public, dice)
    flights = [_frames(flight) for flight in (vector["flights"][0][8:], *vector["flights"][1:])]
    assert vector["flights"][0][:8] == prologue[:8]
    assert flights[0] == [caller.write_1()]
    caller.read_2(flights[1][0])
    assert flights[2][0] == caller.write_3()
    assert caller.h == vector["handshake_hash"]
    ours, theirs = (noise.Direction(key) for key in caller.split())
    assert flights[2][1:] == [ours.seal(_message("Hello", vector["hellos"][0]))]
    assert theirs.open(flights[3][0]) == _message("Hello", vector["hellos"][1])
    assert flights[4] == [ours.seal(_message("Ping", [1]))]
    assert theirs.open(flights[5][0]) == _message("Pong", [1])
    assert flights[6] == [ours.seal(_message("Close", ["goodbye", "until tomorrow"]))]


def _frames(flight: bytes) -> list[bytes]:
    found = []
    while flight:
        length = int.from_bytes(flight[:4], "big")
        found.append(flight[4 : 4 + length])
        flight = flight[4 + length :]
    return found


def _message(name: str, fields: list[Any]) -> bytes:
    return NUMBERS[name].to_bytes(2, "big") + msgpack.pack(fields)


@pytest.mark.parametrize("name", NUMBERS)
def test_each_message(name: str) -> None:
    frames = json.loads((FOLDER / "frames.json").read_text(encoding="utf-8"), object_hook=_bytes)
    record = bytes.fromhex(frames[name]["record"])
    assert int.from_bytes(record[:2], "big") == NUMBERS[name]
    assert msgpack.unpack(record[2:]) == frames[name]["fields"]
    assert msgpack.pack(frames[name]["fields"]) == record[2:]


# --- values


def test_devices_and_what_vouches_for_them() -> None:
    found = vectors("identity")
    for person in (found["alice"], found["bob"]):
        listed = b""
        for device in person["devices"]:
            _, _, _, _, name, created = device["certificate_fields"]
            made = values.make_device(
                person["identity_seed"],
                listed=listed,
                name=name,
                link_private=device["link_private"],
                device=device["device"],
                signing_seed=device["signing_seed"],
                now=created,
            )
            listed = made.device_list
            assert made.certificate == device["certificate"]
            assert listed == device["device_list"]
            assert made.identity == person["identity"]
            assert made.link_key == device["link_key"]
            assert hashlib.sha256(made.certificate).digest() == device["certificate_hash"]
            values.read_certificate(made.certificate, listed, made.identity)
    alice = found["alice"]
    body = msgpack.unpack_array(alice["devices"][0]["certificate"])[0]
    assert isinstance(body, bytes)
    assert values.covered("certificate", body) == alice["covered"]
    off = alice["after_revocation"]
    assert (
        values.issue(alice["identity_seed"], "device-list", off["list_fields"])
        == off["device_list"]
    )
    certificate = alice["devices"][0]["certificate"]
    with pytest.raises(ValueError, match="vouch"):
        values.read_certificate(certificate, off["device_list"], alice["identity"])


def test_friendship_codes_numbers_and_proofs() -> None:
    found = vectors("identity")
    alice, bob = found["alice"], found["bob"]
    both = alice["identity"], bob["identity"]
    assert values.conversation_of(*both) == found["direct_conversation"]
    assert values.safety_number(*both[::-1]) == found["safety_number"]
    for code in found["friend_codes"]:
        said = (code["name"], code["address"], code["tracker_key"], alice["identity"])
        assert values.friend_code(*said) == code["code"]
        assert values.read_friend_code(code["code"]) == said
    seeds = {name: found[name]["devices"][0]["signing_seed"] for name in ("alice", "bob")}
    for name, purpose, seed in (
        ("friend_request", "friend-request", seeds["alice"]),
        ("friend_answer", "friend-answer", seeds["bob"]),
        ("addresses", "addresses", seeds["alice"]),
    ):
        signed = values.issue(seed, purpose, found[name]["fields"])
        assert signed == found[name]["signed"]
        assert values.read(signed, purpose, values.verify_key(seed)) == found[name]["fields"]
    places = found["places"]
    opened = values.open_places(places["key"], places["sealed"], places["device"])
    assert opened == places["hosts"]
    request = hashlib.sha256(found["friend_request"]["signed"]).digest()
    assert found["friend_answer"]["fields"][0] == request
    where = (b"alice", found["tracker_key"], found["handshake_hash"])
    assert values.sign(alice["identity_seed"], "register", *where) == found["register_proof"]
    auth = found["auth_seed"]
    assert values.sign(auth, "login", *where) == found["login_proof"]
    assert values.sign(auth, "delete-account", *where) == found["deletion_proof"]
    following = (found["following_auth_key"], found["following_vault"])
    assert values.sign(auth, "password", *where, *following) == found["password_proof"]


@pytest.mark.parametrize("vector", vectors("password")["vectors"], ids=["plain", "recovery key"])
def test_passwords_and_vaults(vector: Any) -> None:
    name = vector["name"]
    kdf = values.Kdf(vector["salt"], vector["memory_kib"], vector["passes"], vector["lanes"])
    keys = values.derive(
        vector["password"], name, vector["tracker_key"], kdf, vector["recovery_key"]
    )
    assert (keys.auth_seed, keys.wrap_key) == (vector["auth_seed"], vector["wrap_key"])
    assert values.verify_key(keys.auth_seed) == vector["auth_key"]
    assert msgpack.pack(vector["vault_fields"]) == vector["vault_plain"]
    seed, state_key, counter, changed = vector["vault_fields"]
    content = (seed, state_key, counter, changed, vector["box_salt"])
    sealed = values.seal_vault(keys.wrap_key, name, *content)
    assert sealed == vector["vault"]
    assert values.open_vault(keys.wrap_key, name, sealed) == vector["vault_fields"]


def test_the_account_state() -> None:
    found = vectors("state")
    assert msgpack.pack(found["fields"]) == found["plain"]
    name = found["name"].encode()
    box = (found["state_key"], "account-state")
    assert values.seal_box(*box, found["plain"], name, found["box_salt"]) == found["box"]
    assert values.open_box(*box, found["box"], name) == found["plain"]
    entries = {entry[0]: entry[1] for entry in found["fields"][3]}
    for who, fields in found["contacts"].items():
        assert msgpack.unpack_array(entries[f"contact/{who}"]) == fields
    assert msgpack.unpack_array(entries["list/bob"]) == found["list_seen"]["bob"]
    assert entries["verified/bob"] == vectors("identity")["bob"]["identity"]


# --- conversations and files


def test_events_receipts_and_vectors() -> None:
    found, people = vectors("log"), vectors("identity")
    seeds, vouched = {}, {}
    for name in ("alice", "bob"):
        device = people[name]["devices"][0]
        seeds[name] = device["signing_seed"]
        vouched[name] = values.read_certificate(
            device["certificate"], device["device_list"], people[name]["identity"]
        )
    before: dict[str, bytes] = {"alice": b"", "bob": b""}
    for vector in (*found["events"], found["fork"]):
        author, header = vector["author"], vector["fields"][:10]
        event = talk.write_event(seeds[author], header, vector["content"], vector["salt"])
        assert (event.sealed, event.body) == (vector["header"], vector["body"])
        assert (event.id, event.header) == (vector["id"], vector["fields"])
        read = talk.read_event(event.sealed, event.body, vouched[author], found["conversation"])
        assert read.content == vector["content"]
        if vector is not found["fork"]:
            assert header[4] == before[author]
            before[author] = event.id
    assert talk.vector_digest(found["vector"]) == found["vector_digest"]
    assert talk.vector_digest([]) == found["empty_digest"]
    for vector in found["receipts"]:
        assert values.issue(seeds["bob"], "receipt", vector["fields"]) == vector["signed"]


def test_mail() -> None:
    found, people = vectors("mail"), vectors("identity")
    alice, bob = (people[name]["devices"][0] for name in ("alice", "bob"))
    key = mail.MailKey(found["prekey_fields"][1], found["private"][:64], found["private"][64:])
    assert key.public == found["public"]
    for name, seed in (("prekey", bob["signing_seed"]), ("nack", alice["signing_seed"])):
        assert values.issue(seed, name, found[f"{name}_fields"]) == found[name]
    names = (people["alice"]["identity"], alice["device"], people["bob"]["identity"], bob["device"])
    info = mail.info_of(*names, key.number)
    assert info == found["info"]
    assert msgpack.pack(found["letter_fields"]) == found["letter"]
    plaintext = mail.open_sealed(key, info, found["item"])
    certificate, records = mail.read_letter(plaintext, names[0])
    assert certificate.device == alice["device"]
    assert records == [("Receipt", [b"a receipt, signed"]), ("Nack", [found["nack"]])]
    assert len(found["item"]) == 2048
    again = mail.open_sealed(key, info, mail.seal(key.public, info, plaintext))
    assert again == plaintext
    with pytest.raises(InvalidTag):
        mail.open_sealed(key, mail.info_of(*names, key.number + 1), found["item"])


def test_manifests_chunks_and_roots() -> None:
    found, people = vectors("transfer"), vectors("identity")
    listed = found["manifest"]
    assert msgpack.pack(listed["entries"]) == listed["content"]
    assert files.digest(listed["content"]) == listed["digest"]
    for vector in found["files"]:
        size = vector["size"]
        content = (bytes(range(251)) * (size // 251 + 1))[:size]
        digests = [files.digest(chunk) for chunk in files.chunks_of(content)]
        assert digests == vector["chunk_digests"]
        assert files.root_of(size, digests) == vector["root"]
    many = found["many"]
    digests = [files.digest(index.to_bytes(4, "big")) for index in range(many["chunks"])]
    assert files.root_of(many["size"], digests) == many["root"]
    assert files.digest(b"".join(digests[:1024])) == many["page_digests"][0]
    assert files.digest(bytes(MIB)) == found["zeros"]["digest"]
    device = people["alice"]["devices"][0]
    signed = found["signed_digests"]
    assert values.issue(device["signing_seed"], "digests", signed["fields"]) == signed["signed"]
