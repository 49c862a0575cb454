"""Taking a device off, as real nodes at a real tracker: it is out at once, everywhere, and knows why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from peer import api
from peer.accounts import credentials, register
from peer.errors import PeerError
from peer.identity import read_key_file, rewrite_key_file
from peer.locations import Locations
from peer.mail import prekeys
from peer.people import contacts
from peer.store.database import Database
from peer.times import wall
from tests.harness.homes import PASSWORD, PATIENCE_S, Watched, befriend, make_account, running
from tests.harness.trackers import TrackerProcess
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.identity import read_device_list, revoke_device
from wire.messages import accounts
from wire.messages.session import Done
from wire.state_key import seal_state_key, state_key_hash
from wire.vault import Vault, seal_vault


@dataclass
class Town:
    """Alice at two machines, Bob at one, all up."""

    folder: Path
    tracker: TrackerProcess
    stack: AsyncExitStack

    async def up(self, home: str) -> Watched:
        node = await self.stack.enter_async_context(running(self.folder / home))
        return Watched(node)

    async def log_in(self, home: str, device: str) -> api.AccountMade:
        """Make a home another device of Alice."""
        locations = Locations(self.folder / home)
        locations.prepare()
        database = Database.open(locations.database, entropy=SystemEntropy())
        command = api.LogIn(
            "alice", PASSWORD, self.tracker.address, device_name=device, unsealed=True
        )
        try:
            return await register.log_in(locations, command, database, SystemEntropy())
        finally:
            await database.close()


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    tracker = TrackerProcess(tmp_path / "tracker")
    try:
        await make_account(tmp_path / "desk", "alice", tracker.address)
        await make_account(tmp_path / "bob", "bob", tracker.address)
        async with AsyncExitStack() as stack:
            yield Town(tmp_path, tracker, stack)
    finally:
        tracker.kill()


def noticed(code: Code) -> Callable[[api.Event], bool]:
    return lambda event: event.event == "notice" and event.body["code"] == code.value


def linked(friend: str, state: str = "up") -> Callable[[api.Event], bool]:
    return lambda event: (
        event.event == "link" and event.body["friend"] == friend and event.body["state"] == state
    )


async def test_a_revoked_device_is_out_at_once_everywhere_and_says_so(town: Town) -> None:
    desk, bob = await town.up("desk"), await town.up("bob")
    await befriend(desk, bob)
    await desk.first(api.SendText("bob", "before", wait_s=90.0))
    await town.log_in("phone", "phone")
    [added] = [await desk.until(noticed(Code.DEVICE_ADDED))]
    assert "phone" in str(added.body["message"])
    phone = await town.up("phone")
    await phone.until(linked("bob"))
    await bob.until(linked("alice"))

    revoked = await desk.first(api.RevokeDevice("phone", PASSWORD))
    assert isinstance(revoked, api.DeviceRevoked)
    assert revoked.name == "phone"
    await phone.until(noticed(Code.DEVICE_REVOKED))
    await phone.until(linked("bob", "down"))
    notice = await bob.until(noticed(Code.DEVICE_REVOKED))
    assert notice.body["message"] == "alice took phone off their devices"
    status = await phone.first(api.GetStatus())
    assert isinstance(status, api.Status)
    assert [alarm["code"] for alarm in status.alarms] == ["device-revoked"]
    assert status.tracker.state == "refused"

    await bob.first(api.SendText("alice", "only for the desk", wait_s=90.0))
    await desk.hears("only for the desk")
    with pytest.raises(PeerError) as caught:
        await phone.first(api.SendText("bob", "from nobody"))
    assert caught.value.code is Code.DEVICE_REVOKED
    heard = [m for m in await phone.all(api.GetHistory("bob")) if isinstance(m, api.Message)]
    assert "only for the desk" not in {m.text for m in heard}
    devices = [d for d in await desk.all(api.ListDevices()) if isinstance(d, api.Device)]
    assert {d.name: d.revoked is not None for d in devices} == {"test": False, "phone": True}


async def test_what_a_revoked_device_says_is_refused_by_name(town: Town) -> None:
    desk, bob = await town.up("desk"), await town.up("bob")
    await befriend(desk, bob)
    await town.log_in("phone", "phone")
    phone = await town.up("phone")
    await phone.until(linked("bob"))
    offered = town.folder / "song"
    offered.write_bytes(b"la")
    mine = await phone.first(api.SendText("bob", "before", wait_s=90.0))
    assert isinstance(mine, api.MessageState)
    from_phone = await phone.first(api.OfferFiles(("bob",), (str(offered),)))
    from_bob = await bob.first(api.OfferFiles(("alice",), (str(offered),)))
    ids = [str(api.as_json(made)["offer"]) for made in (from_phone, from_bob)]
    await phone.until(lambda event: event.body.get("offer") == ids[1])
    await desk.first(api.RevokeDevice("phone", PASSWORD))
    await phone.until(noticed(Code.DEVICE_REVOKED))
    await phone.until(linked("bob", "down"))
    await phone.until(linked("alice", "down"))
    said: list[api.Command] = [
        api.SendText("bob", "after"),
        api.SendText("alice", "a note of nobody's"),
        api.EditText(mine.id, "otherwise"),
        api.DeleteText(mine.id),
        api.React(mine.id, "👍"),
        api.PinText(mine.id, is_pinned=True),
        api.ForwardText(mine.id, "bob"),
        api.OfferFiles(("bob",), (str(offered),)),
        api.WithdrawOffer(ids[0]),
        api.AcceptOffer(ids[1]),
        api.DeclineOffer(ids[1]),
    ]
    codes: list[Code] = []
    for command in said:
        with pytest.raises(PeerError) as caught:
            await phone.first(command)
        codes.append(caught.value.code)
    assert codes == [Code.DEVICE_REVOKED] * len(said)
    lines = [m for m in await phone.all(api.GetHistory("bob")) if isinstance(m, api.Message)]
    assert [m.text for m in lines if m.kind == "message"] == ["before"]
    offers = [o for o in await phone.all(api.ListOffers()) if isinstance(o, api.Offer)]
    assert {o.offer: o.state for o in offers} == dict.fromkeys(ids, "offered")


def state_key_of(home: Path) -> bytes:
    return read_key_file(Locations(home), lambda: None).state_key


async def test_the_devices_that_stay_go_on_under_another_state_key(town: Town) -> None:
    await make_account(town.folder / "carol", "carol", town.tracker.address)
    desk = await town.up("desk")
    await town.log_in("phone", "phone")
    await town.log_in("laptop", "laptop")
    laptop = await town.up("laptop")
    await laptop.until(linked("alice"))
    before = state_key_of(town.folder / "laptop")
    await desk.first(api.RevokeDevice("phone", PASSWORD))
    await desk.first(api.BlockFriend("carol"))
    await laptop.until(lambda event: event.event == "friend" and event.body["friend"] == "carol")
    mine = state_key_of(town.folder / "desk")
    assert before != mine
    async with asyncio.timeout(PATIENCE_S):  # a block may overtake the key that is being written
        while await asyncio.to_thread(state_key_of, town.folder / "laptop") != mine:
            pass
    assert state_key_of(town.folder / "phone") == before


async def test_a_revoked_home_does_not_start_again_until_the_password_makes_it_anew(
    town: Town,
) -> None:
    desk = await town.up("desk")
    await town.log_in("phone", "phone")
    async with running(town.folder / "phone") as node:
        phone = Watched(node)
        former = phone.node.profile.keys.device
        await phone.until(linked("alice"))
        await desk.first(api.RevokeDevice("phone", PASSWORD))
        await phone.until(noticed(Code.DEVICE_REVOKED))
    await town.log_in("phone", "phone")
    again = await town.up("phone")
    assert again.node.profile.keys.device != former
    await again.until(linked("alice"))


@pytest.mark.parametrize(
    ("device", "password", "code"),
    [
        ("nothing-of-that-name", PASSWORD, Code.NO_SUCH_DEVICE),
        ("test", PASSWORD, Code.DEVICE_THIS),
        ("phone", "seven purple cats", Code.WRONG_PASSWORD),
    ],
)
async def test_what_cannot_be_revoked_is_named(
    town: Town, device: str, password: str, code: Code
) -> None:
    desk = await town.up("desk")
    await town.log_in("phone", "phone")
    await desk.until(noticed(Code.DEVICE_ADDED))
    with pytest.raises(PeerError) as caught:
        await desk.first(api.RevokeDevice(device, password))
    assert caught.value.code is code


async def revoke_and_die(home: Path, *, writes_keys: bool) -> None:
    """Take every other device off, as far as `device revoke` comes that is killed before its database hears of it."""
    entropy, locations = SystemEntropy(), Locations(home)
    profile = read_key_file(locations, lambda: None)
    address, keys = profile.tracker, profile.keys
    assert address is not None
    assert address.key is not None
    database = Database.open(locations.database, entropy=entropy)
    mine = await database.write(prekeys.weekly_drawn, keys.device, wall(), entropy)
    await database.close()
    link = await credentials.dial(address, entropy.bytes(32), entropy)
    parameters = await credentials.ask_kdf(link, profile.name, None)
    proven = await credentials.prove(link, profile.name, address.key, parameters, PASSWORD, None)
    seed, listed = proven.vault.identity_seed, read_device_list(proven.found.device_list, None)
    [other] = set(listed.standing) - {keys.device}
    state_key = entropy.bytes(32)
    signed = revoke_device(
        seed, listed, other, now=wall(), state_key_hash=state_key_hash(state_key)
    )
    vault = Vault(seed, state_key, proven.vault.counter + 1, wall())
    sealed = seal_vault(vault, proven.secrets.wrap_key, profile.name, entropy)
    copies = (seal_state_key(state_key, keys.identity, mine, entropy),)
    await link.ask(
        lambda request: accounts.RevokeDevice(request, signed, sealed, vault.counter, copies), Done
    )
    await link.close()
    if writes_keys:
        following = replace(
            profile,
            keys=replace(keys, device_list=signed),
            state_key=state_key,
            vault=sealed,
            vault_counter=vault.counter,
        )
        rewrite_key_file(locations, following, entropy)


@pytest.mark.parametrize("writes_keys", [False, True], ids=["no-keys", "keys"])
async def test_a_revocation_cut_short_leaves_a_state_that_new_devices_open(
    town: Town, writes_keys: bool
) -> None:
    await make_account(town.folder / "carol", "carol", town.tracker.address)
    await town.log_in("phone", "phone")
    phone = await town.up("phone")
    async with running(town.folder / "desk") as node:
        desk = Watched(node)
        await desk.first(api.ListDevices())
        await desk.first(api.BlockFriend("carol"))
        await phone.until(about_carol)
    await revoke_and_die(town.folder / "desk", writes_keys=writes_keys)
    assert (await town.log_in("tablet", "tablet")).trouble is not None  # until the desk is back
    tablet = await town.up("tablet")
    async with running(town.folder / "desk"):
        await tablet.until(about_carol)
    assert (await town.log_in("laptop", "laptop")).trouble is None
    laptop = await town.up("laptop")
    carol = laptop.node.database.read(contacts.find, "carol")
    assert carol is not None
    assert carol.state == "blocked"


def about_carol(event: api.Event) -> bool:
    return event.event == "friend" and event.body["friend"] == "carol"
