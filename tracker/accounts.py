"""Accounts and their devices: making one, opening it by password, adding a machine, signing one off.

Plain functions over a store and `now`, called inside a transaction; each raises TrackerError to refuse
and then has changed nothing. The tracker sees neither the password nor a private key; what it checks of
signed values is for its own hygiene (design, section 3), clients verify everything again.
"""

from __future__ import annotations

from msgspec import Struct

from tracker.effects import Caller, Channel, CloseDevice, Effect, Outcome, Tell, TellAll
from tracker.errors import TrackerError
from tracker.storage.port import (
    NEVER,
    Account,
    AccountId,
    Applicant,
    Device,
    FriendAnswerRow,
    FriendRequestRow,
    FriendRow,
    KdfChoice,
    Store,
)
from wire.codes import Code
from wire.errors import RemoteProtocolError, WireError
from wire.identity import (
    Certificate,
    DeviceList,
    check_login_proof,
    check_register_proof,
    read_vouched,
)
from wire.ids import AccountName, IdentityKey, LinkKey, account_name
from wire.machine import UnixMillis
from wire.messages.accounts import (
    AddDevice,
    AskKdf,
    DeviceAdded,
    Kdf,
    LoggedIn,
    LogIn,
    LogOut,
    Register,
)
from wire.messages.friends import AskUser, DevicesChanged, User
from wire.messages.session import Done


class Snapshot(Struct, frozen=True):
    """All that a device is told when it enters, as one transaction saw it."""

    account: Account
    device: Device
    state_version: int
    friends: list[FriendRow]
    requests: list[FriendRequestRow]
    answers: list[FriendAnswerRow]


def named(store: Store, name: AccountName) -> Account:
    """Give the account of that name; raises NO_SUCH_USER."""
    account = store.account_named(name)
    if account is None:
        raise TrackerError(Code.NO_SUCH_USER, f"there is no user {name!r}")
    return account


def owned(store: Store, account: AccountId) -> Account:
    """Give an account that a session is of; raises NOT_LOGGED_IN if it was deleted meanwhile."""
    found = store.account(account)
    if found is None:
        raise TrackerError(Code.NOT_LOGGED_IN, "this account was deleted")
    return found


def ask_kdf(store: Store, message: AskKdf) -> Outcome:
    """Say how the password of an account becomes its keys; that a name exists is public."""
    kdf = named(store, message.name).kdf
    return Outcome(
        Kdf(message.request, kdf.salt, kdf.memory_kib, kdf.passes, kdf.lanes, kdf.has_recovery_key)
    )


def ask_user(store: Store, message: AskUser) -> Outcome:
    """Say which identity a name has here."""
    account = named(store, message.name)
    return Outcome(User(message.request, account.name, account.identity))


def register(store: Store, message: Register, channel: Channel, now: UnixMillis) -> Outcome:
    """Make an account with its first device; exactly one of two who want a name gets it.

    Repeating a registration whose answer was lost is answered by Done again. Raises NAME_RESERVED,
    NAME_TAKEN, ALREADY_REGISTERED (the identity or the device has an account here), SIGNATURE_INVALID,
    IDENTITY_MISMATCH, DEVICE_LIMIT, DECODE.
    """
    try:
        name = account_name(message.name)
        check_register_proof(
            message.identity,
            message.signature,
            name,
            channel.tracker_key,
            channel.handshake_hash,
        )
        certificate, device_list = _read_device(
            message.certificate, message.device_list, message.identity, channel.remote_static
        )
    except WireError as error:
        raise TrackerError(error.code, error.detail) from error
    known = store.device_with(certificate.link_key)
    taken = store.account_named(name)
    if taken is not None:
        if taken.identity == message.identity and known is not None and known.account == taken.id:
            return Outcome(Done(message.request))
        raise TrackerError(Code.NAME_TAKEN, f"the name {name!r} is taken")
    if known or store.device(certificate.device) or store.account_of(message.identity):
        raise TrackerError(Code.ALREADY_REGISTERED, "this identity has an account at this tracker")
    account = store.add_account(
        Applicant(
            name=name,
            identity=message.identity,
            kdf=KdfChoice(
                salt=message.salt,
                memory_kib=message.memory_kib,
                passes=message.passes,
                lanes=message.lanes,
                has_recovery_key=message.has_recovery_key,
            ),
            auth_key=message.auth_key,
            vault=message.vault,
            vault_counter=message.vault_counter,
            device_list=message.device_list,
            list_counter=device_list.counter,
        ),
        now,
    )
    _store_device(store, account, certificate, message.certificate, now)
    return Outcome(Done(message.request))


def log_in(store: Store, message: LogIn, channel: Channel) -> tuple[Account, Outcome]:
    """Check the proof of the password; gives the account and what a new device needs.

    Raises NO_SUCH_USER or WRONG_PASSWORD; whoever calls counts the failures.
    """
    account = named(store, message.name)
    try:
        check_login_proof(
            account.auth_key,
            message.signature,
            account.name,
            channel.tracker_key,
            channel.handshake_hash,
        )
    except RemoteProtocolError as error:
        raise TrackerError(Code.WRONG_PASSWORD) from error
    return account, Outcome(
        LoggedIn(
            message.request,
            account.identity,
            account.vault,
            account.vault_counter,
            account.vault_changed,
            account.device_list,
            store.state_version(account.id),
        )
    )


def add_device(
    store: Store, account_id: AccountId, message: AddDevice, channel: Channel, now: UnixMillis
) -> Outcome:
    """Add the device at the other end of the link to the account that just logged in.

    The list's counter goes up, except for a device that is listed already and comes back after LogOut.
    Devices that the new list revokes lose their right to enter at once. Raises LIST_ROLLBACK,
    VAULT_ROLLBACK, ALREADY_REGISTERED (the device is another account's), DEVICE_REVOKED, DEVICE_LIMIT,
    SIGNATURE_INVALID, IDENTITY_MISMATCH, DECODE.
    """
    account = owned(store, account_id)
    try:
        certificate, device_list = _read_device(
            message.certificate, message.device_list, account.identity, channel.remote_static
        )
    except WireError as error:
        raise TrackerError(error.code, error.detail) from error
    known = store.device(certificate.device)
    holder = store.device_with(certificate.link_key)
    if (known or holder) and not (known and known == holder and known.account == account.id):
        raise TrackerError(Code.ALREADY_REGISTERED, "this device belongs to another account")
    if known is not None and known.revoked:
        raise TrackerError(Code.DEVICE_REVOKED)
    comes_back = known is not None and message.device_list == account.device_list
    if device_list.counter <= account.list_counter and not comes_back:
        raise TrackerError(
            Code.LIST_ROLLBACK,
            f"device list {account.list_counter} is known, {device_list.counter} came",
        )
    if message.vault_counter < account.vault_counter:
        raise TrackerError(
            Code.VAULT_ROLLBACK,
            f"vault {account.vault_counter} is known, {message.vault_counter} came",
        )
    if known is None:
        _store_device(store, account.id, certificate, message.certificate, now)
    else:
        store.sign_on(known.id, message.certificate)
    store.put_vault(account.id, message.vault, message.vault_counter, now)
    effects: list[Effect] = []
    if not comes_back:
        store.put_device_list(account.id, message.device_list, device_list.counter)
        effects += revoke_unlisted(store, account.id, device_list)
        friends = tuple(row.id for row in store.friends_of(account.id))
        effects.append(TellAll(friends, DevicesChanged(account.name, message.device_list)))
    effects.append(Tell(account.id, DeviceAdded(certificate.device, message.device_list, now)))
    return Outcome(Done(message.request), tuple(effects))


def log_out(store: Store, caller: Caller, message: LogOut) -> Outcome:
    """Take the device's right to enter; its certificate and its place on the list stay."""
    store.sign_off(caller.device)
    store.drop_mailbox(caller.device)
    goodbye = CloseDevice(caller.account, caller.device, Code.GOODBYE)
    return Outcome(Done(message.request), (goodbye,))


def admit(store: Store, link_key: LinkKey) -> Caller:
    """Say whose device has this link key: one indexed look-up, no signature to check.

    Raises DEVICE_UNKNOWN (also after LogOut) or DEVICE_REVOKED.
    """
    entrant = store.entrant(link_key)
    if entrant is None or entrant.is_signed_off:
        raise TrackerError(Code.DEVICE_UNKNOWN)
    if entrant.is_revoked:
        raise TrackerError(Code.DEVICE_REVOKED)
    return Caller(entrant.account, entrant.name, entrant.identity, entrant.device)


def enter(store: Store, caller: Caller, expired_before: UnixMillis, now: UnixMillis) -> Snapshot:
    """Read all that an entering device is told, and remember that it was here.

    expired_before: friend requests and answers older than this instant are not told any more.
    Raises DEVICE_UNKNOWN or DEVICE_REVOKED if the device lost its right since it was admitted.
    """
    account = owned(store, caller.account)
    device = store.device(caller.device)
    if device is None or device.is_signed_off:
        raise TrackerError(Code.DEVICE_UNKNOWN)
    if device.revoked:
        raise TrackerError(Code.DEVICE_REVOKED)
    store.put_seen(device.id, now)
    return Snapshot(
        account=account,
        device=device,
        state_version=store.state_version(account.id),
        friends=store.friends_of(account.id),
        requests=[row for row in store.requests_to(account.id) if row.at >= expired_before],
        answers=[row for row in store.answers_to(account.id) if row.at >= expired_before],
    )


def _read_device(
    certificate: bytes, device_list: bytes, identity: IdentityKey, remote_static: LinkKey
) -> tuple[Certificate, DeviceList]:
    """Verify that a certificate is of the device at the other end and stands on the identity's list."""
    read, listed = read_vouched(certificate, device_list, identity)
    if read.link_key != remote_static:
        raise RemoteProtocolError(
            Code.IDENTITY_MISMATCH, "the certificate's link key is not the one of this link"
        )
    return read, listed


def _store_device(
    store: Store, account: AccountId, certificate: Certificate, signed: bytes, now: UnixMillis
) -> None:
    store.add_device(
        Device(
            id=certificate.device,
            account=account,
            link_key=certificate.link_key,
            certificate=signed,
            addresses=b"",
            is_signed_off=False,
            revoked=NEVER,
            added=now,
            last_seen=NEVER,
        )
    )


def revoke_unlisted(store: Store, account: AccountId, device_list: DeviceList) -> list[Effect]:
    """Revoke what the new list does not have standing; gives the sessions to be closed."""
    effects: list[Effect] = []
    for device in store.devices_of(account):
        if device.revoked or device.id in device_list.standing:
            continue
        entry = device_list.find(device.id)
        at = UnixMillis(entry.revoked_at) if entry else UnixMillis(device_list.changed or 1)
        store.revoke(device.id, at)
        store.drop_mailbox(device.id)
        effects.append(CloseDevice(account, device.id, Code.DEVICE_REVOKED))
    return effects
