"""This account's machines: listing them, and taking one off for good.

Taking one off needs the password, since only the vault has the seed that signs device lists. It goes in this order,
and a `kill -9` between any two steps leaves an account that can be used:

1. the tracker takes the list, the vault with another state key, and that key sealed to each device that stays, this
   one too, in one transaction. From here on the device is out; this one finds its copy at its next entering;
2. the key file of this device is written anew with the state key and the vault;
3. the database notes list and vault, and with the list that all of the account state is to be put again; links of
   the device end, everybody who is linked is shown the list;
4. the account state is put anew, sealed by the new key, now or by whichever device that stays is there next.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from msgspec import Struct

from peer import api
from peer.accounts.credentials import Proven, ask_kdf, dial, prove, recovery_key
from peer.accounts.held import devices_held
from peer.accounts.state_exchange import Asks
from peer.effects import Effect
from peer.errors import PeerError
from peer.identity import Profile
from peer.mail import prekeys
from peer.node import Node
from peer.people import standing
from peer.prefixes import LEAST
from peer.store import own
from peer.store.devices import certificate_of, signing_key_of
from peer.times import rfc3339, wall
from wire.codes import Code
from wire.errors import RemoteProtocolError, WireError
from wire.identity import peek_certificate, read_device_list, revoke_device
from wire.ids import DeviceId
from wire.machine import Entropy
from wire.mailbox import Prekey, read_prekey
from wire.messages import accounts, held
from wire.messages.mailbox import AskPrekeys, Prekeys
from wire.messages.session import Done
from wire.state_key import seal_state_key, state_key_hash
from wire.vault import NO_TRACKER, Vault, derive_keys, open_vault, seal_vault

Connection = sqlite3.Connection
SETTLE_S = 10.0
Command = api.ListDevices | api.RevokeDevice


class _Machine(Struct, frozen=True):
    """One device of the account as it is known here."""

    device: DeviceId
    name: str
    added: int
    revoked: int
    is_this: bool


async def carry_out(node: Node, command: Command) -> Sequence[api.Result]:
    """Carry out a command about devices; raises PeerError and WireError."""
    if isinstance(command, api.ListDevices):
        return await listed(node)
    return [await revoke(node, command)]


# --- listing


async def listed(node: Node) -> list[api.Device]:
    """List the account's devices, those taken off too; when each was here last is the tracker's word.

    Whoever looks at them has heard of those that are new.
    """
    await node.settle(SETTLE_S)
    seen: dict[bytes, held.HeldDevice] = {}
    if node.profile.tracker is not None:
        with suppress(PeerError):  # without the tracker: what is known here
            seen = {row.device: row for row in await devices_held(node.uplink)}
    certificates = tuple(row.certificate for row in seen.values())
    machines = await node.database.write_patiently(_looked_at, certificates)
    return [_shown(machine, seen.get(machine.device)) for machine in machines]


def _shown(machine: _Machine, row: held.HeldDevice | None) -> api.Device:
    return api.Device(
        device=machine.device.hex(),
        name=machine.name,
        this=machine.is_this,
        added=rfc3339(machine.added) if machine.added else None,
        last_seen=rfc3339(row.last_seen) if row is not None and row.last_seen else None,
        logged_out=row is not None and row.is_signed_off,
        revoked=rfc3339(machine.revoked) if machine.revoked else None,
    )


def _looked_at(connection: Connection, certificates: tuple[bytes, ...]) -> list[_Machine]:
    standing.looked_at(connection, certificates)
    return _machines(connection)


def _machines(connection: Connection) -> list[_Machine]:
    this, _ = own.this_device(connection)
    found = []
    for entry in own.own_list(connection).devices:
        certificate = certificate_of(connection, entry.device)
        found.append(
            _Machine(
                entry.device,
                standing.name_of(connection, entry.device),
                0 if certificate is None else certificate.created,
                entry.revoked_at,
                entry.device == this,
            )
        )
    return found


async def _found(node: Node, text: str) -> DeviceId:
    """Give the device that a person means; one that is not known here may have been added just now."""
    try:
        return node.database.read(find, text)
    except PeerError as error:
        if error.code is not Code.NO_SUCH_DEVICE:
            raise
        with suppress(PeerError):
            await node.refresh_own_list()
    return node.database.read(find, text)


def find(connection: Connection, text: str) -> DeviceId:
    """Give the device that a person means, by its name or the beginning of its id.

    Raises PeerError with NO_SUCH_DEVICE, AMBIGUOUS_ID where several that stand have the name, DEVICE_THIS, or
    DEVICE_REVOKED where it is off already.
    """
    machines = _machines(connection)
    folded = text.lower()
    found = [
        one
        for one in machines
        if one.name == text or (len(folded) >= LEAST and one.device.hex().startswith(folded))
    ]
    stands = [one for one in found if not one.revoked]
    if not found:
        raise PeerError(Code.NO_SUCH_DEVICE, f"this account has no device {text[:70]!r}")
    if not stands:
        raise PeerError(
            Code.DEVICE_REVOKED, f"{text} was taken off already", remedy="nothing to do"
        )
    if len(stands) > 1:
        ids = ", ".join(one.device.hex()[:LEAST] for one in stands)
        raise PeerError(Code.AMBIGUOUS_ID, f"several devices are called {text!r}: {ids}")
    if stands[0].is_this:
        raise PeerError(Code.DEVICE_THIS)
    return stands[0].device


# --- taking one off


async def revoke(node: Node, command: api.RevokeDevice) -> api.Result:
    """Take a device off; raises PeerError and WireError, among them WRONG_PASSWORD, TRACKER_UNREACHABLE, LIST_ROLLBACK."""
    await node.settle(SETTLE_S)
    device = await _found(node, command.device)
    name = node.database.read(standing.name_of, device)
    async with node.keyholder.turn:
        if node.profile.tracker is None:
            profile = await _revoke_alone(node, command, device)
        else:
            profile = await _revoke_at_tracker(node, command, device)
        await node.keyholder.rewrite(profile)
        effects = await node.database.write_patiently(_revoked, profile)
        node.keyholder.profile = profile
        node.uplink.exchange.renewed(profile.state_key)
        node.carry_out(effects)
        for other in read_device_list(profile.keys.device_list, profile.keys.identity).standing:
            node.give_state_key(other)
    await node.uplink.flush()
    return api.DeviceRevoked(device.hex(), name)


def _revoked(connection: Connection, profile: Profile) -> list[Effect]:
    own.set_vault(connection, profile.vault, profile.vault_counter)
    return standing.learn(connection, profile.keys.identity, profile.keys.device_list, (), wall())


async def _revoke_at_tracker(node: Node, command: api.RevokeDevice, device: DeviceId) -> Profile:
    profile, entropy = node.profile, node.entropy
    address = profile.tracker
    assert address is not None
    assert address.key is not None
    recovery = recovery_key(command.recovery_key)
    keys = await _prekeys(node.uplink, node, profile)
    link = await dial(address, entropy.bytes(32), entropy)
    try:
        parameters = await ask_kdf(link, profile.name, recovery)
        proven = await prove(
            link, profile.name, address.key, parameters, command.password, recovery,
            known_counter=node.database.read(own.vault_counter),
        )  # fmt: skip
        if proven.found.identity != profile.keys.identity:
            raise PeerError(
                Code.KEY_MISMATCH, f"{profile.name} has another identity at the tracker"
            )
        following, copies = _without(node, proven, device, keys)
        await _tell(link, following, copies)
    finally:
        await link.close()
    return following


def _without(
    node: Node, proven: Proven, device: DeviceId, keys: list[Prekey]
) -> tuple[Profile, tuple[accounts.StateKeyCopy, ...]]:
    """Give the profile with list, vault and state key as they are without a device, and the key's copies."""
    profile, entropy = node.profile, node.entropy
    present = read_device_list(proven.found.device_list, profile.keys.identity)
    known = node.database.read(own.list_counter)
    if present.counter < known:
        raise PeerError(
            Code.LIST_ROLLBACK,
            f"the tracker shows list {present.counter} of this account's devices, {known} is known",
        )
    state_key, now = entropy.bytes(32), wall()
    signed = revoke_device(
        proven.vault.identity_seed,
        present,
        device,
        now=now,
        state_key_hash=state_key_hash(state_key),
    )
    vault = Vault(proven.vault.identity_seed, state_key, proven.vault.counter + 1, now)
    stays = read_device_list(signed, profile.keys.identity).standing
    copies = []
    for prekey in keys:
        if prekey.device in stays:
            with suppress(
                RemoteProtocolError
            ):  # a prekey that is none: its device asks another way
                copies.append(seal_state_key(state_key, profile.keys.identity, prekey, entropy))
    following = replace(
        profile,
        keys=replace(profile.keys, device_list=signed),
        state_key=state_key,
        vault=seal_vault(vault, proven.secrets.wrap_key, profile.name, entropy),
        vault_counter=vault.counter,
        kdf=proven.parameters,
    )
    return following, tuple(copies)


async def _tell(link: Asks, profile: Profile, copies: tuple[accounts.StateKeyCopy, ...]) -> None:
    try:
        await link.ask(
            lambda request: accounts.RevokeDevice(
                request, profile.keys.device_list, profile.vault, profile.vault_counter, copies
            ),
            Done,
        )
    except PeerError as error:
        if error.code is not Code.TRACKER_UNREACHABLE:
            raise
        raise PeerError(
            Code.TRACKER_UNREACHABLE,
            "the tracker's answer did not come: the device may be off already",
            remedy="look at hobnob devices, and run hobnob device revoke again if it still stands",
        ) from error


async def _prekeys(tracker: Asks, node: Node, profile: Profile) -> list[Prekey]:
    """Give a verified prekey of each own device that has one, this one's weekly prekey in any case.

    Raises PeerError(TRACKER_UNREACHABLE) while there is no link.
    """
    name = profile.name
    found = await tracker.ask(lambda request: AskPrekeys(request, name), Prekeys)
    certificates = tuple(row.certificate for row in found.devices)
    await node.database.write_patiently(standing.looked_at, certificates)
    this = profile.keys.device
    keys = [
        await node.database.write_patiently(prekeys.weekly_drawn, this, wall(), node.entropy),
    ]
    for row in found.devices:
        with suppress(WireError):
            device = peek_certificate(row.certificate).device
            signing_key = node.database.read(signing_key_of, device)
            if row.prekey and signing_key is not None:
                keys.append(read_prekey(row.prekey, device, signing_key))
    return keys


async def _revoke_alone(node: Node, command: api.RevokeDevice, device: DeviceId) -> Profile:
    """Take a device off an account that has no tracker: those who are linked are shown the list."""
    profile, entropy = node.profile, node.entropy
    secrets = await asyncio.to_thread(
        derive_keys, command.password, profile.name, NO_TRACKER, profile.kdf,
        recovery_key(command.recovery_key),
    )  # fmt: skip
    try:
        vault = open_vault(profile.vault, secrets.wrap_key, profile.name)
    except RemoteProtocolError as error:
        raise PeerError(Code.WRONG_PASSWORD) from error
    present = node.database.read(own.own_list)
    following = Vault(vault.identity_seed, vault.state_key, vault.counter + 1, wall())
    return replace(
        profile,
        keys=replace(
            profile.keys,
            device_list=revoke_device(vault.identity_seed, present, device, now=wall()),
        ),
        vault=_sealed(following, secrets.wrap_key, profile, entropy),
        vault_counter=following.counter,
    )


def _sealed(vault: Vault, wrap_key: bytes, profile: Profile, entropy: Entropy) -> bytes:
    return seal_vault(vault, wrap_key, profile.name, entropy)
