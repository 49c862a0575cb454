"""The space set aside for talk: given up piece by piece, made whole again when the disk has room."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from peer.errors import PeerError
from peer.store.database import Database
from peer.store.reserve import Reserve
from wire import limits
from wire.codes import Code
from wire.entropy import SystemEntropy

PIECES = limits.RESERVE_BYTES // limits.RESERVE_PIECE_BYTES


def held(path: Path) -> int:
    found = path.stat()
    return min(found.st_blocks * 512, found.st_size)


def test_it_is_given_up_piece_by_piece_and_made_whole_again(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    reserve = Reserve(path)
    assert not reserve.give_up()
    reserve.renew()
    assert held(path) >= limits.RESERVE_BYTES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for number in range(PIECES):
        assert reserve.give_up()
        assert held(path) == limits.RESERVE_BYTES - (number + 1) * limits.RESERVE_PIECE_BYTES
    assert not reserve.give_up()
    Reserve(path).renew()
    assert held(path) >= limits.RESERVE_BYTES


def test_it_is_not_taken_where_the_disk_has_little_more(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    Reserve(path, 2**60).renew()
    assert not path.exists()
    Reserve(tmp_path / "no" / "folder").renew()


async def test_a_write_that_lacks_space_is_done_with_it_or_refused_when_it_is_gone(
    tmp_path: Path,
) -> None:
    path = tmp_path / "peer.sqlite3"
    database = Database.open(path, entropy=SystemEntropy())
    refusals: list[Any] = []
    database.on_refused = refusals.append
    reserve = path.with_name("peer.sqlite3.reserve")
    tries = 0

    def fill(connection: Any) -> None:
        nonlocal tries
        tries += 1
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        is_enough = tries > 3
        connection.execute(f"PRAGMA max_page_count = {pages + (1000 if is_enough else 0)}")
        connection.execute("CREATE TABLE filler (content)")
        connection.execute("INSERT INTO filler VALUES (zeroblob(100000))")

    await database.write(fill)
    assert tries == 4
    assert held(reserve) == limits.RESERVE_BYTES - 3 * limits.RESERVE_PIECE_BYTES

    def never(connection: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        connection.execute("INSERT INTO filler VALUES (zeroblob(1000000))")

    with pytest.raises(PeerError) as caught:
        await database.write(never)
    assert caught.value.code is Code.NO_SPACE
    assert held(reserve) == 0
    assert refusals == []

    async def patient() -> str:
        return await database.write_patiently(once_refused)

    refused = iter([True, False])

    def once_refused(connection: Any) -> Any:
        if next(refused):
            raise PeerError(Code.NO_SPACE)
        return "done"

    assert await patient() == "done"
    assert [error.code for error in refusals] == [Code.NO_SPACE]
    assert await database.write(lambda connection: 1) == 1
    assert held(reserve) >= limits.RESERVE_BYTES
    await database.close()
