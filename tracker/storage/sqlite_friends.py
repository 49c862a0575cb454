"""SQLite's answers about friendships, requests, answers and blocks."""

from __future__ import annotations

from tracker.storage.port import (
    AccountId,
    FriendAnswerRow,
    FriendRequestRow,
    FriendRow,
    PersonRow,
)
from tracker.storage.sqlite_rows import Asking, Row
from wire.ids import AccountName, IdentityKey
from wire.machine import UnixMillis
from wire.messages.held import Tie

_PEOPLE = {
    Tie.FRIEND: ("t.since, x''", "friendships t JOIN accounts a ON a.id = t.friend", "t.account"),
    Tie.ASKED_BY_ME: (
        "t.at, t.signed",
        "friend_requests t JOIN accounts a ON a.id = t.target",
        "t.asker",
    ),
    Tie.ASKED_ME: (
        "t.at, t.signed",
        "friend_requests t JOIN accounts a ON a.id = t.asker",
        "t.target",
    ),
    Tie.ANSWERED_BY_ME: (
        "t.at, t.signed",
        "friend_answers t JOIN accounts a ON a.id = t.asker",
        "t.answerer",
    ),
    Tie.ANSWERED_ME: (
        "t.at, t.signed",
        "friend_answers t JOIN accounts a ON a.id = t.answerer",
        "t.asker",
    ),
    Tie.BLOCKED: ("t.at, x''", "blocks t JOIN accounts a ON a.id = t.blocked", "t.account"),
}
"""For each tie: its columns, its tables, and the column that has the account whose ties are listed."""


class SqliteFriends(Asking):
    """The part of `SqliteStore` about who is whose friend."""

    __slots__ = ()

    # --- friends

    def are_friends(self, one: AccountId, other: AccountId) -> bool:
        """See the port."""
        sql = "SELECT 1 FROM friendships WHERE account = ? AND friend = ?"
        return self._one(sql, one, other) is not None

    def befriend(self, one: AccountId, other: AccountId, now: UnixMillis) -> None:
        """See the port."""
        for account, friend in ((one, other), (other, one)):
            self._do(
                "INSERT INTO friendships (account, friend, since) VALUES (?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                account,
                friend,
                now,
            )

    def part(self, one: AccountId, other: AccountId) -> bool:
        """See the port."""
        sql = "DELETE FROM friendships WHERE account = ? AND friend = ?"
        return bool(self._do(sql, one, other) + self._do(sql, other, one))

    def friends_of(self, account: AccountId) -> list[FriendRow]:
        """See the port."""
        rows = self._all(
            "SELECT a.id, a.name, a.identity, a.last_seen FROM friendships f"
            " JOIN accounts a ON a.id = f.friend WHERE f.account = ? ORDER BY a.name",
            account,
        )
        return [
            FriendRow(
                AccountId(row[0]), AccountName(row[1]), IdentityKey(row[2]), UnixMillis(row[3])
            )
            for row in rows
        ]

    def people_of(self, account: AccountId, tie: Tie, after: str, limit: int) -> list[PersonRow]:
        """See the port."""
        columns, tables, whose = _PEOPLE[tie]
        rows = self._all(
            f"SELECT a.name, a.identity, {columns} FROM {tables}"
            f" WHERE {whose} = ? AND a.name > ? ORDER BY a.name LIMIT ?",
            account,
            after,
            limit,
        )
        return [
            PersonRow(AccountName(row[0]), IdentityKey(row[1]), UnixMillis(row[2]), row[3])
            for row in rows
        ]

    def count_friends(self, account: AccountId) -> int:
        """See the port."""
        return self._number("SELECT count(*) FROM friendships WHERE account = ?", account)

    def put_request(
        self,
        asker: AccountId,
        target: AccountId,
        signed: bytes,
        is_void: bool,
        now: UnixMillis,
    ) -> None:
        """See the port."""
        self._do(
            "INSERT INTO friend_requests (asker, target, signed, is_void, at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (asker, target) DO UPDATE SET signed = excluded.signed,"
            " is_void = excluded.is_void, at = excluded.at",
            asker,
            target,
            signed,
            is_void,
            now,
        )

    def request_of(self, asker: AccountId, target: AccountId) -> FriendRequestRow | None:
        """See the port."""
        row = self._one(
            "SELECT a.name, r.signed, r.is_void, r.at FROM friend_requests r"
            " JOIN accounts a ON a.id = r.asker WHERE r.asker = ? AND r.target = ?",
            asker,
            target,
        )
        return _request(row) if row else None

    def drop_request(self, asker: AccountId, target: AccountId) -> None:
        """See the port."""
        self._do("DELETE FROM friend_requests WHERE asker = ? AND target = ?", asker, target)

    def void_request(self, asker: AccountId, target: AccountId) -> None:
        """See the port."""
        self._do(
            "UPDATE friend_requests SET is_void = 1 WHERE asker = ? AND target = ?", asker, target
        )

    def requests_to(self, target: AccountId) -> list[FriendRequestRow]:
        """See the port."""
        rows = self._all(
            "SELECT a.name, r.signed, r.is_void, r.at FROM friend_requests r JOIN accounts a"
            " ON a.id = r.asker WHERE r.target = ? AND r.is_void = 0 ORDER BY r.at, a.name",
            target,
        )
        return [_request(row) for row in rows]

    def count_requests_from(self, asker: AccountId) -> int:
        """See the port."""
        return self._number("SELECT count(*) FROM friend_requests WHERE asker = ?", asker)

    def count_requests_to(self, target: AccountId) -> int:
        """See the port."""
        sql = "SELECT count(*) FROM friend_requests WHERE target = ? AND is_void = 0"
        return self._number(sql, target)

    def put_answer(
        self,
        asker: AccountId,
        answerer: AccountId,
        is_yes: bool,
        signed: bytes,
        now: UnixMillis,
    ) -> None:
        """See the port."""
        self._do(
            "INSERT INTO friend_answers (asker, answerer, is_yes, signed, at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (asker, answerer) DO UPDATE SET is_yes = excluded.is_yes,"
            " signed = excluded.signed, at = excluded.at",
            asker,
            answerer,
            is_yes,
            signed,
            now,
        )

    def drop_answer(self, asker: AccountId, answerer: AccountId) -> None:
        """See the port."""
        self._do("DELETE FROM friend_answers WHERE asker = ? AND answerer = ?", asker, answerer)

    def answers_to(self, asker: AccountId) -> list[FriendAnswerRow]:
        """See the port."""
        rows = self._all(
            "SELECT a.name, n.is_yes, n.signed, n.at FROM friend_answers n JOIN accounts a"
            " ON a.id = n.answerer WHERE n.asker = ? ORDER BY n.at, a.name",
            asker,
        )
        return [
            FriendAnswerRow(AccountName(row[0]), bool(row[1]), row[2], UnixMillis(row[3]))
            for row in rows
        ]

    def expire(self, before: UnixMillis) -> int:
        """See the port."""
        return self._do("DELETE FROM friend_requests WHERE at < ?", before) + self._do(
            "DELETE FROM friend_answers WHERE at < ?", before
        )

    # --- blocks

    def block(self, account: AccountId, blocked: AccountId, now: UnixMillis) -> None:
        """See the port."""
        self._do(
            "INSERT INTO blocks (account, blocked, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            account,
            blocked,
            now,
        )

    def unblock(self, account: AccountId, blocked: AccountId) -> None:
        """See the port."""
        self._do("DELETE FROM blocks WHERE account = ? AND blocked = ?", account, blocked)

    def has_blocked(self, account: AccountId, blocked: AccountId) -> bool:
        """See the port."""
        sql = "SELECT 1 FROM blocks WHERE account = ? AND blocked = ?"
        return self._one(sql, account, blocked) is not None

    def count_blocks(self, account: AccountId) -> int:
        """See the port."""
        return self._number("SELECT count(*) FROM blocks WHERE account = ?", account)


def _request(row: Row) -> FriendRequestRow:
    return FriendRequestRow(AccountName(row[0]), row[1], bool(row[2]), UnixMillis(row[3]))
