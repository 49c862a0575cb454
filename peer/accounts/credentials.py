"""What the password itself does: proving it to the tracker, and putting another in its place.

A change of the password goes in this order, and a `kill -9` between any two steps leaves a home that opens:

1. the tracker replaces all that hangs on the password in one transaction. Until step 2 the key file still opens
   with the *former* password, while the account has the new one already;
2. the key file is written anew, sealed by the new password if it was sealed; from here on it opens with the *new* one;
3. its former generation is written over, so that the former password opens nothing here any more;
4. the database notes the vault.

`hobnob passwd` again with the same two passwords goes on wherever it was cut short, also where the answer of the
tracker was lost; on another device of the account it brings that one's key file up to date. Nothing of it
needs a node: the password is proven on a link of its own, as at a login.
"""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace

from msgspec import Struct

from peer import api
from peer.accounts import alarms
from peer.effects import Effect, Tell
from peer.errors import PeerError
from peer.identity import Profile, read_key_file, seal_of, write_key_file
from peer.locations import Locations
from peer.store import own
from peer.store.database import Database
from peer.times import wall
from peer.tracker_link import TrackerLink
from wire.address import TrackerAddress
from wire.codes import Code
from wire.errors import WireError
from wire.identity import login_proof, password_proof, public_of
from wire.ids import AccountName, BootId
from wire.machine import Entropy
from wire.messages import accounts
from wire.messages.session import Done
from wire.vault import (
    NO_TRACKER,
    KdfParameters,
    PasswordKeys,
    Vault,
    check_new_password,
    derive_keys,
    open_vault,
    seal_vault,
)

RECOVERY_KEY_BYTES = 16


class Proven(Struct, frozen=True):
    """A password that the tracker took on a link, and what it gave for it. vault: opened and checked."""

    secrets: PasswordKeys
    parameters: KdfParameters
    found: accounts.LoggedIn
    vault: Vault


def recovery_key(text: str | None) -> bytes | None:
    """Read a recovery key as a command brings it; raises PeerError(VAULT_INVALID) for what is none."""
    if text is None:
        return None
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != RECOVERY_KEY_BYTES:
        raise PeerError(Code.VAULT_INVALID, "a recovery key has 32 hex digits")
    return key


async def dial(address: TrackerAddress, link_private: bytes, entropy: Entropy) -> TrackerLink:
    """Open a link of no device. link_private: 32 bytes, of this link or of a device that is to be added."""
    boot_id = BootId(entropy.bytes(16))
    return await TrackerLink.dial(
        address, link_private=link_private, keys=None, boot_id=boot_id, entropy=entropy
    )


async def ask_kdf(link: TrackerLink, name: AccountName, recovery: bytes | None) -> KdfParameters:
    """Ask how an account's password becomes keys; raises RECOVERY_KEY_NEEDED where one is missing."""
    kdf = await link.ask(lambda request: accounts.AskKdf(request, name), accounts.Kdf)
    if kdf.has_recovery_key and recovery is None:
        raise PeerError(Code.RECOVERY_KEY_NEEDED)
    if recovery is not None and not kdf.has_recovery_key:
        raise PeerError(
            Code.VAULT_INVALID,
            f"the account {name} has no recovery key",
            remedy="leave --recovery-key-file out",
        )
    return KdfParameters(kdf.salt, kdf.memory_kib, kdf.passes, kdf.lanes)


async def prove(
    link: TrackerLink,
    name: AccountName,
    tracker_key: bytes,
    parameters: KdfParameters,
    password: str,
    recovery: bytes | None,
    *,
    known_counter: int = 0,
) -> Proven:
    """Log in by password on a link of no device, and open the vault that comes back.

    known_counter: the highest vault counter known here. Raises PeerError with WRONG_PASSWORD,
    TOO_MANY_FAILURES, KEY_MISMATCH; RemoteProtocolError with VAULT_INVALID, or VAULT_ROLLBACK for a vault
    that is older than known or than the tracker itself says.
    """
    secrets = await asyncio.to_thread(
        derive_keys, password, name, tracker_key, parameters, recovery
    )
    proof = login_proof(secrets.auth_seed, name, tracker_key, link.handshake_hash)
    found = await link.ask(lambda request: accounts.LogIn(request, name, proof), accounts.LoggedIn)
    known = max(known_counter, found.vault_counter)
    vault = open_vault(found.vault, secrets.wrap_key, name, known_counter=known)
    if public_of(vault.identity_seed) != found.identity:
        raise PeerError(
            Code.KEY_MISMATCH, "the tracker names another identity than the vault holds"
        )
    return Proven(secrets, parameters, found, vault)


# --- another password


async def change_password(
    locations: Locations,
    profile: Profile,
    command: api.ChangePassword,
    database: Database,
    entropy: Entropy,
) -> Profile:
    """Put another password in place of the present one; gives the profile as it is from now on.

    Raises PeerError and WireError, among them WRONG_PASSWORD, PASSWORD_WEAK, VAULT_ROLLBACK, KDF_TOO_WEAK,
    RECOVERY_KEY_NEEDED, TRACKER_UNREACHABLE; then the former password counts, unless the message says that this
    is not known.
    """
    check_new_password(command.new_password)
    recovery = recovery_key(command.recovery_key)
    if profile.tracker is None:
        changed = await _change_alone(profile, command, recovery, entropy)
    else:
        known = database.read(own.vault_counter)
        changed = await _change_at_tracker(profile, command, recovery, known, entropy)
    sealed_by = command.new_password if seal_of(locations) != "none" else None
    try:
        changed = await asyncio.to_thread(
            write_key_file, locations, changed, sealed_by, entropy, keep_former=False
        )
    except PeerError as error:
        raise await asyncio.to_thread(_cut_short, error, locations, command, changed) from error
    await database.write(own.set_vault, changed.vault, changed.vault_counter)
    return changed


def _cut_short(
    error: PeerError, locations: Locations, command: api.ChangePassword, changed: Profile
) -> PeerError:
    """Say which password opens what, now that the key file could not be written as it should."""
    account = "" if changed.tracker is None else "the account has the new password already; "
    keys = "the keys on this machine are not sealed"
    if seal_of(locations) != "none":
        opens = "new"
        try:
            read_key_file(locations, lambda: command.new_password)
        except PeerError:
            opens = "former"
        keys = f"the keys on this machine open with the {opens} one"
    return PeerError(
        error.code,
        f"{error.message}; {account}{keys}",
        remedy="mend that, then run hobnob passwd again with the same two passwords",
    )


async def _change_alone(
    profile: Profile, command: api.ChangePassword, recovery: bytes | None, entropy: Entropy
) -> Profile:
    """Seal the vault of an account that has no tracker anew."""
    vault = None
    for password in (command.password, command.new_password):  # the second: it was cut short
        secrets = await asyncio.to_thread(
            derive_keys, password, profile.name, NO_TRACKER, profile.kdf, recovery
        )
        try:
            vault = open_vault(profile.vault, secrets.wrap_key, profile.name)
        except WireError as error:
            if error.code is not Code.VAULT_INVALID:
                raise
        else:
            break
    if vault is None:
        raise PeerError(
            Code.WRONG_PASSWORD,
            remedy="try again; capitals count, and so does the recovery key if the account has one",
        )
    following, _ = await _seal_anew(
        profile, vault, command.new_password, NO_TRACKER, recovery, entropy
    )
    return following


async def _change_at_tracker(
    profile: Profile,
    command: api.ChangePassword,
    recovery: bytes | None,
    known_counter: int,
    entropy: Entropy,
) -> Profile:
    """Prove the former password on a link of its own, and replace on it all that hangs on it."""
    address = profile.tracker
    assert address is not None
    assert address.key is not None
    name, key = profile.name, address.key
    link = await dial(address, entropy.bytes(32), entropy)
    try:
        parameters = await ask_kdf(link, name, recovery)
        try:
            proven = await prove(
                link, name, key, parameters, command.password, recovery, known_counter=known_counter
            )
        except PeerError as wrong:
            if wrong.code is not Code.WRONG_PASSWORD:
                raise
            try:  # a change that was cut short, or made on another device, counts at the tracker already
                proven = await prove(
                    link, name, key, parameters, command.new_password, recovery,
                    known_counter=known_counter,
                )  # fmt: skip
            except PeerError as error:
                raise (wrong if error.code is Code.WRONG_PASSWORD else error) from error
            return _as_found(profile, proven)
        if proven.found.identity != profile.keys.identity:
            raise PeerError(Code.KEY_MISMATCH, f"{name} has another identity at the tracker")
        following, secrets = await _seal_anew(
            profile, proven.vault, command.new_password, key, recovery, entropy
        )
        await _replace(link, proven.secrets, following, secrets, recovery is not None)
    finally:
        await link.close()
    return following


async def _seal_anew(
    profile: Profile,
    vault: Vault,
    password: str,
    tracker_key: bytes,
    recovery: bytes | None,
    entropy: Entropy,
) -> tuple[Profile, PasswordKeys]:
    """Give the profile with its vault under another password, a fresh salt and a counter one up."""
    parameters = KdfParameters(entropy.bytes(16))
    secrets = await asyncio.to_thread(
        derive_keys, password, profile.name, tracker_key, parameters, recovery
    )
    anew = Vault(vault.identity_seed, vault.state_key, vault.counter + 1, wall())
    following = replace(
        profile,
        state_key=vault.state_key,
        vault=seal_vault(anew, secrets.wrap_key, profile.name, entropy),
        vault_counter=anew.counter,
        kdf=parameters,
    )
    return following, secrets


async def _replace(
    link: TrackerLink,
    former: PasswordKeys,
    profile: Profile,
    secrets: PasswordKeys,
    has_recovery_key: bool,
) -> None:
    """Have the tracker take the new password. Raises what it refuses, and names an answer that never came."""
    assert profile.tracker is not None
    assert profile.tracker.key is not None
    proof = password_proof(
        former.auth_seed,
        profile.name,
        profile.tracker.key,
        link.handshake_hash,
        secrets.auth_key,
        profile.vault,
    )
    try:
        await link.ask(
            lambda request: accounts.ChangePassword(
                request=request,
                salt=profile.kdf.salt,
                memory_kib=profile.kdf.memory_kib,
                passes=profile.kdf.passes,
                lanes=profile.kdf.lanes,
                has_recovery_key=has_recovery_key,
                auth_key=secrets.auth_key,
                vault=profile.vault,
                vault_counter=profile.vault_counter,
                signature=proof,
            ),
            Done,
        )
    except PeerError as error:
        if error.code is not Code.TRACKER_UNREACHABLE:
            raise
        raise PeerError(
            Code.TRACKER_UNREACHABLE,
            "the tracker's answer did not come: the account has the former password or the new one;"
            " the keys on this machine open with the former one",
            remedy="run hobnob passwd again with the same two passwords",
        ) from error


def _as_found(profile: Profile, proven: Proven) -> Profile:
    """Give the profile with the vault as the tracker has it, under the new password already."""
    return replace(
        profile,
        state_key=proven.vault.state_key,
        vault=proven.found.vault,
        vault_counter=proven.vault.counter,
        kdf=proven.parameters,
    )


# --- what the tracker says about the vault


def on_entered(connection: sqlite3.Connection, counter: int) -> list[Effect]:
    """Compare the vault's counter as the tracker has it with the highest known: other devices change it, too."""
    known = own.vault_counter(connection)
    if counter >= known:
        alarms.end(connection, Code.VAULT_ROLLBACK)
    if counter == known:
        return []
    if counter < known:
        text = (
            f"the tracker shows key vault {counter}, {known} is known: it went back in time, or lies;"
            " do not log in on another machine before that is settled"
        )
        return alarms.raise_(connection, Code.VAULT_ROLLBACK, text)
    own.raise_vault_counter(connection, counter)
    text = (
        "the account's password or devices were changed from another device; if it was not you, act now."
        " Keys that are sealed on this machine open with the former password until"
        " hobnob passwd is given both here"
    )
    return [Tell(api.Event("notice", {"code": "password-changed", "message": text}))]
