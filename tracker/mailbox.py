"""Mailboxes: sealed items for devices that are away, kept until they are taken or too old; nothing is read.

Plain functions over a store and `now`. Only friends and the own devices of an account may leave mail, within
bounds for each sender and for the whole; prekeys are checked against the device's certificate, so that nobody's
client has to look at junk, and it verifies them again all the same.
"""

from __future__ import annotations

from tracker.accounts import owned
from tracker.effects import Caller, Effect, Outcome, TellDevice
from tracker.errors import TrackerError
from tracker.storage.port import Account, Device, Store
from tracker.storage.port_mail import AccountId, Item
from wire import limits
from wire.codes import Code
from wire.errors import WireError
from wire.identity import peek_certificate
from wire.ids import AccountName, DeviceId
from wire.machine import UnixMillis
from wire.mailbox import Prekey, read_prekey
from wire.messages.mailbox import (
    AskKept,
    AskMail,
    AskPrekeys,
    Deposit,
    DevicePrekey,
    Kept,
    Mail,
    MailboxState,
    MailItem,
    Prekeys,
    PrekeysHeld,
    PutPrekeys,
    TakeMail,
)
from wire.messages.session import Done

HOUR_MS = 3600_000
LIFETIME_MS = int(limits.MAIL_LIFETIME_S * 1000)


def state(store: Store, device: DeviceId) -> MailboxState:
    """Give how the mailbox of a device stands."""
    return MailboxState(
        store.mail_load(device, None).items,
        store.count_prekeys(device),
        store.weekly_prekey(device) is not None,
        store.mail_left(device),
    )


def expire(store: Store, now: UnixMillis) -> int:
    """Forget what is too old; gives how many items went."""
    return store.expire_mail(UnixMillis(now - LIFETIME_MS), UnixMillis(now - HOUR_MS))


def put_prekeys(store: Store, caller: Caller, message: PutPrekeys) -> Outcome:
    """Keep prekeys of the caller's device, PREKEYS one-time ones at most, in place of all before if it says so.

    Raises DEVICE_UNKNOWN, and PREKEY_INVALID for one that this device did not sign for what it is said to be.
    """
    device = _standing(store.device(caller.device))
    one_time = [_read(device, signed, is_one_time=True) for signed in message.one_time]
    if message.replaces:
        store.drop_prekeys(device.id)
    room = max(limits.PREKEYS - store.count_prekeys(device.id), 0)
    for prekey, signed in list(zip(one_time, message.one_time, strict=True))[:room]:
        store.put_prekey(device.id, prekey.number, signed)
    if message.weekly:
        weekly = _read(device, message.weekly, is_one_time=False)
        store.put_weekly_prekey(device.id, weekly.number, message.weekly)
    return Outcome(PrekeysHeld(message.request, store.count_prekeys(device.id)))


def ask_prekeys(store: Store, caller: Caller, message: AskPrekeys, now: UnixMillis) -> Outcome:
    """Give a prekey of each device of a friend or of the own other devices; raises NOT_FRIENDS."""
    account = _reachable(store, caller, message.name)
    rows: list[DevicePrekey] = []
    effects: list[Effect] = []
    since = UnixMillis(now - HOUR_MS)
    for device in store.devices_of(account.id):
        if device.is_signed_off or device.revoked or device.id == caller.device:
            continue
        signed: bytes | None = None
        if store.count_prekeys_given(device.id, caller.account, since) < limits.PREKEYS_PER_HOUR:
            signed = store.take_prekey(device.id, caller.account, now)
            if signed is not None and store.count_prekeys(device.id) == limits.PREKEYS_LOW - 1:
                effects.append(TellDevice(account.id, device.id, state(store, device.id)))
        signed = signed or store.weekly_prekey(device.id) or b""
        rows.append(DevicePrekey(device.certificate, signed))
    answer = Prekeys(
        message.request,
        account.name,
        account.identity,
        account.device_list,
        tuple(rows[: limits.DEVICES]),
    )
    return Outcome(answer, tuple(effects))


def deposit(store: Store, caller: Caller, message: Deposit, now: UnixMillis) -> Outcome:
    """Keep an item; the same again is answered the same.

    Raises NOT_FRIENDS, DEVICE_UNKNOWN, MAILBOX_FULL.
    """
    account = _reachable(store, caller, message.name)
    device = store.device(message.device)
    if device is None or device.account != account.id or device.id == caller.device:
        raise TrackerError(Code.DEVICE_UNKNOWN)
    _standing(device)
    done = Outcome(Done(message.request))
    if store.has_mail(device.id, caller.device, message.item):
        return done
    _check_room(store, device.id, caller.account, len(message.sealed))
    mail = Item(
        device.id, caller.account, caller.device, message.item, message.prekey, message.sealed
    )
    store.put_mail(mail, now)
    told = TellDevice(account.id, device.id, state(store, device.id))
    return Outcome(done.answer, (told,))


def ask_mail(store: Store, caller: Caller, message: AskMail) -> Outcome:
    """Give the oldest items above a number, as many as fit into one message."""
    items: list[MailItem] = []
    size = 0
    for row in store.mail_for(caller.device, message.after, limits.MAIL_PER_MESSAGE):
        size += len(row.sealed)
        if items and size > limits.MAIL_MESSAGE_BYTES:
            break
        items.append(
            MailItem(
                row.number, row.name, row.sender_device, row.item, row.prekey, row.at, row.sealed
            )
        )
    return Outcome(Mail(message.request, tuple(items)))


def take_mail(store: Store, caller: Caller, message: TakeMail) -> Outcome:
    """Forget items whose content is committed at their recipient; of others' mail nothing is touched."""
    store.drop_mail(caller.device, message.items)
    return Outcome(Done(message.request))


def ask_kept(store: Store, caller: Caller, message: AskKept) -> Outcome:
    """Say which items that the caller's device left for another still wait; raises NOT_FRIENDS."""
    account = _reachable(store, caller, message.name)
    device = store.device(message.device)
    is_theirs = device is not None and device.account == account.id
    kept = tuple(
        item
        for item in message.items
        if is_theirs and store.has_mail(message.device, caller.device, item)
    )
    return Outcome(Kept(message.request, kept))


def _reachable(store: Store, caller: Caller, name: AccountName) -> Account:
    """Give the own account or a friend's; strangers and names nobody has get one answer."""
    account = store.account_named(name)
    if account is None or not (
        account.id == caller.account or store.are_friends(caller.account, account.id)
    ):
        raise TrackerError(Code.NOT_FRIENDS)
    owned(store, caller.account)
    return account


def _standing(device: Device | None) -> Device:
    if device is None or device.is_signed_off or device.revoked:
        raise TrackerError(Code.DEVICE_UNKNOWN)
    return device


def _read(device: Device, signed: bytes, *, is_one_time: bool) -> Prekey:
    try:
        prekey = read_prekey(signed, device.id, peek_certificate(device.certificate).signing_key)
    except WireError as error:
        raise TrackerError(error.code, error.detail) from error
    if prekey.is_one_time is not is_one_time:
        raise TrackerError(Code.PREKEY_INVALID, "a prekey of the other kind")
    return prekey


def _check_room(store: Store, device: DeviceId, sender: AccountId, size: int) -> None:
    whole, pair = store.mail_load(device, None), store.mail_load(device, sender)
    for load, items, most_bytes in (
        (whole, limits.MAIL_ITEMS, limits.MAIL_BYTES),
        (pair, limits.MAIL_ITEMS_PER_PAIR, limits.MAIL_BYTES_PER_PAIR),
    ):
        if load.items >= items or load.size_bytes + size > most_bytes:
            raise TrackerError(Code.MAILBOX_FULL)
