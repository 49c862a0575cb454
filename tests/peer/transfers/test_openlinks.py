"""How many data links may stand, and which of several with one device stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from peer.transfers.openlinks import OpenLink, OpenLinks
from wire import limits
from wire.codes import Code
from wire.ids import BootId, DeviceId, IdentityKey, LinkKey

SMALL, LARGE = LinkKey(bytes(32)), LinkKey(b"\xff" * 32)


@dataclass
class Bulk:
    """What is done to a link's threads."""

    closed: list[Code] = field(default_factory=list)

    def close(self, code: Code) -> None:
        self.closed.append(code)


def link(
    device: int, initiator: LinkKey = SMALL, *, is_ours: bool = False, path: str = "direct"
) -> OpenLink:
    name = device.to_bytes(16, "big")
    return OpenLink(
        DeviceId(name),
        IdentityKey(bytes(32)),
        initiator,
        is_ours,
        BootId(bytes(16)),
        cast("Any", Bulk()),
        None,  # type: ignore[arg-type]
        path,
    )


def closed(one: OpenLink) -> list[Code]:
    bulk: object = one.bulk
    assert isinstance(bulk, Bulk)
    return bulk.closed


def test_the_link_of_the_smaller_key_stays_and_is_the_one_to_use() -> None:
    links = OpenLinks()
    theirs, ours = link(1, LARGE), link(1, SMALL, is_ours=True)
    links.add(theirs)
    assert links.of_device(theirs.device) is theirs
    links.add(ours)
    assert (closed(theirs), closed(ours)) == ([Code.LINK_REPLACED], [])
    assert links.of_device(ours.device) is ours
    assert links.every == [theirs, ours]
    links.ended(theirs)
    links.remove(theirs)
    assert links.every == [ours]
    links.ended(ours)
    assert links.of_device(ours.device) is None


def test_links_with_one_device_are_bounded_until_they_are_gone() -> None:
    links = OpenLinks()
    made = [link(1) for _ in range(limits.DATA_LINKS_PER_DEVICE)]
    for one in made:
        assert links.refusal(one.device, is_ours=False) is None
        links.add(one)
    assert links.refusal(made[0].device, is_ours=False) is Code.FLOOD
    assert links.refusal(link(2).device, is_ours=False) is None
    links.remove(made[0])
    assert links.refusal(made[0].device, is_ours=False) is None


def test_all_links_are_bounded_and_some_places_are_ours() -> None:
    links = OpenLinks()
    late = link(10_000)
    for number in range(limits.DATA_LINKS - limits.TRANSFERS_AT_ONCE):
        assert links.refusal(late.device, is_ours=False) is None
        links.add(link(number))
    assert links.refusal(late.device, is_ours=False) is Code.TOO_MANY_TRANSFERS
    for number in range(limits.TRANSFERS_AT_ONCE):
        assert links.refusal(late.device, is_ours=True) is None
        assert not links.is_full
        links.add(link(1000 + number, is_ours=True))
    assert links.refusal(late.device, is_ours=True) is Code.TOO_MANY_TRANSFERS
    assert links.is_full
    links.close(IdentityKey(bytes(32)), Code.NOT_ADMITTED)
    assert {code for one in links.every for code in closed(one)} == {Code.NOT_ADMITTED}


def test_what_goes_through_the_relay_ends_once_there_is_a_better_way() -> None:
    links = OpenLinks()
    relayed, direct, other = link(1, path="relayed"), link(2), link(3, path="relayed")
    for one in (relayed, direct, other):
        links.add(one)
    links.close_relayed(DeviceId((1).to_bytes(16, "big")))
    links.close_relayed(DeviceId((2).to_bytes(16, "big")))
    assert [closed(one) for one in (relayed, direct, other)] == [[Code.LINK_REPLACED], [], []]
