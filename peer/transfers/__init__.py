"""Transfers of a peer: disk, policy and the threads that move bytes; the rules are `wire.transfer`.

    manager     policy: plain functions over the store and `now`; what to start, what to say, what to show
    source      what is offered: walks folders, pins files, reads them; `shelf` keeps it below the home
    paths       where a received name may land: the one function
    sink        where it lands: one transfer's bytes, syncs and final names; what it is made of:
                workplace (the work folder, no link followed), parts (files under way), unsynced (what is
                to be synced), journal and notes (written and read), restoring (journal against disk),
                landing and rename (names that replace nothing), disk (the port to the system)
    incoming    one transfer that comes: `wire.transfer.Receiver` married to a sink
    outgoing    one offer that leaves: its files, digests and signatures, for any number of links
    bulk        one open data link: a thread that receives and a thread that sends, reused buffers
    rate        measured rate and what is left of it

`peer.datalinks` owns the data links (asyncio for dialling and handshakes, threads for the bytes) and is
all that the node drives. Nothing here runs on the node's loop for longer than a small query; nothing
here knows faces, the tracker or control links.

What the node calls
===================

Verbs, inside one `database.write(...)` each (they take the connection first, return `(result,
effects)` and raise PeerError); files are looked at before, in a thread:

    survey = await asyncio.to_thread(source.survey, paths, name)             # PeerError; .skipped
    survey = await asyncio.to_thread(source.survey_stream, stdin, name, home)  # `send -`
    shelf.keep(home, offer_id, survey)       # in the same thread: durable before the event is
    manager.offer(connection, me, to_names, offer_id, survey, now, entropy) -> (api.OfferMade, effects)
    manager.accept(connection, me, offer_prefix, folder, now, entropy)      -> (api.Offer, effects)
    manager.decline(connection, me, offer_prefix, now, entropy)             -> (api.Offer, effects)
    manager.transfers(connection, live=None) -> list[api.Transfer]           # a read

`folder` is an absolute path; `paths.check_folder(folder, home)` (in a thread, before) refuses one that
cannot be written or holds this home's own state.

A running node has one `TransferLinks`:

    links = TransferLinks(home=home, database=database, me=device_keys, neighbours=..., tell=...,
                      carry_out=..., entropy=..., wall=..., downloads=...)
    async with links: ...                    # owns its tasks and threads; leaving closes them cleanly
    links.wake(offer=None)                   # the effect WakeTransfers
    links.friend_arrived(identity, device)   # a control link opened
    links.friend_left(identity, device)      # ... or ended
    links.asked_to_dial(device, signed)      # AskDial came on a control link
    links.take(sock, leftover)               # the listener met a preamble of purpose DATA: a connected
                                             # non-blocking socket and the bytes already read from it
    links.transfers() -> list[api.Transfer]  # with live rates; `tell` is called with each change
                                             # (throttled to 4 a second and transfer)

`neighbours` is what the node lends (`peer.datalinks.Neighbours`, a Protocol): link configurations for data
links, who may open one, candidates of a device, sending on a control link. `carry_out` is a coroutine
function that carries out a list of effects after a commit.
"""
