"""Making an account, making this machine a device of one, and signing off.

The key file stands before the tracker hears of the account: a crash in between leaves a home that can say
the same again, never an account whose keys are nowhere.
"""

from __future__ import annotations

import asyncio
import platform
from dataclasses import replace

from msgspec import structs

from peer import api
from peer.accounts import account_state, state_exchange
from peer.accounts.credentials import ask_kdf, dial, prove, recovery_key
from peer.errors import PeerError
from peer.identity import (
    Profile,
    check_keys_are_there,
    has_key_file,
    read_key_file,
    write_key_file,
)
from peer.locations import Locations
from peer.people import standing
from peer.store import own
from peer.store.database import Database
from peer.times import rfc3339, wall
from peer.tracker_link import TrackerLink
from wire.address import TrackerAddress
from wire.codes import Code
from wire.errors import WireError
from wire.identity import (
    add_device,
    fingerprint,
    first_device,
    read_device_list,
    register_proof,
)
from wire.ids import AccountName, BootId, account_name
from wire.limits import DEVICE_NAME_CHARS
from wire.machine import Entropy, UnixMillis
from wire.messages import accounts
from wire.messages.presence import Show
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


async def register(
    locations: Locations, command: api.Register, database: Database, entropy: Entropy
) -> api.AccountMade:
    """Make an account; a home with a local account takes that one to the tracker, same identity.

    So does a home whose account was deleted: friends who come back find the key they know.

    Raises PeerError or WireError; then the home is as it was, but for a key file that the same call
    finds again.
    """
    name = account_name(command.name)
    check_new_password(command.password)
    recovery = recovery_key(command.recovery_key)
    address = None if command.tracker is None else TrackerAddress.parse(command.tracker)
    if address is not None and address.key is None:
        # Says which key the tracker shows, so that a person can compare it.
        await dial(address, entropy.bytes(32), entropy)
    seed = entropy.bytes(32)
    before: Profile | None = None
    known = database.read(own.account)
    if known is not None and not known.is_deleted:
        check_keys_are_there(locations, known.name)
    if has_key_file(locations):
        before = read_key_file(locations, lambda: command.password)
        is_free = known is None or known.is_deleted or known.tracker is None
        if known is not None and (not is_free or address is None):
            raise PeerError(Code.ALREADY_REGISTERED, f"this home belongs to {known.name}")
        seed = await _identity_seed(before, command.password, recovery)
    parameters = KdfParameters(entropy.bytes(16))
    tracker_key = NO_TRACKER if address is None or address.key is None else address.key
    keys_of_password = await asyncio.to_thread(
        derive_keys, command.password, name, tracker_key, parameters, recovery
    )
    now = wall()
    device = _device_name(command.device_name)
    keys = (
        before.keys if before is not None else first_device(seed, device, now=now, entropy=entropy)
    )
    state_key = before.state_key if before is not None else entropy.bytes(32)
    counter = 1 if before is None else before.vault_counter + 1
    vault = Vault(seed, state_key, counter, now)
    sealed = seal_vault(vault, keys_of_password.wrap_key, name, entropy)
    profile = Profile(
        name=name,
        tracker=address,
        keys=keys,
        state_key=state_key,
        vault=sealed,
        vault_counter=counter,
        kdf=parameters,
    )
    password = None if command.unsealed else command.password
    write_key_file(locations, profile, password, entropy)
    if address is not None:
        await _register_at(
            profile,
            address,
            seed,
            keys_of_password,
            command.invite or "",
            recovery is not None,
            entropy,
        )
    await _remember(database, profile)
    return _made(profile)


async def log_in(
    locations: Locations, command: api.LogIn, database: Database, entropy: Entropy
) -> api.AccountMade:
    """Make this machine a device of an account that exists, by its password.

    Friends with their pins and what else devices of an account share come along. A home that was this
    account's device before becomes the same device again. Raises PeerError or
    WireError, among them WRONG_PASSWORD, NO_SUCH_USER, VAULT_INVALID, KDF_TOO_WEAK.
    """
    name = account_name(command.name)
    address = TrackerAddress.parse(command.tracker)
    known = database.read(own.account)
    is_off = known is not None and database.read(standing.is_said_off)
    if known is not None and (known.name != name or (known.is_logged_in and not is_off)):
        raise PeerError(Code.ALREADY_REGISTERED, f"this home belongs to {known.name}")
    before = None
    if known is not None and has_key_file(locations) and not is_off:
        before = read_key_file(locations, lambda: command.password)
    link, profile, changed = await _become_device(name, address, command, before, entropy)
    try:
        trouble, version, state = None, 0, None
        try:
            version, state = await state_exchange.fetch(link, profile.state_key, name)
        except PeerError as error:
            if error.code is not Code.STATE_INVALID:
                raise
            trouble = error.message
        password = None if command.unsealed else command.password
        write_key_file(locations, profile, password, entropy)
        await link.ask(
            lambda request: accounts.AddDevice(
                request,
                profile.keys.certificate,
                profile.keys.device_list,
                profile.vault,
                profile.vault_counter,
            ),
            Done,
        )
    finally:
        await link.close()
    await _remember(database, profile)
    if state is not None:
        await database.write(account_state.merge, state, version)
        changed = max(changed, UnixMillis(state.changed))
    return structs.replace(_made(profile), last_changed=rfc3339(changed), trouble=trouble)


def open_own_vault(
    name: AccountName,
    password: str,
    recovery_text: str | None,
    vault: bytes,
    kdf: KdfParameters,
) -> Vault:
    """Open the vault of an account without a tracker; raises PeerError(WRONG_PASSWORD)."""
    secrets = derive_keys(password, name, NO_TRACKER, kdf, recovery_key(recovery_text))
    try:
        return open_vault(vault, secrets.wrap_key, name)
    except WireError as error:
        raise PeerError(
            Code.WRONG_PASSWORD,
            remedy="try again; capitals count, and so does the recovery key if the account has one",
        ) from error


async def become_device_alone(
    locations: Locations,
    command: api.ImportProfile,
    name: AccountName,
    password: str,
    vault: bytes,
    kdf: KdfParameters,
    database: Database,
    entropy: Entropy,
) -> api.AccountMade:
    """Make this machine another device of an account that has no tracker, as its database knows it.

    Raises PeerError(WRONG_PASSWORD).
    """
    opened = await asyncio.to_thread(
        open_own_vault, name, password, command.recovery_key, vault, kdf
    )
    keys = add_device(
        opened.identity_seed,
        database.read(own.own_list),
        _device_name(command.device_name),
        now=wall(),
        entropy=entropy,
    )
    profile = Profile(name, None, keys, opened.state_key, vault, opened.counter, kdf)
    write_key_file(locations, profile, None if command.unsealed else password, entropy)
    await _remember(database, profile)
    return _made(profile)


async def log_out(profile: Profile, database: Database, entropy: Entropy) -> None:
    """Sign this device off at its tracker; a tracker that cannot be reached is told by nobody.

    Raises PeerError(TRACKER_UNREACHABLE): the device would still be let in, so nothing is noted here.
    """
    if profile.tracker is not None:
        link = await TrackerLink.dial(
            profile.tracker,
            link_private=profile.keys.link_private,
            keys=profile.keys,
            boot_id=BootId(entropy.bytes(16)),
            entropy=entropy,
        )
        try:
            await link.ask(
                lambda request: accounts.Enter(request, True, Show.AVAILABLE),
                accounts.Entered,
            )
            await link.ask(accounts.LogOut, Done)
        except PeerError as error:
            if error.code is not Code.DEVICE_UNKNOWN:
                raise
        finally:
            await link.close()
    await database.write(own.set_logged_in, False)


async def _become_device(
    name: AccountName,
    address: TrackerAddress,
    command: api.LogIn,
    before: Profile | None,
    entropy: Entropy,
) -> tuple[TrackerLink, Profile, UnixMillis]:
    """Open a link of the device that this machine becomes: the one it was, or another if that was taken off."""
    while True:
        link_private = entropy.bytes(32) if before is None else before.keys.link_private
        link = await dial(address, link_private, entropy)
        try:
            profile, changed = await _prove_and_add(
                link, name, address, command, before, link_private, entropy
            )
        except BaseException:
            await link.close()
            raise
        if before is None or profile.keys.device == before.keys.device:
            return link, profile, changed
        await link.close()  # its link key is that of a device that is off
        before = None


async def _prove_and_add(
    link: TrackerLink,
    name: AccountName,
    address: TrackerAddress,
    command: api.LogIn,
    before: Profile | None,
    link_private: bytes,
    entropy: Entropy,
) -> tuple[Profile, UnixMillis]:
    """Prove the password, open the vault, and give the profile of this device.

    The instant is that of the newest change of vault or device list that the tracker shows.
    """
    assert address.key is not None
    recovery = recovery_key(command.recovery_key)
    parameters = await ask_kdf(link, name, recovery)
    proven = await prove(link, name, address.key, parameters, command.password, recovery)
    found, vault = proven.found, proven.vault
    listed = read_device_list(found.device_list, found.identity)
    if before is not None and before.keys.device in listed.standing:
        keys = replace(before.keys, device_list=found.device_list)
    else:
        keys = add_device(
            vault.identity_seed,
            listed,
            _device_name(command.device_name),
            now=wall(),
            entropy=entropy,
            link_private=link_private,
        )
    profile = Profile(
        name=name,
        tracker=address,
        keys=keys,
        state_key=vault.state_key,
        vault=found.vault,
        vault_counter=found.vault_counter,
        kdf=parameters,
    )
    return profile, UnixMillis(max(vault.changed, listed.changed))


async def _register_at(
    profile: Profile,
    address: TrackerAddress,
    seed: bytes,
    secrets: PasswordKeys,
    invite: str,
    has_recovery_key: bool,
    entropy: Entropy,
) -> None:
    assert address.key is not None
    link = await dial(address, profile.keys.link_private, entropy)
    proof = register_proof(seed, profile.name, address.key, link.handshake_hash)
    try:
        await link.ask(
            lambda request: accounts.Register(
                request=request,
                name=profile.name,
                identity=profile.keys.identity,
                salt=profile.kdf.salt,
                memory_kib=profile.kdf.memory_kib,
                passes=profile.kdf.passes,
                lanes=profile.kdf.lanes,
                auth_key=secrets.auth_key,
                vault=profile.vault,
                vault_counter=profile.vault_counter,
                certificate=profile.keys.certificate,
                device_list=profile.keys.device_list,
                signature=proof,
                invite=invite,
                has_recovery_key=has_recovery_key,
            ),
            Done,
        )
    finally:
        await link.close()


async def _identity_seed(before: Profile, password: str, recovery: bytes | None) -> bytes:
    """Open the vault of a local account: its identity goes along to the tracker."""
    key = NO_TRACKER if before.tracker is None or before.tracker.key is None else before.tracker.key
    secrets = await asyncio.to_thread(derive_keys, password, before.name, key, before.kdf, recovery)
    return open_vault(before.vault, secrets.wrap_key, before.name).identity_seed


async def _remember(database: Database, profile: Profile) -> None:
    tracker = None if profile.tracker is None else str(profile.tracker)
    await database.write(
        own.remember,
        profile.keys,
        profile.name,
        tracker,
        profile.vault,
        profile.vault_counter,
        wall(),
    )


def _made(profile: Profile) -> api.AccountMade:
    tracker = None if profile.tracker is None else str(profile.tracker)
    return api.AccountMade(profile.name, tracker, fingerprint(profile.keys.identity))


def _device_name(wanted: str | None) -> str:
    return (wanted or platform.node() or "device")[:DEVICE_NAME_CHARS]
