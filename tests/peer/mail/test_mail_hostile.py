"""Mail that a tracker made up: it opens nothing, shows nothing, and fills neither disk nor memory."""

from __future__ import annotations

import pytest

from peer.mail import mailing, prekeys
from peer.store.devices import certificate_of
from tests.harness.simnet import SimPeer, Simulation, befriend
from wire import limits
from wire.channel.primitives import hpke_public
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.errors import RemoteProtocolError
from wire.identity import SignPurpose
from wire.identity.packing import pack
from wire.identity.sign import issue
from wire.ids import AccountName, DeviceId
from wire.mailbox import Letter, Prekey, Route, issue_prekey, read_prekey, seal_letter
from wire.messages.mailbox import MailItem


@pytest.fixture
def pair() -> tuple[SimPeer, SimPeer]:
    world = Simulation(3)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def take(peer: SimPeer, *items: MailItem) -> mailing.Taken:
    taken = peer.database.write(mailing.take, peer.keys, items, peer.world.wall(), peer.entropy)
    peer.database.commit()
    return taken


def rows(peer: SimPeer, table: str) -> int:
    found = peer.database.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(found[0])


def item(
    number: int, sealed: bytes, *, name: str = "bob", device: bytes = b"d" * 16, prekey: int = 1
) -> MailItem:
    identifier = number.to_bytes(16, "big")
    return MailItem(number, AccountName(name), DeviceId(device), identifier, prekey, 0, sealed)


def test_items_without_sense_are_forgotten_and_not_asked_for_without_end(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, _ = pair
    count = limits.NACKS_OWED + 500
    for start in range(0, count, 100):
        items = [
            item(number, b"junk", device=number.to_bytes(16, "little"))
            for number in range(start + 1, start + 101)
        ]
        assert len(take(alice, *items).numbers) == 100
    assert rows(alice, "owed_nacks") == limits.NACKS_OWED
    assert rows(alice, "events") == 0


def test_mail_of_somebody_who_is_no_friend_is_dropped(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, _ = pair
    assert take(alice, item(1, b"junk", name="mallory")).effects == []
    assert rows(alice, "owed_nacks") == 0


def test_a_tracker_that_never_has_enough_keys_gets_no_disk_full_of_them(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    """It says again and again that it holds none: what is made is bounded, the newest stay."""
    alice, _ = pair
    now = alice.world.wall()
    for _ in range(3 + limits.PREKEYS_MADE // limits.PREKEYS_PER_MESSAGE):
        one_time, _ = alice.database.write(prekeys.make, alice.keys, 0, True, now, alice.entropy)
        alice.database.write(prekeys.published, len(one_time))
    alice.database.commit()
    kept = rows(alice, "prekeys")
    assert limits.PREKEYS_MADE <= kept <= limits.PREKEYS_MADE + limits.PREKEYS_PER_MESSAGE + 1


def letters(pair: tuple[SimPeer, SimPeer]) -> list[tuple[str, Letter]]:
    _, bob = pair
    keys = bob.keys
    eve = SimPeer.make(Simulation(4), "eve").keys
    vouched = (keys.certificate, keys.device_list)
    return [
        ("another's certificate", Letter(eve.certificate, keys.device_list, ())),
        ("another's list", Letter(keys.certificate, eve.device_list, ())),
        ("all another's", Letter(eve.certificate, eve.device_list, ())),
        ("no certificate", Letter(b"", b"", ())),
        ("a record that is none", Letter(*vouched, (b"\xff\xee\x90",))),
        ("a record of another link", Letter(*vouched, (b"\x80\x40\x92\x01\xa2ab",))),
        ("a word that is not for mail", Letter(*vouched, (b"\x80\x05\x91\x01",))),
    ]


def test_letters_that_lie_leave_nothing_but_a_used_key(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    now = alice.world.wall()
    alice.database.write(prekeys.make, alice.keys, 0, False, now, alice.entropy)
    numbers = [
        (number, bytes(private))
        for number, private in alice.database.connection.execute(
            "SELECT number, private FROM prekeys WHERE is_one_time = 1 ORDER BY number"
        )
    ]
    for (row, letter), (prekey, private) in zip(letters(pair), numbers, strict=False):
        route = Route(
            bob.keys.identity, bob.keys.device, alice.keys.identity, alice.keys.device, prekey
        )
        sealed = seal_letter(letter, hpke_public(private), route, SystemEntropy())
        taken = take(alice, item(prekey, sealed, device=bob.keys.device, prekey=prekey))
        assert taken.has_used_keys, row
        assert alice.database.read(prekeys.private_of, prekey) is None, row
        assert rows(alice, "owed_nacks") == 0, row
    assert rows(alice, "events") == 0
    known = alice.database.read(certificate_of, bob.keys.device)
    assert known is None or known.identity == bob.keys.identity


def lies_about_prekeys(pair: tuple[SimPeer, SimPeer]) -> dict[str, bytes]:
    """Row 58: signed by another, for another purpose, of another device, with a key that is none."""
    alice, bob = pair
    seed, device = bob.keys.signing_seed, bob.keys.device
    public = hpke_public(b"p" * 96)
    true = Prekey(device, 5, True, 1000, public)
    signed = issue_prekey(seed, true)
    return {
        "another's signature": issue_prekey(alice.keys.signing_seed, true),
        "a flipped bit": signed[:-1] + bytes((signed[-1] ^ 1,)),
        "another purpose": issue(seed, SignPurpose.RECEIPT, true),
        "another device": issue_prekey(seed, Prekey(alice.keys.device, 5, True, 1000, public)),
        "cut short": signed[:-9],
        "no prekey": pack(true),
        "nothing": b"",
    }


def test_58_a_prekey_that_does_not_verify_is_not_sealed_to(pair: tuple[SimPeer, SimPeer]) -> None:
    _, bob = pair
    for row, signed in lies_about_prekeys(pair).items():
        with pytest.raises(RemoteProtocolError) as caught:
            read_prekey(signed, bob.keys.device, bob.keys.signing_key)
        assert caught.value.code is Code.PREKEY_INVALID, row


@pytest.mark.parametrize("public", [b"\xff" * 1216, bytes(1216)])
def test_58_a_well_signed_key_that_is_none_is_not_sealed_to(
    pair: tuple[SimPeer, SimPeer], public: bytes
) -> None:
    """All ones are no reduced ML-KEM key; of zeros the X25519 half is of low order."""
    alice, bob = pair
    prekey = Prekey(bob.keys.device, 5, True, 1000, public)
    read = read_prekey(
        issue_prekey(bob.keys.signing_seed, prekey), bob.keys.device, bob.keys.signing_key
    )
    route = Route(alice.keys.identity, alice.keys.device, bob.keys.identity, bob.keys.device, 5)
    with pytest.raises(RemoteProtocolError) as caught:
        seal_letter(Letter(b"", b"", ()), read.public, route, SystemEntropy())
    assert caught.value.code is Code.PREKEY_INVALID
