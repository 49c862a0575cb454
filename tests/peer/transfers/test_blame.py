"""Each end of a transfer reads what happened, whose side it is on and what to do: a table of all it can end with."""

from __future__ import annotations

from pathlib import Path

import pytest

from peer.cli import transfer_words
from peer.transfers import ledger, manager
from peer.transfers.blame import error_of
from peer.transfers.reports import LIES
from tests.harness.offers import accept, bring, key_of, offer, transfers
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.peer.cli.test_files import transfer as shown_as
from wire.codes import Code

AT_SOURCE = {
    Code.CHANGED_AT_SENDER: "it changed here after it was offered",
    Code.NO_SUCH_FILE: "it is not here any more",
    Code.FILE_UNREADABLE: "it cannot be read here",
}
OF_RECEIVER = (
    Code.FILE_EXISTS,
    Code.FOLDER_GONE,
    Code.HOME_UNUSABLE,
    Code.NAME_TOO_LONG,
    Code.SIZE_INVALID,
    Code.UNKNOWN_OFFER,
    *LIES,
)
OF_BOTH = (Code.BLOCKED, Code.KEY_CHANGED, Code.NOT_FRIENDS)
DECIDED = {
    Code.CANCELLED: ("bob called it off", "it was called off here"),
    Code.DECLINED: ("bob declined the offer", "the offer was declined here"),
    Code.OFFER_WITHDRAWN: ("the offer was taken back here", "bob took the offer back"),
}


@pytest.fixture
def pair() -> tuple[SimPeer, SimPeer]:
    world = Simulation(1)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


@pytest.mark.parametrize("code", dict.fromkeys([*AT_SOURCE, *OF_RECEIVER]))
def test_what_cannot_go_on_is_told_at_both_ends_with_whose_side_and_what_to_do(
    pair: tuple[SimPeer, SimPeer], code: Code
) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    bring(accept(bob, offered)[1], bob, alice)
    number = transfer_number(bob)
    detail = f"holiday/a.jpg: {code.what}"
    effects = bob.database.write(
        manager.gave_up, bob.keys, number, code, bob.world.wall(), bob.entropy, detail
    )
    bob.database.commit()
    bring(effects, bob, alice)
    [here], [there] = transfers(bob), transfers(alice)
    assert (here.state, there.state) == ("failed", "failed")
    assert here.error is not None
    assert there.error is not None
    assert here.error["code"] == there.error["code"] == code.value
    assert here.error["message"].startswith(detail)
    if code in AT_SOURCE:
        assert here.error["message"].endswith("(at alice)")
        assert here.error["remedy"] == "ask alice to offer it again"
        assert there.error["message"] == AT_SOURCE[code]
        assert there.error["remedy"] == "offer it again"
    else:
        assert there.error["message"] == f"bob could not take it: {code.what}"
        assert there.error["remedy"] == "it begins anew when bob accepts it again"
        assert here.error["remedy"] == code.remedy


@pytest.mark.parametrize("code", OF_BOTH)
@pytest.mark.parametrize("is_out", [False, True])
def test_what_became_of_a_friendship_reads_the_same_at_both_ends(code: Code, is_out: bool) -> None:
    told = error_of(code.value, None, is_out=is_out, friend="bob")
    assert told == {"code": code.value, "message": code.what, "remedy": code.remedy}


@pytest.mark.parametrize("code", DECIDED)
def test_what_a_person_decided_says_who_did_and_what_to_do_there(code: Code) -> None:
    at_source, at_receiver = (
        error_of(code.value, None, is_out=is_out, friend="bob") for is_out in (True, False)
    )
    assert (at_source["message"], at_receiver["message"]) == DECIDED[code]
    assert "offer it again" in at_source["remedy"]
    assert at_receiver["remedy"] == "ask bob to offer it again"


@pytest.mark.parametrize(
    ("code", "here", "there", "words", "words_there"),
    [
        (Code.NO_SPACE, "space", "friend-space", "free space", "the friend has no space"),
        (Code.FOLDER_GONE, "folder", "friend-folder", "to come back", "the friend's folder"),
    ],
)
def test_what_waits_says_what_for_at_both_ends(
    pair: tuple[SimPeer, SimPeer], code: Code, here: str, there: str, words: str, words_there: str
) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    bring(accept(bob, offered)[1], bob, alice)
    assert (ledger.WAITS_HERE[code], ledger.HELD_THERE[code]) == (here, there)
    detail = "/srv has 1 bytes free and 64 are needed"
    bob.database.write(manager.waiting, transfer_number(bob), here, bob.world.wall(), detail)
    bob.database.commit()
    number = alice.database.read(manager.outgoing, bob.keys.identity, key_of(alice, offered))
    assert number is not None
    alice.database.write(manager.waiting, number, there, alice.world.wall())
    alice.database.commit()
    [waits], [held] = transfers(bob), transfers(alice)
    assert waits.error is not None
    assert (waits.error["code"], waits.error["message"]) == (code.value, detail)
    assert waits.error["remedy"].endswith("; the transfer goes on by itself")
    assert (waits.state, waits.reason) == ("waiting", here)
    assert (held.state, held.reason, held.error) == ("waiting", there, None)
    assert words in transfer_words.transfer(shown_as(state="waiting", reason=here))
    assert words_there in transfer_words.transfer(shown_as(state="waiting", reason=there))


@pytest.mark.parametrize("is_noted_first", [True, False])
def test_a_file_that_could_not_be_had_is_named_at_both_ends_and_does_not_count(
    pair: tuple[SimPeer, SimPeer], is_noted_first: bool
) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    bring(accept(bob, offered)[1], bob, alice)
    number = alice.database.read(manager.outgoing, bob.keys.identity, key_of(alice, offered))
    assert number is not None
    lost = [{"path": "holiday/a.jpg", "reason": "changed-at-sender"}]
    for one, row in ((alice, number), (bob, transfer_number(bob))):
        one.database.write(ledger.progressed, row, files_done=2, verified_bytes=60, resent_bytes=0)

    def note() -> None:
        assert alice.database.write(ledger.note_lost, number, lost, 64 * 1024 * 1024 - 60)
        assert alice.database.write(ledger.note_lost, number, lost, 64 * 1024 * 1024 - 60) == []
        alice.database.commit()

    if is_noted_first:
        note()
    effects = bob.database.write(
        manager.finished, bob.keys, transfer_number(bob), Path("/srv/in/holiday"),
        bob.world.wall(), bob.entropy, lost,
    )  # fmt: skip
    bob.database.commit()
    bring(effects, bob, alice)
    if not is_noted_first:
        note()
    for one in (alice, bob):
        [shown] = transfers(one)
        assert (shown.state, shown.files_done, shown.verified_bytes) == ("done", 2, 60)
        assert shown.skipped == lost


def transfer_number(one: SimPeer) -> int:
    """Give the row of the only transfer."""
    (number,) = one.database.connection.execute("SELECT number FROM transfers").fetchone()
    return int(number)
