"""What must reach the tracker: kept in the database, in order, until it answers.

A yes to somebody who asked over a link is kept longer. The tracker may know nothing of that request, as the asker has
another one or none; then nobody but the asker has to have the answer, who is told on each link until they talk as a friend.
"""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from peer.effects import Ask, Effect
from peer.store import settings
from peer.times import wall
from wire import codec
from wire.codes import Code
from wire.messages import NUMBER_OF, Message, Purpose, friends

NEAR = f"{settings.HERE}near/"
"""Of whose request came over a link, by name: whether the tracker may still know of it, too."""
MAYBE, UNKNOWN_THERE = b"maybe", b"unknown"


class Waiting(Struct, frozen=True):
    """One ask that the tracker has not answered; its request id is put in when it is sent."""

    number: int
    message: Message


def add(connection: sqlite3.Connection, message: Message) -> None:
    """Keep an ask; one of the same kind about the same person replaces what waited."""
    name = str(getattr(message, "name", ""))
    number = NUMBER_OF[type(message)]
    if isinstance(message, friends.RemoveFriend | friends.BlockUser):
        heard(connection, name)  # nobody is to have that answer any more
    connection.execute("DELETE FROM asks WHERE name = ? AND message = ?", (name, number))
    connection.execute(
        "INSERT INTO asks (message, fields, name, made) VALUES (?, ?, ?, ?)",
        (number, codec.encode(Purpose.TRACKER, message), name, wall()),
    )


def keep(connection: sqlite3.Connection, effects: list[Effect]) -> None:
    """Keep the asks among some effects, so that no crash loses one."""
    for effect in effects:
        if isinstance(effect, Ask):
            add(connection, effect.message)


def waiting(connection: sqlite3.Connection) -> list[Waiting]:
    """List what waits, oldest first."""
    found = []
    for number, fields in connection.execute("SELECT number, fields FROM asks ORDER BY number"):
        message = codec.decode(Purpose.TRACKER, fields)
        if message is not None:
            found.append(Waiting(number, message))
    return found


def answer_to(connection: sqlite3.Connection, name: str) -> bytes | None:
    """Give our signed answer to somebody that the tracker has not taken yet, or None."""
    for each in waiting(connection):
        if isinstance(each.message, friends.AnswerFriend) and each.message.name == name:
            return each.message.signed
    return None


def words(connection: sqlite3.Connection) -> list[str]:
    """Say what waits for the tracker, for `status`."""
    names = {
        friends.AskFriend: "a friend request to",
        friends.AnswerFriend: "an answer to",
        friends.RemoveFriend: "the end of the friendship with",
        friends.BlockUser: "a block of",
        friends.UnblockUser: "taking back a block of",
        friends.TakeAnswer: "a note for",
    }
    return [
        f"{names[type(ask.message)]} {getattr(ask.message, 'name', '')}"
        for ask in waiting(connection)
        if type(ask.message) in names
    ]


def came_near(connection: sqlite3.Connection, name: str) -> None:
    """Take note that somebody asked for friendship over a link."""
    settings.write(connection, f"{NEAR}{name}", MAYBE)


def heard(connection: sqlite3.Connection, name: str) -> None:
    """Take note that somebody who was told our answer over a link talks as a friend.

    They have it. What the tracker may still take stays for the tracker.
    """
    if settings.read(connection, f"{NEAR}{name}") == UNKNOWN_THERE:
        number = NUMBER_OF[friends.AnswerFriend]
        connection.execute("DELETE FROM asks WHERE name = ? AND message = ?", (name, number))
        settings.write(connection, f"{NEAR}{name}", b"")


def done(connection: sqlite3.Connection, ask: Waiting) -> None:
    """Forget an ask that was carried out."""
    connection.execute("DELETE FROM asks WHERE number = ?", (ask.number,))
    if isinstance(ask.message, friends.AnswerFriend):
        settings.write(connection, f"{NEAR}{ask.message.name}", b"")


def refused(connection: sqlite3.Connection, ask: Waiting, code: Code) -> bool:
    """Forget an ask that was refused, and say whether that is news to a person.

    A friend request that was is no request any more. What somebody asked over a link the tracker need not know: a yes
    to it stays, for the links.
    """
    message = ask.message
    if isinstance(message, friends.AnswerFriend) and code is Code.REQUEST_UNKNOWN:
        near = f"{NEAR}{message.name}"
        came_so = settings.read(connection, near) is not None
        if came_so and message.is_yes:
            settings.write(connection, near, UNKNOWN_THERE)
        else:
            done(connection, ask)
        return not came_so
    done(connection, ask)
    if isinstance(message, friends.AskFriend) and code is not Code.ALREADY_FRIENDS:
        connection.execute(
            "UPDATE contacts SET state = 'removed', request = NULL"
            " WHERE name = ? AND state = 'asked_out'",
            (message.name,),
        )
    return True
