"""What a friend, a stranger and a tracker can do with mail, and what they cannot: over a real tracker's port."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag

from tests.conftest import MakeFolder
from tests.harness.trackers import WIDE, TrackerProcess
from tests.independent import account, mail, values
from tests.independent.account import Person, Session
from tests.independent.link import Refused, octets, rows
from tests.independent.msgpack import Value
from tests.independent.postbox import Postbox, leave

PASSWORD = "seven purple owls"
LETTER: list[tuple[str, list[Value]]] = [("Receipt", [b"a receipt, signed"])]


@pytest.fixture(scope="module")
def tracker(module_folder: MakeFolder) -> Iterator[TrackerProcess]:
    with TrackerProcess(module_folder("mail") / "tracker", *WIDE) as running:
        yield running


@pytest.fixture
def pair(tracker: TrackerProcess) -> tuple[Person, Person]:
    """Eve and Bob, who are friends."""
    name = os.urandom(4).hex()
    eve, bob = (
        account.register(tracker.address, f"{who}.{name}", PASSWORD) for who in ("eve", "bob")
    )
    with Session(eve) as here, Session(bob) as there:
        asked = here.befriend(bob.code)
        there.answer()
        here.wait_friend(asked)
    return eve, bob


def test_a_friend_who_asks_and_asks_uses_up_no_more_than_ten_prekeys(
    pair: tuple[Person, Person],
) -> None:
    eve, bob = pair
    box = Postbox()
    with Session(bob) as there:
        assert box.publish(there, 15) == 15
    with Session(eve) as here:
        used = [leave(here, bob.name, LETTER) for _ in range(12)]
    assert len({number for [number] in used[:10]}) == 10
    assert used[10:] == [[box.weekly], [box.weekly]]
    with Session(bob) as there:
        assert len(box.collect(there)) == 12


def test_mail_is_left_and_taken_by_those_it_is_for_only(
    tracker: TrackerProcess, pair: tuple[Person, Person]
) -> None:
    eve, bob = pair
    box = Postbox()
    stranger = account.register(tracker.address, f"stranger.{os.urandom(4).hex()}", PASSWORD)
    with Session(bob) as there:
        box.publish(there, 1)
    with Session(stranger) as session:
        for name in (bob.name, "nobody.here"):
            with pytest.raises(Refused, match="not-friends"):
                session.link.ask("AskPrekeys", name)
            with pytest.raises(Refused, match="not-friends"):
                session.link.ask("Deposit", name, bob.device.id, os.urandom(16), 1, b"junk")
    with Session(eve) as here:
        for device in (eve.device.id, stranger.device.id, os.urandom(16)):
            with pytest.raises(Refused, match="device-unknown"):
                here.link.ask("Deposit", bob.name, device, os.urandom(16), 1, b"junk")
        leave(here, bob.name, LETTER)
        here.link.ask("TakeMail", list(range(1, 65)))  # of others' mail nothing is touched
        assert here.link.ask("AskMail", 0)[1][1] == []
    with Session(bob) as there:
        assert [records for _, records in box.collect(there)] == [LETTER]
        there.link.say(
            "Deposit", 77, eve.name, eve.device.id, os.urandom(16), 1, bytes(96 * 1024 + 1)
        )
        assert there.link.until_end().code == "length-range"


def test_prekeys_are_taken_from_their_device_only(pair: tuple[Person, Person]) -> None:
    eve, bob = pair
    key, now = mail.new_key(1), values.now_ms()
    one_time = mail.prekey(eve.device, key, is_one_time=True, created=now)
    weekly = mail.prekey(eve.device, key, is_one_time=False, created=now)
    by_another = mail.prekey(
        replace(eve.device, signing_seed=os.urandom(32)), key, is_one_time=True, created=now
    )
    of_another = mail.prekey(bob.device, key, is_one_time=True, created=now)
    with Session(eve) as here:
        for lie in (
            ([by_another], b""),
            ([of_another], b""),
            ([weekly], b""),
            ([one_time, weekly], b""),
            ([], one_time),
            ([b"junk"], b""),
        ):
            with pytest.raises(Refused, match="prekey-invalid"):
                here.link.ask("PutPrekeys", *lie)
        assert here.link.ask("PutPrekeys", [one_time], weekly)[1][1] == 1
        assert here.link.ask("PutPrekeys", [], b"")[1][1] == 1


def test_what_was_sealed_for_one_route_opens_on_no_other(pair: tuple[Person, Person]) -> None:
    eve, bob = pair
    box = Postbox()
    with Session(bob) as there:
        box.publish(there, 1)
    with Session(eve) as here:
        _, found = here.link.ask("AskPrekeys", bob.name)
        [[_, signed]] = rows(found, 4)
        assert isinstance(signed, bytes)
        public = octets(values.peek(signed), 4)
        with pytest.raises(InvalidSignature):
            values.read(signed, "prekey", values.verify_key(os.urandom(32)))
        route = (eve.device.identity, eve.device.id, bob.device.identity, bob.device.id)
        letter = mail.write_letter(eve.device, LETTER)
        for wrong in (
            (os.urandom(32), *route[1:]),
            (route[0], os.urandom(16), *route[2:]),
            (*route[:2], os.urandom(32), route[3]),
            (*route[:3], os.urandom(16)),
        ):
            sealed = mail.seal(public, mail.info_of(*wrong, 1), letter)
            here.link.ask("Deposit", bob.name, bob.device.id, os.urandom(16), 1, sealed)
    with Session(bob) as there:
        _, found = there.link.ask("AskMail", 0)
        info = mail.info_of(*route, 1)
        for item in rows(found, 1):
            with pytest.raises(InvalidTag):
                mail.open_sealed(box.keys[1], info, octets(item, 6))
        assert len(rows(found, 1)) == 4
