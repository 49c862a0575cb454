"""Comparing safety numbers: what two friends read to each other, and the mark that they did.

The mark names the identity it was made for (`contacts.verified`): it counts while that is the pin, so it
dies with a change of the key by itself.
"""

from __future__ import annotations

import hmac
import re
import sqlite3

from peer import api
from peer.effects import Effect, FriendsChanged, Tell
from peer.errors import PeerError
from peer.people.contacts import find_friend
from peer.store import own
from wire.codes import Code
from wire.identity import safety_number

Connection = sqlite3.Connection
DIGITS = re.compile(r"[0-9]{60}")


def safety_number_with(connection: Connection, name: str) -> api.SafetyNumber:
    """Give the safety number with a friend, and whether it was compared.

    Raises PeerError with NO_SUCH_FRIEND, BLOCKED, or KEY_CHANGED while another key is shown.
    """
    contact = find_friend(connection, name)
    assert contact.identity is not None
    ours = own.need_account(connection).identity
    (is_verified,) = connection.execute(
        "SELECT verified IS identity FROM contacts WHERE number = ?", (contact.number,)
    ).fetchone()
    return api.SafetyNumber(name, safety_number(ours, contact.identity), bool(is_verified))


def verify(
    connection: Connection, name: str, number: str | None
) -> tuple[api.SafetyNumber, list[Effect]]:
    """Compare a safety number as a person typed it, and mark the friend as verified; None shows it only.

    number: 60 digits in groups or not. Raises PeerError with USAGE for anything else,
    SAFETY_NUMBER_MISMATCH for another number, and as `safety_number_with` does; a former mark stays.
    """
    shown = safety_number_with(connection, name)
    if number is None:
        return shown, []
    typed = "".join(number.split())
    if DIGITS.fullmatch(typed) is None:
        raise PeerError(Code.USAGE, "a safety number has 60 digits", remedy="type all of it")
    if not hmac.compare_digest(typed, shown.number):
        raise PeerError(
            Code.SAFETY_NUMBER_MISMATCH, f"that is not the safety number of you and {name}"
        )
    connection.execute("UPDATE contacts SET verified = identity WHERE name = ?", (name,))
    contact = find_friend(connection, name)
    return api.SafetyNumber(name, shown.number, verified=True), [
        FriendsChanged(contact.name),
        Tell(api.Event("friend", {"friend": name, "state": "verified"})),
    ]
