"""What the commands about files mean on a running node: offers, answers, transfers, and waiting for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, get_args

from peer import api
from peer.errors import PeerError
from peer.settings import configuring
from peer.store import done
from peer.talk import saying
from peer.times import wall
from peer.transfers import manager, offerings, stopping
from peer.transfers.paths import check_folder
from peer.transfers.shelf import Shelf
from peer.transfers.survey import survey
from peer.transfers.tidying import Tidying
from wire.codes import Code
from wire.ids import OfferId, account_name
from wire.transfer import manifest

if TYPE_CHECKING:
    from peer.node import Node

Events = asyncio.Queue[api.Event]

TELL_S = 5.0
"""How long a verb that runs its own node stays for its answer to reach the friend."""

ENDED = frozenset({"done", "declined", "cancelled", "failed"})


FileCommand: TypeAlias = (
    api.OfferFiles
    | api.AcceptOffer
    | api.DeclineOffer
    | api.WithdrawOffer
    | api.ListTransfers
    | api.CancelTransfer
    | api.PauseTransfer
    | api.ResumeTransfer
)
COMMANDS: tuple[type[FileCommand], ...] = get_args(FileCommand)
WORDS = (api.OfferFiles, api.AcceptOffer, api.DeclineOffer, api.WithdrawOffer)
"""What is said to friends, and so not by a device that was taken off; the rest this machine does for itself."""


async def carry_out(
    node: Node, command: FileCommand, request_id: str
) -> AsyncGenerator[api.Result, None]:
    """Carry out one of these commands, see `peer.commands`."""
    if isinstance(command, WORDS):
        saying.check_may_write(node)
    async with aclosing(_results(node, command, request_id)) as results:
        async for result in results:
            yield result


def _results(node: Node, command: FileCommand, request_id: str) -> AsyncGenerator[api.Result, None]:
    match command:
        case api.OfferFiles():
            return offer(node, command, request_id)
        case api.AcceptOffer():
            return accept(node, command, request_id)
        case api.DeclineOffer():
            return decline(node, command, request_id)
        case api.WithdrawOffer():
            return withdraw(node, command, request_id)
        case api.CancelTransfer():
            return cancel(node, command, request_id)
        case api.PauseTransfer() | api.ResumeTransfer():
            return hold(node, command, request_id)
        case api.ListTransfers():
            return transfers(node, command)


async def offer(
    node: Node, command: api.OfferFiles, request_id: str
) -> AsyncGenerator[api.Result, None]:
    """Offer files; with `wait` stay until every friend has them, or an end of another kind came."""
    queue, leave = node.audience.subscribe()
    try:
        made = api.as_json(await _offered(node, command, request_id))
        yield api.Relayed({**made, "leaves_when_up": not (node.stays or command.wait)})
        if command.wait:
            offered = str(made["offer"])
            async for transfer in _until_ended(node, queue, offered, "out", command.timeout_s):
                yield transfer
    finally:
        leave()


async def accept(
    node: Node, command: api.AcceptOffer, request_id: str
) -> AsyncGenerator[api.Result, None]:
    """Take an offer; with `wait` stay until it is here and the friend knows."""
    named = Path(command.folder) if command.folder else None
    need_bytes = node.database.read(manager.need_bytes, command.offer, named)
    offered = node.database.read(offerings.find_incoming, command.offer)
    links = node.linking.data_links
    is_dialled = links is not None and links.dial_for(offered)
    chosen = named or node.database.read(configuring.downloads)
    folder = await asyncio.to_thread(_folder, node, chosen, need_bytes)
    queue, leave = node.audience.subscribe()
    try:
        taken = await node.write(
            request_id,
            manager.accept,
            node.profile.keys,
            command.offer,
            str(folder),
            wall(),
            node.entropy,
            is_aside=is_dialled,
        )
        yield taken
        if command.wait:
            id_ = offered.key.offer.hex()
            async for transfer in _until_ended(node, queue, id_, "in", None):
                yield transfer
            await _until_told(node, queue, id_)
    finally:
        leave()


async def decline(
    node: Node, command: api.DeclineOffer, request_id: str
) -> AsyncGenerator[api.Result, None]:
    """Refuse an offer; a node that runs for this alone stays a moment for the friend to learn it."""
    queue, leave = node.audience.subscribe()
    try:
        refused = await node.write(
            request_id, manager.decline, node.profile.keys, command.offer, wall(), node.entropy
        )
        yield refused
        await _settle_alone(node, queue, str(api.as_json(refused)["offer"]))
    finally:
        leave()


async def withdraw(
    node: Node, command: api.WithdrawOffer, request_id: str
) -> AsyncGenerator[api.Result, None]:
    """Take an offer back; a node that runs for this alone stays a moment for the friends to learn it."""
    queue, leave = node.audience.subscribe()
    try:
        await _keep_figures(node)
        taken = await node.write(
            request_id, stopping.withdraw, node.profile.keys, command.offer, wall(), node.entropy
        )
        offered = str(api.as_json(taken)["offer"])
        for shown in node.database.read(offerings.shown_outgoing, OfferId(bytes.fromhex(offered))):
            yield shown
        await _settle_alone(node, queue, offered)
    finally:
        leave()


async def cancel(
    node: Node, command: api.CancelTransfer, request_id: str
) -> AsyncGenerator[api.Result, None]:
    """Call a transfer off; a node that runs for this alone stays a moment for the friend to learn it."""
    queue, leave = node.audience.subscribe()
    try:
        await _keep_figures(node)
        ended = await node.write(
            request_id, stopping.cancel, node.profile.keys, command.id, wall(), node.entropy
        )
        yield ended
        await _settle_alone(node, queue, str(api.as_json(ended)["offer"]))
    finally:
        leave()


async def hold(
    node: Node, command: api.PauseTransfer | api.ResumeTransfer, request_id: str
) -> AsyncGenerator[api.Result, None]:
    """Hold a transfer, or let it go on."""
    does = stopping.pause if isinstance(command, api.PauseTransfer) else stopping.resume
    await _keep_figures(node)
    yield await node.write(request_id, does, command.id, wall())


async def transfers(node: Node, command: api.ListTransfers) -> AsyncGenerator[api.Result, None]:
    """Give every transfer, then with `follow` each change."""
    queue, leave = node.audience.subscribe()
    try:
        for transfer in _listed(node):
            yield transfer
        while command.follow:
            event = await queue.get()
            if event.event == "transfer":
                yield api.Relayed(event.body)
    finally:
        leave()


# --- inside


async def _offered(node: Node, command: api.OfferFiles, request_id: str) -> api.Result:
    """Look at the files, keep what they are, then commit the offer."""
    if request_id and (before := node.database.read(done.find, request_id)) is not None:
        return before
    to = [account_name(name) for name in command.to]
    node.database.read(manager.recipients, to)
    offer_id = OfferId(node.entropy.bytes(16))
    contents = await asyncio.to_thread(_keep, node, command, offer_id)
    try:
        return await node.write(
            request_id,
            manager.offer,
            node.profile.keys,
            to,
            offer_id,
            contents,
            wall(),
            node.entropy,
        )
    except PeerError:
        await asyncio.to_thread(_forget, node, offer_id)
        raise


def _keep(node: Node, command: api.OfferFiles, offer_id: OfferId) -> manager.Contents:
    """Survey what is offered and keep it, durably, for whoever will fetch it; runs in a thread."""
    found = survey([Path(path) for path in command.paths], command.name, node.locations.home)
    shelf = _shelf(node)
    shelf.keep(offer_id, found)
    shelf.streams.note(map(Path, command.paths), offer_id)
    return manager.Contents(
        title=found.title,
        files=found.file_count,
        size=found.size,
        top_names=found.top_names,
        manifest_size=len(found.manifest),
        manifest_digest=manifest.digest(found.manifest),
        skipped=found.skipped,
        holes=found.holes,
    )


def _forget(node: Node, offer_id: OfferId) -> None:
    """Forget what was kept for an offer that was not made."""
    shelf = _shelf(node)
    shelf.drop(offer_id)
    shelf.streams.forget(offer_id)


def _shelf(node: Node) -> Shelf:
    return Shelf(node.locations.offers, node.locations.stdin)


def _listed(node: Node) -> list[api.Transfer]:
    return node.database.read(manager.transfers, node.live())


async def _keep_figures(node: Node) -> None:
    if node.linking.data_links is not None:
        await node.linking.data_links.keep_figures()


def _folder(node: Node, chosen: Path | None, need_bytes: int) -> Path:
    """Give the folder that an offer goes to, checked; runs in a thread."""
    folder = configuring.downloads_folder(node.locations, chosen)
    check_folder(folder, node.locations.home, need_bytes)
    return folder


async def _until_ended(
    node: Node, queue: Events, offered: str, direction: str, timeout_s: float | None
) -> AsyncGenerator[api.Result, None]:
    """Give an offer's transfers with every change until all have ended; raises NOT_DONE_YET."""
    loop = asyncio.get_running_loop()
    until = None if timeout_s is None else loop.time() + timeout_s
    states: dict[str, str] = {}
    for transfer in _listed(node):
        if (transfer.offer, transfer.direction) == (offered, direction):
            states[transfer.id] = transfer.state
            yield transfer
    while not ENDED.issuperset(states.values()):
        try:
            async with asyncio.timeout_at(until):
                event = await queue.get()
        except TimeoutError as error:
            raise PeerError(Code.NOT_DONE_YET) from error
        body = event.body
        if event.event == "transfer" and (body["offer"], body["direction"]) == (offered, direction):
            states[str(body["id"])] = str(body["state"])
            yield api.Relayed(body)


async def _settle_alone(node: Node, queue: Events, offered: str) -> None:
    """Do what a full node does by itself: tell the friends what became of an offer, tidy after it."""
    if node.is_full:
        return
    tidying = Tidying(node.database, _shelf(node))
    await tidying.tidy([OfferId(bytes.fromhex(offered))], busy=())
    await _until_told(node, queue, offered)


async def _until_told(node: Node, queue: Events, offered: str) -> None:
    """Stay until all whom an offer concerns have what we said about it, as long as that is soon."""
    offer_id = OfferId(bytes.fromhex(offered))
    try:
        async with asyncio.timeout(TELL_S):
            while node.database.read(manager.has_untold_words, offer_id):
                event = await queue.get()
                while event.event != "receipt":
                    event = await queue.get()
    except TimeoutError:
        pass  # it is committed: the next node tells them
