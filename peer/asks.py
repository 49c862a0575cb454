"""What must reach the tracker: kept in the database, in order, until it answers."""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from peer.effects import Ask, Effect
from peer.times import wall
from wire import codec
from wire.codes import Code
from wire.messages import NUMBER_OF, Message, Purpose, friends


class Waiting(Struct, frozen=True):
    """One ask that the tracker has not answered; its request id is put in when it is sent."""

    number: int
    message: Message


def add(connection: sqlite3.Connection, message: Message) -> None:
    """Keep an ask; one of the same kind about the same person replaces what waited."""
    name = str(getattr(message, "name", ""))
    number = NUMBER_OF[type(message)]
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


def done(connection: sqlite3.Connection, ask: Waiting) -> None:
    """Forget an ask that was carried out."""
    connection.execute("DELETE FROM asks WHERE number = ?", (ask.number,))


def refused(connection: sqlite3.Connection, ask: Waiting, code: Code) -> None:
    """Forget an ask that was refused; a friend request that was is no request any more."""
    done(connection, ask)
    if isinstance(ask.message, friends.AskFriend) and code is not Code.ALREADY_FRIENDS:
        connection.execute(
            "UPDATE contacts SET state = 'removed', request = NULL"
            " WHERE name = ? AND state = 'asked_out'",
            (ask.message.name,),
        )
