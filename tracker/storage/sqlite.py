"""The tracker's questions answered by SQLite, over one connection.

What lives here and in `sqlite_accounts`, `sqlite_friends` and `sqlite_mail`: SQL and how a row becomes a value. What does
not: transactions and threads (`writer`), the schema (`schema/`) and its upgrades (`migrate`).
"""

from __future__ import annotations

from tracker.storage.sqlite_accounts import SqliteAccounts
from tracker.storage.sqlite_friends import SqliteFriends
from tracker.storage.sqlite_mail import SqliteMail


class SqliteStore(SqliteAccounts, SqliteFriends, SqliteMail):
    """`tracker.storage.port.Store` over an open connection whose schema is the newest."""

    __slots__ = ()
