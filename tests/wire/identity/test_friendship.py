"""Friend requests, answers, addresses and proofs: what is signed between people."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.harness.entropy import SeededEntropy
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import (
    AddressRecord,
    FriendAnswer,
    FriendRequest,
    Host,
    check_deletion_proof,
    check_login_proof,
    check_password_proof,
    check_register_proof,
    deletion_proof,
    first_device,
    issue_addresses,
    issue_friend_answer,
    issue_friend_request,
    login_proof,
    open_places,
    password_proof,
    public_of,
    read_addresses,
    read_friend_answer,
    read_friend_request,
    register_proof,
    request_hash,
    seal_places,
)
from wire.ids import AccountName, AuthKey, BootId
from wire.machine import UnixMillis
from wire.messages.reach import AddressKey

ENTROPY = SeededEntropy(b"friendship")
ALICE = first_device(b"\x0a" * 32, "laptop", now=UnixMillis(1), entropy=ENTROPY)
BOB = first_device(b"\x0b" * 32, "desk", now=UnixMillis(1), entropy=ENTROPY)
REQUEST = FriendRequest(
    asker_name=AccountName("alice"),
    target_name=AccountName("bob"),
    asker=ALICE.identity,
    target=b"",
    nonce=bytes(16),
    note="hello",
    created=5,
    certificate=ALICE.certificate,
    device_list=ALICE.device_list,
)


def refused(code: Code) -> pytest.RaisesExc:
    return pytest.raises(RemoteProtocolError, check=lambda error: error.code is code)


def test_a_request_says_who_asks_down_to_the_identity() -> None:
    assert read_friend_request(issue_friend_request(ALICE, REQUEST)) == REQUEST


def test_a_request_signed_by_another_device_than_its_certificates_is_refused() -> None:
    with refused(Code.SIGNATURE_INVALID):
        read_friend_request(issue_friend_request(BOB, REQUEST))


def test_a_request_that_claims_somebody_elses_identity_is_refused() -> None:
    claimed = replace(REQUEST, asker=BOB.identity)
    with refused(Code.IDENTITY_MISMATCH):
        read_friend_request(issue_friend_request(ALICE, claimed))


def test_an_answer_names_its_request_by_hash() -> None:
    signed = issue_friend_request(ALICE, REQUEST)
    answer = FriendAnswer(
        request_hash=request_hash(signed),
        asker=ALICE.identity,
        answerer=BOB.identity,
        is_yes=True,
        created=6,
        certificate=BOB.certificate,
        device_list=BOB.device_list,
    )
    assert read_friend_answer(issue_friend_answer(BOB, answer)) == answer
    with refused(Code.SIGNATURE_INVALID):
        read_friend_answer(issue_friend_answer(ALICE, answer))


def test_addresses_count_only_from_the_device_they_name() -> None:
    record = AddressRecord(ALICE.device, BootId(bytes(16)), 3, (Host("192.0.2.1", 9000),))
    signed = issue_addresses(ALICE.signing_seed, record)
    assert read_addresses(signed, ALICE.device, ALICE.signing_key) == record
    with refused(Code.SIGNATURE_INVALID):
        read_addresses(signed, ALICE.device, BOB.signing_key)
    with refused(Code.IDENTITY_MISMATCH):
        read_addresses(signed, BOB.device, ALICE.signing_key)


def test_a_login_proof_holds_for_its_name_tracker_and_link_only() -> None:
    seed, name, tracker, link = b"\x05" * 32, AccountName("alice"), b"t" * 32, b"h" * 32
    key = AuthKey(public_of(seed))
    proof = login_proof(seed, name, tracker, link)
    check_login_proof(key, proof, name, tracker, link)
    for changed in (
        (AccountName("alicf"), tracker, link),
        (name, b"u" * 32, link),
        (name, tracker, b"i" * 32),
    ):
        with refused(Code.SIGNATURE_INVALID):
            check_login_proof(key, proof, *changed)


def test_a_register_proof_is_no_login_proof() -> None:
    seed, name, tracker, link = b"\x0a" * 32, AccountName("alice"), b"t" * 32, b"h" * 32
    proof = register_proof(seed, name, tracker, link)
    check_register_proof(ALICE.identity, proof, name, tracker, link)
    with refused(Code.SIGNATURE_INVALID):
        check_login_proof(AuthKey(ALICE.identity), proof, name, tracker, link)


def test_a_password_proof_holds_for_its_link_and_for_what_takes_the_place_only() -> None:
    seed, name, tracker, link = b"\x05" * 32, AccountName("alice"), b"t" * 32, b"h" * 32
    key, following = AuthKey(public_of(seed)), AuthKey(b"n" * 32)
    proof = password_proof(seed, name, tracker, link, following, b"vault")
    check_password_proof(key, proof, name, tracker, link, following, b"vault")
    for changed in (
        (AccountName("alicf"), tracker, link, following, b"vault"),
        (name, b"u" * 32, link, following, b"vault"),
        (name, tracker, b"i" * 32, following, b"vault"),
        (name, tracker, link, AuthKey(b"o" * 32), b"vault"),
        (name, tracker, link, following, b"vaulu"),
    ):
        with refused(Code.SIGNATURE_INVALID):
            check_password_proof(key, proof, *changed)


def test_a_login_proof_deletes_nothing() -> None:
    seed, name, tracker, link = b"\x05" * 32, AccountName("alice"), b"t" * 32, b"h" * 32
    key = AuthKey(public_of(seed))
    check_deletion_proof(key, deletion_proof(seed, name, tracker, link), name, tracker, link)
    with refused(Code.SIGNATURE_INVALID):
        check_deletion_proof(key, login_proof(seed, name, tracker, link), name, tracker, link)
    with refused(Code.SIGNATURE_INVALID):
        proof = deletion_proof(seed, name, tracker, link)
        check_deletion_proof(key, proof, name, tracker, b"i" * 32)


def test_places_are_sealed_to_one_key_under_one_length_and_for_one_device() -> None:
    key, entropy = b"k" * 32, SeededEntropy(b"places")
    hosts = (Host("192.0.2.1", 9000), Host("2001:db8::1", 9000, is_mapped=True))
    lengths = set()
    for told in ((), hosts, hosts * 4):
        sealed = seal_places(told, key, ALICE.device, entropy)
        lengths.add(len(sealed))
        record = AddressRecord(ALICE.device, BootId(bytes(16)), 3, (), sealed)
        signed = issue_addresses(ALICE.signing_seed, record)
        assert open_places(read_addresses(signed, ALICE.device, ALICE.signing_key), key) == told
        for wrong in (
            AddressRecord(BOB.device, BootId(bytes(16)), 3, (), sealed),
            AddressRecord(ALICE.device, BootId(bytes(16)), 3, (), sealed[:40]),
            AddressRecord(ALICE.device, BootId(bytes(16)), 3, ()),
        ):
            with pytest.raises(RemoteProtocolError) as caught:
                open_places(wrong, key)
            assert caught.value.code is Code.ADDRESSES_SEALED
        with pytest.raises(RemoteProtocolError):
            open_places(record, b"x" * 32)
    assert lengths == {limits.SEALED_PLACES_BYTES}


def test_an_address_key_does_not_show_in_what_is_printed_of_its_message() -> None:
    assert repr(AddressKey(b"k" * 32)) == "AddressKey(...)"
