"""What commands mean that only keep something about a friend: whom nobody is disturbed by, what will be said."""

from __future__ import annotations

import sqlite3
from typing import get_args

from peer import api
from peer.errors import PeerError
from peer.store import own
from peer.talk import drafts, mutes
from wire.codes import Code
from wire.ids import account_name
from wire.machine import UnixMillis

Command = api.MuteFriend | api.KeepDraft
COMMANDS: tuple[type[Command], ...] = get_args(Command)
LONGEST_S = 36_500 * 86_400.0  # a hundred years


def check_span(for_s: float | None) -> None:
    """Raise PeerError(USAGE) for a time that is over as it begins, or that no clock of ours can tell the end of."""
    if for_s is not None and not 0 < for_s <= LONGEST_S:
        raise PeerError(Code.USAGE, "a duration is more than nothing and less than a life")


def carry_out(connection: sqlite3.Connection, command: Command, now: UnixMillis) -> api.Result:
    """Carry out one of these commands; doing it again changes nothing. Raises PeerError."""
    own.need_account(connection)
    match command:
        case api.MuteFriend(name=name, is_muted=is_muted, for_s=for_s):
            check_span(for_s)
            until: UnixMillis | None = None
            if is_muted:
                until = UnixMillis(0 if for_s is None else now + int(for_s * 1000))
            return mutes.mute(connection, account_name(name), until, now)
        case api.KeepDraft(to=to, text=text):
            return drafts.draft(connection, account_name(to), text)
