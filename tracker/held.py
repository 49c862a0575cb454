"""Everything that is stored of an account, for whoever's it is: in pages, each one question.

Plain functions over a store. What others know of the account and it must not learn is left out: whether
somebody it asked has blocked it.
"""

from __future__ import annotations

from tracker.accounts import owned
from tracker.effects import Caller, Outcome
from tracker.storage.port import Device, Store
from wire import limits
from wire.messages.held import (
    Account,
    AskAccount,
    AskHeldDevices,
    AskHeldPeople,
    HeldDevice,
    HeldDevices,
    HeldPeople,
    HeldPerson,
    Tie,
)

UNSIGNED = frozenset({Tie.FRIEND, Tie.BLOCKED})


def ask_account(store: Store, caller: Caller, message: AskAccount) -> Outcome:
    """Give what is stored of the account itself."""
    account = owned(store, caller.account)
    state = store.state_slice(account.id, 0, 0)
    return Outcome(
        Account(
            request=message.request,
            name=account.name,
            identity=account.identity,
            role=account.role.value,
            registered=account.registered,
            last_seen=account.last_seen,
            salt=account.kdf.salt,
            memory_kib=account.kdf.memory_kib,
            passes=account.kdf.passes,
            lanes=account.kdf.lanes,
            has_recovery_key=account.kdf.has_recovery_key,
            auth_key=account.auth_key,
            vault=account.vault,
            vault_counter=account.vault_counter,
            vault_changed=account.vault_changed,
            device_list=account.device_list,
            list_counter=account.list_counter,
            state_version=state.version,
            state_bytes=state.size_bytes,
        )
    )


def ask_held_devices(store: Store, caller: Caller, message: AskHeldDevices) -> Outcome:
    """Give a page of the account's devices, in the order of their ids."""
    devices = [d for d in store.devices_of(caller.account) if d.id > message.after]
    page = tuple(_held(store, device) for device in devices[: limits.HELD_DEVICES])
    return Outcome(HeldDevices(message.request, page, is_last=len(devices) <= limits.HELD_DEVICES))


def _held(store: Store, device: Device) -> HeldDevice:
    mail = store.mail_load(device.id, None)
    return HeldDevice(
        device=device.id,
        link_key=device.link_key,
        certificate=device.certificate,
        addresses=device.addresses,
        is_signed_off=device.is_signed_off,
        revoked=device.revoked,
        added=device.added,
        last_seen=device.last_seen,
        mail_items=mail.items,
        mail_bytes=mail.size_bytes,
        prekeys=store.count_prekeys(device.id),
        mail_left=store.mail_left(device.id),
    )


def ask_held_people(store: Store, caller: Caller, message: AskHeldPeople) -> Outcome:
    """Give a page of the people of one kind of tie, by name."""
    most = limits.HELD_NAMES if message.tie in UNSIGNED else limits.HELD_PEOPLE
    rows = store.people_of(caller.account, message.tie, message.after, most + 1)
    page = tuple(HeldPerson(row.name, row.identity, row.at, row.signed) for row in rows[:most])
    return Outcome(HeldPeople(message.request, page, is_last=len(rows) <= most))
