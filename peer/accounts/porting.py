"""The whole profile in one sealed file, and a home made from one: `export` and `import`.

In it: the account as far as its vault holds it, the settings file, and a snapshot of the database. Not in it: keys of
the device that exports, nor anything that only those keys open. An import is always another device of the account:
two homes with the same device would be taken for a copy. It goes in this order, and a `kill -9` between any two
steps leaves a home that can go on:

1. the file is opened whole into a draft, which is checked; a file that is damaged leaves nothing;
2. the database takes its place. From here on the home knows its account and is logged out: `hobnob login` goes on;
3. the machine becomes a device, as at a login, by the account's password.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, BinaryIO

from msgspec import Meta

from peer import api
from peer.accounts import archive, register
from peer.accounts.held import check_free, put_whole
from peer.errors import PeerError
from peer.identity import Profile, has_key_file
from peer.locations import Locations
from peer.store import opening, own
from peer.store.database import Database
from peer.store.failures import translate
from peer.store.place import stamp_path
from peer.store.settings import HERE
from wire import limits
from wire.codes import Code
from wire.errors import WireError
from wire.identity.packing import Packed, pack, unpack
from wire.ids import AccountName, Counter
from wire.machine import Entropy
from wire.vault import KdfParameters, check_new_password

CONFIG_BYTES = limits.MIB
READ_BYTES = 256 * limits.KIB
LENGTH_BYTES = 4


class _Account(Packed, frozen=True):
    """What of the account the database does not hold: how the password opens its vault."""

    tracker: str
    vault: bytes
    vault_counter: Counter
    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    memory_kib: Annotated[int, Meta(ge=0, le=limits.KDF_MEMORY_KIB_MOST)]
    passes: Annotated[int, Meta(ge=0, le=limits.KDF_PASSES_MOST)]
    lanes: Annotated[int, Meta(ge=0, le=limits.KDF_LANES_MOST)]

    @property
    def kdf(self) -> KdfParameters:
        """Give how the account's password opens the vault."""
        return KdfParameters(self.salt, self.memory_kib, self.passes, self.lanes)


# --- out


async def export(
    locations: Locations, profile: Profile, command: api.ExportProfile, entropy: Entropy
) -> api.Exported:
    """Write the profile into a file that was not there, sealed by a password.

    The file appears whole or not at all. Raises PeerError with FILE_EXISTS, OUTPUT_FAILED, NO_SPACE or
    HOME_UNUSABLE, and WireError with PASSWORD_WEAK.
    """
    check_new_password(command.password)
    path = Path(command.file)
    return await asyncio.to_thread(_export, locations, profile, path, command.password, entropy)


def _export(
    locations: Locations, profile: Profile, path: Path, password: str, entropy: Entropy
) -> api.Exported:
    check_free(path)
    snapshot = locations.snapshot
    try:
        take_snapshot(locations.database, snapshot)
        size = put_whole(path, lambda file: _fill(file, locations, profile, password, entropy))
    except sqlite3.Error as error:
        raise translate(error, str(snapshot)) from error
    finally:
        snapshot.unlink(missing_ok=True)
    return api.Exported(str(path), size)


def _fill(
    file: BinaryIO, locations: Locations, profile: Profile, password: str, entropy: Entropy
) -> None:
    writer = archive.Writer(file, profile.name, password, entropy)
    kdf = profile.kdf
    account = pack(
        _Account(
            "" if profile.tracker is None else str(profile.tracker),
            profile.vault,
            profile.vault_counter,
            kdf.salt,
            kdf.memory_kib,
            kdf.passes,
            kdf.lanes,
        )
    )
    config = b""
    with suppress(FileNotFoundError):
        config = locations.config.read_bytes()[:CONFIG_BYTES]
    for part in (account, config):
        writer.write(len(part).to_bytes(LENGTH_BYTES, "big") + part)
    with locations.snapshot.open("rb") as database:
        while content := database.read(READ_BYTES):
            writer.write(content)
    writer.close()


def take_snapshot(database: Path, snapshot: Path) -> None:
    """Copy the database as it is now, without what belongs to this device alone."""
    reader = opening.connect(database, is_reader=True)
    try:
        opening.back_up(reader, snapshot)
    finally:
        reader.close()
    copy = opening.connect(snapshot)
    try:
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()
        copy.execute("BEGIN IMMEDIATE")
        for table in (*own.OF_THIS_DEVICE, "done"):
            copy.execute(f"DELETE FROM {table}")
        copy.execute("DELETE FROM settings WHERE substr(key, 1, ?) = ?", (len(HERE), HERE))
        copy.execute(
            "UPDATE transfers SET state = 'cancelled', reason = NULL,"
            " ended = max(made, coalesce(started, 0)) WHERE ended IS NULL"
        )
        copy.execute("UPDATE own SET is_logged_in = 0")
        copy.execute("COMMIT")
        copy.execute("VACUUM")
    finally:
        copy.close()


# --- in


async def take_in(
    locations: Locations, command: api.ImportProfile, entropy: Entropy
) -> api.AccountMade:
    """Make a home that has nothing yet from a file, as another device of its account.

    Raises PeerError and WireError, among them HOME_NOT_EMPTY, EXPORT_INVALID, WRONG_PASSWORD, DATABASE_NEWER; once
    the profile is in its place, what `register.log_in` raises.
    """
    password = command.account_password or command.password

    def may_be(name: AccountName, account: _Account) -> None:
        if not account.tracker:  # no tracker will judge it afterwards
            register.open_own_vault(
                name, password, command.recovery_key, account.vault, account.kdf
            )

    name, account = await asyncio.to_thread(
        _take, locations, Path(command.file), command.password, may_be
    )
    database = await asyncio.to_thread(lambda: Database.open(locations.database, entropy=entropy))
    try:
        if account.tracker:
            login = api.LogIn(
                name,
                password,
                account.tracker,
                command.device_name,
                command.recovery_key,
                command.unsealed,
            )
            return await register.log_in(locations, login, database, entropy)
        return await register.become_device_alone(
            locations,
            command,
            name,
            password,
            account.vault,
            account.kdf,
            database,
            entropy,
        )
    except (PeerError, WireError) as error:
        raise _half_way(error, name, account) from error
    finally:
        await database.close()


def _half_way(error: PeerError | WireError, name: AccountName, account: _Account) -> PeerError:
    """Say that all is here but the last step."""
    said = error if isinstance(error, PeerError) else PeerError(error.code, error.detail)
    if not account.tracker:
        return said
    return PeerError(
        said.code,
        f"{said.message}; the profile is here, this machine is no device of {name} yet",
        remedy=f"to go on: hobnob login {name} --tracker {account.tracker}",
    )


def _take(
    locations: Locations,
    path: Path,
    password: str,
    may_be: Callable[[AccountName, _Account], None],
) -> tuple[AccountName, _Account]:
    """Open a file into its places; gives whose it is. may_be: raises where it must not be."""
    _check_empty(locations)
    draft = locations.snapshot
    try:
        with path.open("rb") as file:
            name, pieces = archive.read(path, file, password)
            account, config = _unpack(path, pieces, draft)
        _check(path, draft, name)
        may_be(name, account)
        if config:
            locations.write_private(locations.config, config)
        stamp_path(locations.database).unlink(missing_ok=True)
        draft.replace(locations.database)
        opening.sync_folder(locations.home)
    except FileNotFoundError as error:
        raise PeerError(Code.NO_SUCH_FILE, f"{path} is not there") from error
    except OSError as error:
        raise PeerError(Code.FILE_UNREADABLE, f"{path}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)
    return name, account


def _unpack(path: Path, pieces: Iterator[bytes], draft: Path) -> tuple[_Account, bytes]:
    """Write the database of an archive to `draft`, synced; gives the two parts before it."""
    held = bytearray()
    parts: list[bytes] = []
    opening.prepare_file(draft)
    with draft.open("r+b") as file:
        file.truncate()
        for piece in pieces:
            if len(parts) == 2:
                file.write(piece)
                continue
            held += piece
            while len(parts) < 2 and len(held) >= LENGTH_BYTES:
                length = int.from_bytes(held[:LENGTH_BYTES], "big")
                if length > CONFIG_BYTES:
                    raise PeerError(Code.EXPORT_INVALID, f"{path} is damaged")
                if len(held) < LENGTH_BYTES + length:
                    break
                parts.append(bytes(held[LENGTH_BYTES : LENGTH_BYTES + length]))
                del held[: LENGTH_BYTES + length]
            if len(parts) == 2:
                file.write(held)
        file.flush()
        os.fsync(file.fileno())
    if len(parts) < 2:
        raise PeerError(Code.EXPORT_INVALID, f"{path} is damaged")
    try:
        return unpack(_Account, parts[0], Code.EXPORT_INVALID), parts[1]
    except WireError as error:
        raise PeerError(Code.EXPORT_INVALID, f"{path} is damaged") from error


def _check(path: Path, draft: Path, name: AccountName) -> None:
    """Refuse a database that is not sound, not of this program, or of another account."""
    try:
        connection = opening.connect(draft)
        try:
            opening.check_sound(connection, path)
            opening.migrate(connection)
            me = own.account(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise PeerError(Code.EXPORT_INVALID, f"{path} holds no sound database") from error
    if me is None or me.name != name:
        raise PeerError(Code.EXPORT_INVALID, f"{path} holds another account than it says")


def _check_empty(locations: Locations) -> None:
    """Refuse a home that has an account or keys."""
    if has_key_file(locations):
        raise PeerError(Code.HOME_NOT_EMPTY, f"{locations.home} has keys already")
    if not locations.database.exists():
        return
    connection = opening.open_file(locations.database)
    try:
        me = own.account(connection)
    finally:
        connection.close()
    if me is not None:
        raise PeerError(Code.HOME_NOT_EMPTY, f"{locations.home} belongs to {me.name} already")
