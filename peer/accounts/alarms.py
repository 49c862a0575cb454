"""What a person has to know or decide before anything goes on: in `status` until it is over.

An alarm about the account is kept in the settings of this home, one for each code; one about a person stands
with that person (`contacts.claimed`).
"""

from __future__ import annotations

import sqlite3

from peer import api
from peer.effects import Effect, Tell
from peer.people import contacts
from peer.store import own, settings
from wire.codes import Code, code_of

Connection = sqlite3.Connection

_KEY = settings.HERE + "alarm/"
LINES = 10  # of one alarm; the oldest go


def raise_(connection: Connection, code: Code, text: str) -> list[Effect]:
    """Keep an alarm and tell it; one that stands with the same words is not told again."""
    if not settings.write(connection, _KEY + code.value, text.encode()):
        return []
    return [Tell(api.Event("notice", {"code": code.value, "message": text}))]


def add(connection: Connection, code: Code, text: str) -> list[Effect]:
    """Keep one more line under a code whose alarm may stand already, and tell that line."""
    before = settings.read(connection, _KEY + code.value)
    lines = [] if before is None else before.decode().split("; ")
    if text in lines:
        return []
    settings.write(connection, _KEY + code.value, "; ".join([*lines, text][-LINES:]).encode())
    return [Tell(api.Event("notice", {"code": code.value, "message": text, "remedy": code.remedy}))]


def end(connection: Connection, code: Code) -> None:
    """Let an alarm go; nothing if there is none."""
    settings.write(connection, _KEY + code.value, b"")


def stands(connection: Connection, code: Code) -> bool:
    """Say whether there is an alarm of the account under a code."""
    return settings.read(connection, _KEY + code.value) is not None


def standing(connection: Connection) -> list[dict[str, str]]:
    """List every alarm: those of the account, then names that show another key."""
    me = own.account(connection)
    if me is None:
        return []
    found = [
        _shown(code_of(name), text.decode())
        for name, text in settings.under(connection, _KEY).items()
    ]
    if me.is_deleted:
        found.append(_shown(Code.ACCOUNT_DELETED))
    rows = connection.execute(
        "SELECT name FROM contacts WHERE claimed IS NOT NULL AND identity IS NOT NULL ORDER BY name"
    ).fetchall()
    for (name,) in rows:
        contact = contacts.find(connection, name)
        if contact is not None and contact.waits_for_key:
            error = contacts.key_changed(contact)
            found.append(_shown(error.code, error.message, error.remedy))
    return found


def _shown(code: Code, message: str = "", remedy: str = "") -> dict[str, str]:
    return {
        "code": code.value,
        "message": message or code.what,
        "remedy": remedy or code.remedy,
    }
