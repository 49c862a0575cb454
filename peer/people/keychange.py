"""The alarm at a changed key: somebody shows another identity for the name of a person whose pin we have.

It can be legitimate (the friend lost everything and registered the name anew) or an attack (a tracker that
swaps keys); only people can tell, by comparing fingerprints. Until one accepts the new fingerprint,
`contacts.claimed` holds it: no link with that person is made or kept, and what is said waits.
"""

from __future__ import annotations

import sqlite3

from peer.effects import CloseLinks, Effect, FriendsChanged, WantLink
from peer.log.membership import with_friend
from peer.log.notices import notice
from peer.people.contacts import Contact
from wire.codes import Code
from wire.identity import fingerprint
from wire.ids import IdentityKey
from wire.machine import UnixMillis

Connection = sqlite3.Connection


def is_another(contact: Contact | None, identity: IdentityKey) -> bool:
    """Say whether an identity that is shown for a name is another than the one we pinned."""
    return (
        contact is not None
        and contact.identity is not None
        and contact.is_pinned
        and contact.identity != identity
    )


def changed(
    connection: Connection, contact: Contact, claimed: IdentityKey, now: UnixMillis
) -> list[Effect]:
    """Note that another identity is shown for a name: loud once, and nothing is sent from now on."""
    if contact.identity is None or contact.claimed == claimed:
        return []
    connection.execute(  # a request of theirs that waits was made by yet another identity
        "UPDATE contacts SET claimed = ?, answer = NULL, request = iif(state = 'asked_out', request, NULL),"
        " state = iif(state = 'asked_in', 'removed', state) WHERE number = ?",
        (claimed, contact.number),
    )
    shown = fingerprint(claimed)
    text = (
        f"{contact.name} shows another identity key, {shown}; nothing is sent until you compared it"
        f" with {contact.name} by another way and said: hobnob friend accept-key {contact.name} FINGERPRINT"
    )
    return [
        *notice(
            connection,
            with_friend(connection, contact),
            Code.KEY_CHANGED,
            text,
            now,
            about=claimed,
            more={"fingerprint": shown},
        ),
        CloseLinks(contact.identity, Code.KEY_CHANGED),
        FriendsChanged(contact.name),
    ]


def back(connection: Connection, contact: Contact, now: UnixMillis) -> list[Effect]:
    """Note that a name shows the pinned identity again: talk goes on where it stopped.

    A tracker's word is enough for that: links prove the pinned identity anyway.
    """
    if contact.identity is None or contact.claimed is None:
        return []
    connection.execute(
        "UPDATE contacts SET claimed = NULL, answer = NULL, request = NULL WHERE number = ?",
        (contact.number,),
    )
    text = f"{contact.name} shows the identity key you know again; what waited is sent"
    conversation = with_friend(connection, contact)
    told = notice(connection, conversation, Code.KEY_CHANGED, text, now, about=contact.claimed)
    return [*told, FriendsChanged(contact.name), WantLink(contact.identity)]
