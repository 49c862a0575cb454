"""What commands about the account itself mean, on a running node and without one.

Making an account and logging in happen while no node runs; the password's own acts (`credentials`) need none, but
a node that is up carries them out for its home and goes on, or ends.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from peer import api
from peer.accounts import credentials, deletion, held, porting, register
from peer.errors import PeerError
from peer.identity import Profile, forget_kept, has_key_file, needs_password, read_key_file
from peer.locations import Locations
from peer.store import own
from peer.store.database import Database
from peer.store.place import stamp_path
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.messages import accounts
from wire.messages.session import Done

if TYPE_CHECKING:
    from peer.node import Node

SETTLE_S = 10.0

Alone = (
    api.Register
    | api.LogIn
    | api.LogOut
    | api.ChangePassword
    | api.DeleteAccount
    | api.ExportProfile
)
Command = Alone | api.SaveAccount | api.ImportProfile
ALONE = (
    api.Register,
    api.LogIn,
    api.LogOut,
    api.ChangePassword,
    api.DeleteAccount,
    api.ExportProfile,
)
"""What needs no node, also where none is up."""

COMMANDS = (*ALONE, api.SaveAccount, api.ImportProfile)

Password = Callable[[], str | None]


async def alone(
    locations: Locations, command: Alone, database: Database, password: Password
) -> api.Result:
    """Carry out a command while no node is up; raises PeerError and WireError."""
    entropy = SystemEntropy()
    match command:
        case api.Register():
            return await register.register(locations, command, database, entropy)
        case api.LogIn():
            return await register.log_in(locations, command, database, entropy)
        case api.LogOut():
            me = database.read(own.need_account)
            if me.is_logged_in:
                profile = await unseal(locations, password)
                await register.log_out(profile, database, entropy)
            elif not command.forget:
                raise PeerError(Code.ACCOUNT_DELETED if me.is_deleted else Code.LOGGED_OUT)
            if command.forget:
                await wipe(locations, database)
        case api.ChangePassword():
            _check_not_deleted(database)
            profile = await _unseal_by(locations, command.password, command.new_password)
            await credentials.change_password(locations, profile, command, database, entropy)
        case api.DeleteAccount():
            _check_not_deleted(database)
            profile = await _unseal_by(locations, command.password)
            await deletion.delete_account(profile, command, database, entropy)
        case api.ExportProfile():
            database.read(own.need_account)
            profile = await _unseal_by(locations, command.password)
            return await porting.export(locations, profile, command, entropy)
    return api.Nothing()


async def on_node(node: Node, command: Command) -> api.Result:
    """Carry out a command on a running node; raises PeerError and WireError."""
    match command:
        case api.Register() | api.LogIn() | api.ImportProfile():
            raise PeerError(
                Code.ALREADY_RUNNING,
                f"a node is running here (pid {os.getpid()})",
                remedy="stop it first: an account is made while none runs",
            )
        case api.LogOut(forget=forget):
            await node.settle(SETTLE_S)
            if node.profile.tracker is not None:
                await node.uplink.ask(accounts.LogOut, Done)
            await node.database.write(own.set_logged_in, False)
            node.is_to_be_wiped = forget
            node.leaving.set()
        case api.ChangePassword():
            async with node.keyholder.turn:
                node.keyholder.profile = await credentials.change_password(
                    node.locations, node.profile, command, node.database, node.entropy
                )
                node.uplink.exchange.renewed(node.profile.state_key)
        case api.DeleteAccount():
            async with node.keyholder.turn:
                _check_not_deleted(node.database)
                effects = await deletion.delete_account(
                    node.profile, command, node.database, node.entropy
                )
                node.carry_out(effects)
                node.leaving.set()
        case api.ExportProfile():
            await _unseal_by(node.locations, command.password)
            return await porting.export(node.locations, node.profile, command, node.entropy)
        case api.SaveAccount():
            await node.settle(SETTLE_S)
            return await held.save(node.uplink, node.profile, command)
    return api.Nothing()


async def unseal(locations: Locations, password: Password) -> Profile:
    """Read the keys; the password is asked here and not in a thread, where no Ctrl-C reaches a prompt."""
    is_asked = has_key_file(locations) and await asyncio.to_thread(needs_password, locations)
    given = password() if is_asked else None
    return await asyncio.to_thread(read_key_file, locations, lambda: given)


async def wipe(locations: Locations, database: Database) -> None:
    """Take everything of ours away; what a person received or set stays theirs."""
    await database.close()
    await asyncio.to_thread(forget_kept, locations)
    keys = (locations.key_file, locations.key_file_before, locations.key_file_fresh)
    for path in (*keys, locations.last_run):
        path.unlink(missing_ok=True)
    stamp_path(locations.database).unlink(missing_ok=True)  # first: without it nothing is missed
    for path in locations.home.glob(f"{locations.database.name}*"):
        path.unlink(missing_ok=True)
    for folder in (locations.offers, locations.stdin):
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _check_not_deleted(database: Database) -> None:
    if database.read(own.need_account).is_deleted:
        raise PeerError(Code.ACCOUNT_DELETED)


async def _unseal_by(locations: Locations, *passwords: str) -> Profile:
    """Read the keys by the first password that opens them; raises what the first one raised if none does."""
    first: PeerError | None = None
    for password in passwords:
        given = password
        try:
            return await asyncio.to_thread(read_key_file, locations, lambda: given)  # noqa: B023
        except PeerError as error:
            if error.code is not Code.WRONG_PASSWORD:
                raise
            first = first or error
    assert first is not None
    raise first
