"""The end of an account: the tracker removes it by password, the home keeps its history and parts from everybody."""

from __future__ import annotations

import sqlite3

from peer import api
from peer.accounts.credentials import ask_kdf, dial, prove, recovery_key
from peer.effects import Effect
from peer.errors import PeerError
from peer.identity import Profile
from peer.people import befriending, contacts
from peer.store import own
from peer.store.database import Database
from peer.times import wall
from wire.codes import Code
from wire.identity import deletion_proof
from wire.machine import Entropy, UnixMillis
from wire.messages import accounts
from wire.messages.session import Done


async def delete_account(
    profile: Profile, command: api.DeleteAccount, database: Database, entropy: Entropy
) -> list[Effect]:
    """Have the tracker remove the account; the home keeps its history and knows that it was deleted.

    Raises PeerError with NOT_REGISTERED for an account without a tracker, WRONG_PASSWORD,
    RECOVERY_KEY_NEEDED, TRACKER_UNREACHABLE.
    """
    address = profile.tracker
    if address is None or address.key is None:
        raise PeerError(
            Code.NOT_REGISTERED,
            f"no tracker knows of {profile.name}",
            remedy="to wipe this home: hobnob logout --forget",
        )
    name, key = profile.name, address.key
    if command.name != name:
        raise PeerError(Code.NO_SUCH_USER, f"this home belongs to {name}, not to {command.name!r}")
    recovery = recovery_key(command.recovery_key)
    link = await dial(address, entropy.bytes(32), entropy)
    try:
        parameters = await ask_kdf(link, name, recovery)
        proven = await prove(link, name, key, parameters, command.password, recovery)
        if proven.found.identity != profile.keys.identity:
            raise PeerError(Code.KEY_MISMATCH, f"{name} has another identity at the tracker")
        proof = deletion_proof(proven.secrets.auth_seed, name, key, link.handshake_hash)
        await link.ask(lambda request: accounts.DeleteAccount(request, proof), Done)
    except PeerError as error:
        if error.code is not Code.NO_SUCH_USER:  # it went before, and the answer was lost
            raise
    finally:
        await link.close()
    return await database.write(ended, wall())


def ended(connection: sqlite3.Connection, now: UnixMillis) -> list[Effect]:
    """Take note that the account is no more: its friendships and requests are over, nothing waits for the tracker."""
    names = connection.execute(
        "SELECT name FROM contacts WHERE state IN ('friends', 'asked_in', 'asked_out')"
    ).fetchall()
    effects: list[Effect] = []
    for (name,) in names:
        contact = contacts.find(connection, name)
        if contact is not None:
            effects += befriending.part(connection, contact, "removed", now)
    connection.execute("DELETE FROM asks")
    own.set_deleted(connection, now)
    return effects
