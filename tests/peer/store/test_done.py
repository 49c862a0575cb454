"""What commands gave, kept for whoever asks again under the same id, for a day."""

from __future__ import annotations

from peer import api
from peer.store import done
from peer.store.memory import MemoryDatabase
from tests.harness.entropy import SeededEntropy
from wire.machine import UnixMillis

NOW = UnixMillis(1_700_000_000_000)


def test_a_result_is_given_again_for_a_day() -> None:
    database = MemoryDatabase(SeededEntropy(1), NOW)
    said = api.MessageState("ab" * 32, "queued")
    database.write(done.note, "first", said, NOW)
    database.write(done.note, "second", said, UnixMillis(NOW + 1))
    assert database.read(done.find, "first") == api.Relayed(api.as_json(said))
    assert database.read(done.find, "third") is None
    database.write(done.forget, UnixMillis(NOW + done.KEPT_MS + 1))
    assert database.read(done.find, "first") is None
    assert database.read(done.find, "second") is not None


def test_a_name_that_is_no_text_is_given_again() -> None:
    database = MemoryDatabase(SeededEntropy(1), NOW)
    made = api.MessageState("part\udcff", "queued")
    database.write(done.note, "first", made, NOW)
    assert database.read(done.find, "first") == api.Relayed(api.as_json(made))
