"""Where devices can be reached: signed records, for accepted friends and the own account only.

Plain functions over a store. To everybody else an account looks like one that does not exist.
"""

from __future__ import annotations

from tracker.effects import AddressesPut, Caller, Outcome
from tracker.errors import TrackerError
from tracker.storage.port import Account, AccountId, Store
from wire.codes import Code
from wire.errors import WireError
from wire.identity import peek_certificate, read_addresses
from wire.ids import AccountName
from wire.messages.reach import AskDirectory, DeviceRecord, Directory, PutAddresses
from wire.messages.session import Done


def put_addresses(store: Store, caller: Caller, message: PutAddresses) -> Outcome:
    """Store where the caller's device can be dialled; raises what is wrong with the signed record."""
    device = store.device(caller.device)
    if device is None or device.is_signed_off or device.revoked:
        raise TrackerError(Code.DEVICE_UNKNOWN)
    try:
        certificate = peek_certificate(device.certificate)
        read_addresses(message.signed, caller.device, certificate.signing_key)
    except WireError as error:
        raise TrackerError(error.code, error.detail) from error
    store.put_addresses(caller.device, message.signed)
    return Outcome(
        Done(message.request), (AddressesPut(caller, device.certificate, message.signed),)
    )


def near_account(store: Store, caller: Caller, name: AccountName) -> Account:
    """Give a friend's account, or the caller's own; raises NOT_FRIENDS, also for a name that nobody has."""
    account = store.account_named(name)
    if account is None or not (
        account.id == caller.account or store.are_friends(caller.account, account.id)
    ):
        raise TrackerError(Code.NOT_FRIENDS)
    return account


def ask_directory(
    store: Store, caller: Caller, message: AskDirectory
) -> tuple[AccountId, Directory]:
    """Give the account and the certificates and addresses of its devices, none marked as online.

    Who is here is not in the store: the roster marks those that are. Raises NOT_FRIENDS, the same for a
    stranger as for a name that nobody has.
    """
    account = near_account(store, caller, message.name)
    records = tuple(
        DeviceRecord(device.certificate, device.addresses, is_online=False)
        for device in store.devices_of(account.id)
    )
    return account.id, Directory(
        message.request, account.name, account.identity, account.device_list, records
    )
