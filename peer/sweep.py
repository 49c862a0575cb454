"""What a node looks for every second: what waited long enough, what a verb left for it, whom to dial again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from peer import conversations
from peer.effects import Effect
from peer.history import indexing
from peer.linking import Linking
from peer.log import retention
from peer.mail import restored
from peer.people import reissuing
from peer.reach.moved import Surroundings
from peer.store import done
from peer.store.database import Database
from peer.talk import seen
from peer.times import wall
from peer.uplink import Uplink
from wire.identity import DeviceKeys
from wire.machine import Entropy

SWEEP_S = 1.0
FORGET_S = 3600.0
"""How often results of commands are looked through for those nobody asks for again."""


async def sweep(
    database: Database,
    keys: DeviceKeys,
    linking: Linking,
    uplink: Uplink,
    *,
    carry_out: Callable[[list[Effect]], None],
    entropy: Entropy,
) -> None:
    """Do what time asks for, until cancelled. carry_out: does what a commit asked for."""
    loop = asyncio.get_running_loop()
    forget_at = loop.time()
    patience = retention.Patience(loop.time(), wall())
    while True:
        if loop.time() >= forget_at:
            await database.write_patiently(done.forget, wall())
            forget_at = loop.time() + FORGET_S
        carry_out(await database.write_patiently(conversations.expire, wall()))
        if database.read(reissuing.is_due, keys):
            effects = await database.write_patiently(reissuing.reissue, keys, wall(), entropy)
            carry_out(effects)
        if database.read(seen.is_due):  # a verb without keys read it
            devices = linking.devices()
            carry_out(await database.write_patiently(seen.tell, keys, devices, wall()))
        if database.read(restored.is_due):
            devices = linking.devices()
            carry_out(await database.write_patiently(restored.tell, keys, devices, wall()))
        if patience.is_due(loop.time(), wall()):
            count = await database.write_patiently(retention.drop_old, wall())
            patience.looked(loop.time(), is_more=count == retention.BATCH)
            if 0 < count < retention.BATCH:
                await database.scrub()
        if database.read(indexing.is_behind):
            await database.write_patiently(indexing.keep)
        surroundings = Surroundings()
        uplink.cut_lost(surroundings)
        linking.cut_lost(surroundings)
        linking.want_all()
        due = database.read(conversations.next_tick)
        wait_s = SWEEP_S if due is None else min((due - wall()) / 1000, SWEEP_S)
        await asyncio.sleep(max(wait_s, 0.0))
