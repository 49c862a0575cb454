"""What lies about names, devices and friends get at a tracker's port; each changes nothing.

After each of them the tracker has no more memory than before, and serves somebody else.
"""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest

from tests.e2e.tracker.conftest import Join
from tests.harness.guest import Closed, Guest, befriend, come, refusal
from tests.harness.memory import bounded
from tests.harness.people import Person, person
from tests.harness.trackers import TrackerProcess
from wire import limits
from wire.codes import Code
from wire.identity import (
    DeviceList,
    ListedDevice,
    SignPurpose,
    read_device_list,
    sign,
)
from wire.identity.sign import issue
from wire.ids import DeviceId, RequestId
from wire.messages import NUMBER_OF, Message
from wire.messages.accounts import AddDevice, PutState
from wire.messages.friends import (
    AnswerFriend,
    AskFriend,
    AskUser,
    BlockUser,
    FriendAsked,
    RemoveFriend,
)
from wire.messages.reach import AskDirectory
from wire.messages.session import Done

pytestmark = [pytest.mark.usefixtures("weathers"), pytest.mark.measured]


def raw(message: Message) -> bytes:
    """Encode a message without a look at its bounds."""
    number = NUMBER_OF[type(message)].to_bytes(2, "big")
    return number + msgspec.msgpack.encode(message)


async def ends(guest: Guest, record: bytes) -> Closed:
    """Send a record as it is and wait for the end."""
    guest.link.send_record(record, now=0.0)  # type: ignore[arg-type]
    with pytest.raises(Closed) as caught:
        await guest.until(lambda: False)
    return caught.value


# --- names


NAMES = {
    "39 none": ("", Code.LENGTH_RANGE),
    "39 one letter": ("a", Code.LENGTH_RANGE),
    "39 33 letters": ("a" * 33, Code.LENGTH_RANGE),
    "39 65 letters": ("a" * 65, Code.LENGTH_RANGE),
    "40 a space": ("a b", Code.NAME_CHARACTERS),
    "40 a slash": ("a/b", Code.NAME_CHARACTERS),
    "40 a zero": ("a\0b", Code.NAME_CHARACTERS),
    "40 a line": ("ab\n", Code.NAME_CHARACTERS),
    "40 an emoji": ("a\U0001f600", Code.NAME_CHARACTERS),
    "40 turned around": ("a\u202eb", Code.NAME_CHARACTERS),
    "40 nothing to see": ("a\u200bb", Code.NAME_CHARACTERS),
    "41 a letter of another script": ("\u0430lice", Code.NAME_CHARACTERS),
    "41 capitals": ("ALICE", Code.NAME_CHARACTERS),
    "41 full width": ("\uff41\uff4c\uff49\uff43\uff45", Code.NAME_CHARACTERS),
    "42 two dots": ("..", Code.NAME_CHARACTERS),
}


@pytest.mark.parametrize("row", NAMES)
async def test_a_name_that_cannot_be_ends_the_link_with_its_code(
    tracker: TrackerProcess, row: str
) -> None:
    name, code = NAMES[row]
    who = person("somebody")
    async with await Guest.dial(tracker.address, who, is_anonymous=True) as guest:
        message = replace_name(who.register(guest.channel), name)
        assert (await ends(guest, raw(message))).code is code


def replace_name(message: Message, name: str) -> Message:
    return msgspec.structs.replace(message, name=name)


async def test_39_a_name_of_ten_megabytes_is_refused_by_the_length_of_its_record(
    tracker: TrackerProcess,
) -> None:
    who = person("somebody")
    async with await Guest.dial(tracker.address, who, is_anonymous=True) as guest:
        guest.writer.write((10 * 2**20).to_bytes(4, "big") + b"x" * 2**20)
        with pytest.raises(Closed) as caught:
            await guest.until(lambda: False)
    assert caught.value.code in (Code.RECORD_TOO_LARGE, Code.LINK_LOST)


@pytest.mark.parametrize("name", ["admin", "tracker", "me", "all"])
async def test_42_a_reserved_name_is_nobodys(tracker: TrackerProcess, name: str) -> None:
    who = person(name)
    async with await Guest.dial(tracker.address, who, is_anonymous=True) as guest:
        assert await refusal(guest.register(who)) is Code.NAME_RESERVED


# --- devices


def list_of(who: Person, count: int, *, twice: bool = False, counter: int = 7) -> bytes:
    """Sign a list with this device and others up to `count`, which its own program would never sign."""
    listed = read_device_list(who.keys.device_list, who.identity)
    own = listed.devices[-1:]
    others = tuple(
        ListedDevice(DeviceId(number.to_bytes(16, "big")), bytes(32)) for number in range(count - 1)
    )
    devices = (*own, *own) if twice else (*own, *others)
    made = DeviceList(who.identity, counter, 5, devices if count else ())
    return issue(who.seed, SignPurpose.DEVICE_LIST, made)


LISTS = {
    "56 no device": (0, False, Code.DEVICE_LIMIT),
    "56 one twice": (2, True, Code.DEVICE_LIMIT),
    "56 eleven": (11, False, Code.DEVICE_LIMIT),
}


@pytest.mark.parametrize("row", LISTS)
async def test_a_device_list_that_cannot_be_registers_nobody(
    tracker: TrackerProcess, row: str
) -> None:
    count, twice, code = LISTS[row]
    who = person(f"lister{list(LISTS).index(row)}")
    signed = list_of(who, count, twice=twice)
    async with await Guest.dial(tracker.address, who, is_anonymous=True) as guest:
        message = msgspec.structs.replace(who.register(guest.channel), device_list=signed)
        assert await refusal(guest.ask(lambda r: with_request(message, r))) is code
    async with await Guest.dial(tracker.address, who, is_anonymous=True) as guest:
        assert isinstance(await guest.register(who), Done)  # the name is still free


def with_request(message: Message, request: int) -> Message:
    return msgspec.structs.replace(message, request=request)


async def test_56_a_thousand_devices_are_beyond_the_field(
    tracker: TrackerProcess, people: Join
) -> None:
    (alice,) = await people(1)
    laptop = alice.with_device("laptop")
    entry = msgspec.msgpack.encode([b"d" * 16, bytes(32), 0])
    body = b"\x94" + msgspec.msgpack.encode(alice.identity) + b"\x07\x05\xdc\x03\xe8" + entry * 1000
    async with await Guest.dial(tracker.address, laptop, is_anonymous=True) as guest:
        await guest.ask(lambda request: laptop.log_in(guest.channel, request=request))
        message = AddDevice(9, laptop.keys.certificate, body, b"vault", 2)  # type: ignore[arg-type]
        closed = await ends(guest, raw(message)[: 8 * 1024])
    assert closed.code in (Code.DECODE, Code.LENGTH_RANGE)


async def test_56_a_list_with_eleven_adds_no_device(tracker: TrackerProcess, people: Join) -> None:
    (alice,) = await people(1)
    laptop = alice.with_device("laptop")
    async with await Guest.dial(tracker.address, laptop, is_anonymous=True) as guest:
        await guest.ask(lambda request: laptop.log_in(guest.channel, request=request))
        for count, code in ((11, Code.DEVICE_LIMIT), (0, Code.DEVICE_LIMIT)):
            message = msgspec.structs.replace(
                laptop.add_device(), device_list=list_of(laptop, count, counter=9)
            )
            assert await refusal(guest.ask(lambda r, m=message: with_request(m, r))) is code  # type: ignore[misc]
        assert isinstance(await guest.ask(lambda r: laptop.add_device(request=r)), Done)


# --- friends


async def test_49_whom_one_cannot_ask(tracker: TrackerProcess, people: Join) -> None:
    alice, bob, carol = await people(3)
    async with (
        await come(tracker.address, alice) as a,
        await come(tracker.address, bob) as b,
        await come(tracker.address, carol) as c,
    ):
        assert await refusal(a.ask(lambda r: alice.ask(alice, request=r))) is Code.FRIEND_SELF
        nobody = person("nobody.here")
        assert await refusal(a.ask(lambda r: alice.ask(nobody, request=r))) is Code.NO_SUCH_USER
        await befriend(a, alice, b, bob)
        assert await refusal(a.ask(lambda r: alice.ask(bob, request=r))) is Code.ALREADY_FRIENDS
        await c.ask(lambda r: BlockUser(r, alice.name))
        assert isinstance(await a.ask(lambda r: alice.ask(carol, request=r)), Done)
        await c.ask(lambda r: AskUser(r, alice.name))  # a round trip: nothing came before it
        assert [m for m in c.pushed if isinstance(m, FriendAsked)] == []
    device = alice.keys.device.hex()[:8]
    denied = re.findall(rf"denied 127\.0\.0\.1:\d+ {device}: ([A-Za-z]+: [a-z-]+)", tracker.log)
    assert denied == [
        f"AskFriend: {why}" for why in ("friend-self", "no-such-user", "already-friends")
    ]


@pytest.mark.parametrize("note", ["x" * 301, "\U0001f511" * 301])
async def test_50_a_note_beyond_its_bound_is_carried_to_nobody(
    tracker: TrackerProcess, people: Join, note: str
) -> None:
    alice, bob = await people(2)
    signed = alice.ask(bob).signed
    body = msgspec.msgpack.decode(msgspec.msgpack.decode(signed)[0])
    body[5] = note
    packed = msgspec.msgpack.encode(body)
    lie = msgspec.msgpack.encode(
        [packed, sign(alice.keys.signing_seed, SignPurpose.FRIEND_REQUEST, packed)]
    )
    async with await come(tracker.address, alice) as a, await come(tracker.address, bob) as b:
        code = await refusal(a.ask(lambda r: AskFriend(r, bob.name, lie)))
        assert code is Code.DECODE
        await b.ask(lambda r: AskUser(r, alice.name))
        assert [m for m in b.pushed if isinstance(m, FriendAsked)] == []


async def test_50_controls_in_a_note_travel_as_they_are(
    tracker: TrackerProcess, people: Join
) -> None:
    alice, bob = await people(2)
    note = "\x1b]52;c;AA\x07\u202e\r\n"
    async with await come(tracker.address, alice) as a, await come(tracker.address, bob) as b:
        await a.ask(lambda r: alice.ask(bob, note=note, request=r))
        asked = await b.hears(FriendAsked)
        assert note.encode() in asked.signed


async def test_51_an_answer_to_what_was_not_asked_makes_no_friends(
    tracker: TrackerProcess, people: Join
) -> None:
    alice, bob, carol = await people(3)

    def yes(signed: bytes, request: int) -> AnswerFriend:
        return bob.answer(alice, signed, request=request)

    async with await come(tracker.address, alice) as a, await come(tracker.address, bob) as b:
        never = alice.ask(bob).signed
        assert await refusal(b.ask(lambda r: yes(never, r))) is Code.REQUEST_UNKNOWN
        await a.ask(lambda r: alice.ask(bob, request=r))
        asked = await b.hears(FriendAsked)
        assert await refusal(b.ask(lambda r: yes(never, r))) is Code.REQUEST_UNKNOWN  # another one
        stolen = carol.answer(alice, asked.signed)
        assert await refusal(b.ask(lambda r: with_request(stolen, r))) in (
            Code.SIGNATURE_INVALID,
            Code.IDENTITY_MISMATCH,
            Code.REQUEST_UNKNOWN,
        )
        await a.ask(lambda r: RemoveFriend(r, bob.name))
        code = await refusal(b.ask(lambda r: yes(asked.signed, r)))  # it was taken back
        assert code is Code.REQUEST_UNKNOWN
        assert await refusal(a.ask(lambda r: AskDirectory(r, bob.name))) is Code.NOT_FRIENDS


async def test_51_a_request_and_its_answer_count_once(
    tracker: TrackerProcess, people: Join
) -> None:
    alice, bob = await people(2)
    async with await come(tracker.address, alice) as a, await come(tracker.address, bob) as b:
        await befriend(a, alice, b, bob)
        await a.ask(lambda r: RemoveFriend(r, bob.name))
        old = bob.answer(alice, alice.ask(bob).signed)
        code = await refusal(b.ask(lambda r: with_request(old, r)))
        assert code is Code.REQUEST_UNKNOWN


async def test_a_request_in_anothers_name_is_refused(tracker: TrackerProcess, people: Join) -> None:
    alice, bob, mallory = await people(3)
    forged = replace(alice, keys=mallory.keys)
    async with await come(tracker.address, mallory) as m:
        for lie in (alice.ask(bob).signed, forged.ask(bob).signed):
            code = await refusal(m.ask(lambda r, lie=lie: AskFriend(r, bob.name, lie)))  # type: ignore[misc]
            assert code in (Code.IDENTITY_MISMATCH, Code.SIGNATURE_INVALID)


# --- pages


async def test_24_a_page_beyond_its_bound_ends_the_link(
    tracker: TrackerProcess, people: Join
) -> None:
    """A page is a field with a bound, as all are: it has their code, and needs none of its own."""
    (alice,) = await people(1)
    async with await come(tracker.address, alice) as guest:
        page = bytes(limits.PAGE_BYTES + 1)
        closed = await ends(guest, raw(PutState(RequestId(9), 0, 0, 1, page)))
    assert closed.code is Code.LENGTH_RANGE


async def test_24_a_state_with_more_pages_than_there_can_be_is_refused(
    tracker: TrackerProcess, people: Join
) -> None:
    (alice,) = await people(1)
    async with await come(tracker.address, alice) as guest:
        code = await refusal(guest.ask(lambda r: PutState(r, 0, 0, 33, b"page")))
        assert code is Code.TOO_MANY_PAGES
        code = await refusal(guest.ask(lambda r: PutState(r, 0, 7, 8, b"out of turn")))
        assert code is Code.NOT_NOW
        closed = await ends(guest, raw(PutState(RequestId(9), 0, 0, 100_000, b"page")))
    assert closed.code is Code.NUMBER_RANGE


async def test_24_first_pages_without_a_last_one_are_kept_once(
    tracker: TrackerProcess, people: Join
) -> None:
    """A first page begins anew: whoever sends nothing but those makes nobody keep more than one."""
    (alice,) = await people(1)
    page = bytes(limits.PAGE_BYTES)
    async with await come(tracker.address, alice) as guest:
        with bounded(tracker.process.pid, 8 * limits.MIB):
            for _ in range(1000):
                await guest.ask(lambda r: PutState(r, 0, 0, 32, page))
