"""What takes the password itself, proven on this very link: putting another in its place, deleting the account.

Plain functions over a store and `now`, called inside a transaction; each raises TrackerError to refuse
and then has changed nothing. A device's link key is not enough for either: it may have been stolen.
"""

from __future__ import annotations

from tracker.accounts import owned
from tracker.effects import (
    Channel,
    CloseDevice,
    Effect,
    EndLogins,
    Outcome,
    Parted,
    TellAll,
)
from tracker.errors import TrackerError
from tracker.storage.port import Account, AccountId, KdfChoice, Store
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import check_deletion_proof, check_password_proof
from wire.machine import UnixMillis
from wire.messages.accounts import ChangePassword, DeleteAccount
from wire.messages.friends import FriendRemoved
from wire.messages.held import Tie
from wire.messages.session import Done

PAGE = 256  # people read at once


def change_password(
    store: Store,
    account_id: AccountId,
    message: ChangePassword,
    channel: Channel,
    now: UnixMillis,
) -> Outcome:
    """Replace all that hangs on the password of the account that just logged in, at once.

    Raises WRONG_PASSWORD (also where the password changed since the login), VAULT_ROLLBACK.
    """
    account = owned(store, account_id)
    try:
        check_password_proof(
            account.auth_key,
            message.signature,
            account.name,
            channel.tracker_key,
            channel.handshake_hash,
            message.auth_key,
            message.vault,
        )
    except RemoteProtocolError as error:
        raise TrackerError(Code.WRONG_PASSWORD) from error
    if message.vault_counter <= account.vault_counter:
        raise TrackerError(
            Code.VAULT_ROLLBACK,
            f"vault {account.vault_counter} is known, {message.vault_counter} came",
        )
    kdf = KdfChoice(
        salt=message.salt,
        memory_kib=message.memory_kib,
        passes=message.passes,
        lanes=message.lanes,
        has_recovery_key=message.has_recovery_key,
    )
    store.put_password(account.id, kdf, message.auth_key, message.vault, message.vault_counter, now)
    return Outcome(Done(message.request), (EndLogins(account.id),))


def delete_account(
    store: Store, account_id: AccountId, message: DeleteAccount, channel: Channel
) -> Outcome:
    """Remove the account that just logged in with all that is stored of it; its name is free from now on.

    Friends hear that the friendship ended, and whom it had asked that the request is gone. Raises
    WRONG_PASSWORD.
    """
    account = owned(store, account_id)
    try:
        check_deletion_proof(
            account.auth_key,
            message.signature,
            account.name,
            channel.tracker_key,
            channel.handshake_hash,
        )
    except RemoteProtocolError as error:
        raise TrackerError(Code.WRONG_PASSWORD) from error
    friends = [row.id for row in store.friends_of(account.id)]
    told = [*friends, *_asked_by(store, account)]
    effects: list[Effect] = [Parted(account.id, friend) for friend in friends]
    effects.append(TellAll(tuple(told), FriendRemoved(account.name)))
    effects += [
        CloseDevice(account.id, device.id, Code.ACCOUNT_DELETED)
        for device in store.devices_of(account.id)
    ]
    store.delete_account(account.id)
    return Outcome(Done(message.request), (*effects, EndLogins(account.id)))


def _asked_by(store: Store, account: Account) -> list[AccountId]:
    """List whom an account has asked and who may know it: not those who blocked it."""
    found: list[AccountId] = []
    after = ""
    while page := store.people_of(account.id, Tie.ASKED_BY_ME, after, PAGE):
        for person in page:
            asked = store.account_of(person.identity)
            request = None if asked is None else store.request_of(account.id, asked.id)
            if asked is not None and request is not None and not request.is_void:
                found.append(asked.id)
        after = page[-1].name
    return found
