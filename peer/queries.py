"""Questions that the store alone answers, with a node up and without."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from msgspec.structs import replace

from peer import api, asks
from peer.accounts import alarms
from peer.history import indexing, search
from peer.people import verifying
from peer.reach import shown
from peer.store import own
from peer.talk import following, seen
from peer.transfers import ledger, manager
from wire.address import TrackerAddress
from wire.codes import Code
from wire.identity import encode_friend_code, fingerprint, peek_certificate
from wire.transfer.states import TransferState

Connection = sqlite3.Connection


def friend_code(connection: Connection) -> str:
    """Give the friend code of this account."""
    me = own.need_account(connection)
    tracker = None if me.tracker is None else TrackerAddress.parse(me.tracker)
    return encode_friend_code(me.name, tracker, me.identity)


def who_am_i(connection: Connection, sealed: str) -> api.Account:
    """Give who this home is; sealed: `password`, `keyring` or `none`."""
    me = own.need_account(connection)
    listed = own.own_list(connection)
    mine = peek_certificate(me.certificate)
    names = {mine.device: mine.name}
    devices: list[dict[str, object]] = [
        {
            "device": entry.device.hex(),
            "name": names.get(entry.device, ""),
            "this": entry.device == me.device,
            "revoked": entry.is_revoked,
        }
        for entry in listed.devices
    ]
    return api.Account(
        account=me.name,
        tracker=me.tracker,
        fingerprint=fingerprint(me.identity),
        code=friend_code(connection),
        device=me.device.hex(),
        devices=devices,
        sealed=sealed,
        logged_in=me.is_logged_in,
    )


def status_without_node(connection: Connection) -> api.Status:
    """Give the status of a home that no node runs for."""
    me = own.account(connection)
    address = None if me is None else me.tracker
    why = "no node is up: hobnob up"
    if me is not None and me.is_deleted:
        why = Code.ACCOUNT_DELETED.what
    return api.Status(
        account=None if me is None else me.name,
        node="down",
        pid=None,
        listen=[],
        tracker=api.TrackerStatus("offline", address, why),
        links=[],
        transfers=_at_rest(manager.transfers(connection, only_open=True)),
        waiting=asks.words(connection),
        alarms=alarms.standing(connection),
        unread=sum(following.unread(connection).values()),
    )


def answer(connection: Connection, command: api.Command, sealed: str) -> Iterator[api.Result]:
    """Answer a command of need STORE; `read` marks what it gives as read, so it is run as a write."""
    match command:
        case api.WhoAmI():
            yield who_am_i(connection, sealed)
        case api.GetFriendCode():
            yield api.FriendCode(friend_code(connection))
        case api.ListShownTo():
            yield from shown.log(connection)
        case api.GetStatus():
            yield status_without_node(connection)
        case api.VerifyFriend():
            yield verifying.safety_number_with(connection, command.name)
        case api.ReadMessages():
            yield from seen.read(
                connection, command.to, command.unread_only, command.limit, command.before
            )
        case api.ListOffers():
            yield from manager.offers(connection)
        case api.ListTransfers():
            own.need_account(connection)
            yield from _at_rest(manager.transfers(connection))
        case api.SearchMessages():
            while indexing.catch_up(connection):
                pass
            yield from search.find(connection, command)


# --- inside


def _at_rest(transfers: list[api.Transfer]) -> list[api.Transfer]:
    """Give transfers as they are while no node runs: what the last one left under way waits, as the next one will say."""
    return [
        replace(each, state=TransferState.WAITING.value, reason=ledger.FRIEND)
        if each.state == TransferState.RUNNING.value
        else each
        for each in transfers
    ]
