"""Taking devices off an account: what only the password may do, since only the vault's seed signs lists.

Plain functions over a store and `now`, called inside a transaction. The copies of the renewed state key are kept for
the devices that stay, each sealed to one of them, and go out with the account state.
"""

from __future__ import annotations

import msgspec

from tracker.accounts import owned, revoke_unlisted
from tracker.effects import Effect, Outcome, TellAll
from tracker.errors import TrackerError
from tracker.storage.port import AccountId, Store
from wire.codes import Code
from wire.errors import WireError
from wire.identity import read_device_list
from wire.machine import UnixMillis
from wire.messages.accounts import RevokeDevice, StateKeyCopy
from wire.messages.friends import DevicesChanged
from wire.messages.session import Done


def revoke_device(
    store: Store, account_id: AccountId, message: RevokeDevice, now: UnixMillis
) -> Outcome:
    """Take the list, the vault and the copies of the account that just logged in, at once or not at all.

    Everybody hears of the list before the revoked devices' sessions end, these devices too. Repeating what was done
    and whose answer was lost is answered by Done again. Raises LIST_ROLLBACK, VAULT_ROLLBACK, DEVICE_LIMIT,
    SIGNATURE_INVALID, IDENTITY_MISMATCH, DECODE.
    """
    account = owned(store, account_id)
    try:
        device_list = read_device_list(message.device_list, account.identity)
    except WireError as error:
        raise TrackerError(error.code, error.detail) from error
    if (message.device_list, message.vault) == (account.device_list, account.vault):
        return Outcome(Done(message.request))
    if device_list.counter <= account.list_counter:
        raise TrackerError(
            Code.LIST_ROLLBACK,
            f"device list {account.list_counter} is known, {device_list.counter} came",
        )
    if message.vault_counter <= account.vault_counter:
        raise TrackerError(
            Code.VAULT_ROLLBACK,
            f"vault {account.vault_counter} is known, {message.vault_counter} came",
        )
    store.put_vault(account.id, message.vault, message.vault_counter, now)
    store.put_device_list(account.id, message.device_list, device_list.counter)
    store.put_state_keys(account.id, msgspec.msgpack.encode(message.copies))
    told = (account.id, *(row.id for row in store.friends_of(account.id)))
    effects: list[Effect] = [TellAll(told, DevicesChanged(account.name, message.device_list))]
    effects += revoke_unlisted(store, account.id, device_list)
    return Outcome(Done(message.request), tuple(effects))


def copies_of(store: Store, account: AccountId) -> tuple[StateKeyCopy, ...]:
    """Give the copies of an account's state key; none while no device was ever taken off."""
    raw = store.state_keys(account)
    return msgspec.msgpack.decode(raw, type=tuple[StateKeyCopy, ...]) if raw else ()
