"""Transfers of a peer: disk, policy and the threads that move bytes; the rules are `wire.transfer`.

    manager     policy: what a person may do with offers, what is due, what became of it
    stopping    policy: taking back, calling off, holding
    heard       what events about offers lead to
    offerings   the rows of offers
    ledger      the rows of transfers
    survey      what is offered, looked at once: walks folders, pins files
    shelf       keeps it below the home, so that it can be served after any restart
    streams     what came from stdin, as long as somebody may come for it
    digestlog   digests of what was read of it, so that another life reads none again
    source      reads it, and notices when a file is not the one that was offered
    paths       where a received name may land: the one function
    sink        where it lands: part files, journal, syncs, the rename that refuses to replace; with
                workplace, parts, notes, journal, restoring, unsynced, landing, rename, promised, and the port disk
    incoming    one transfer that comes: `wire.transfer.Receiver` married to a sink
    flushing    a thread that brings it to the disk
    askers      the links it asks over; asking: which those are, and what each brought, for people and the log
    assembling  its manifest, from one source after another; landfall: its place on the disk, open
    sharing     who else may have an offer, and who may be lent what came of it here
    lent        lending that; taken: the notes by which another life can
    fetching    which of those that come may run now, and whom each asks
    outgoing    what one link serves: `wire.transfer.Sender` married to files
    serving     what is served to whom, and what becomes of the sender's rows
    talk        what one link is about: what comes and what leaves over it
    spares      for whom a link is punched ahead of need, and kept
    bulk        one open data link: a thread that receives and a thread that sends; inlet and outlet are its ends,
                speech seals what leaves
    verdicts    what the accept policy says of an offer; policy does it
    underway    which transfers that come are open, closing or set aside
    outcomes    what becomes of transfers that come; reports are what they tell
    tidying     takes away what nobody needs any more
    figures     how far transfers are, for faces and database; rate measures how fast, pace holds back

`peer.transfers.datalinks` owns the data links (asyncio for dialling and handshakes, `peer.transfers.datadialer`; which of them
stand, `peer.transfers.openlinks`; threads for the bytes) and is all that the node drives. Nothing here runs on the node's loop for longer than a small
query; nothing here knows faces, the tracker or control links.

The two halves meet in the book. Verbs (`peer.transfers.files`) look at files in a thread, keep them on the shelf,
then call `manager` inside one database write: the offer, and the receiver's answer to it, are events of the
conversation, so the log delivers them however often either side is away. `heard` keeps the book as events
are shown, on both sides alike, and its effect `WakeTransfers` makes the data links look at what is due:
the receiver dials, fetches the manifest, then chunks, and says `finished`, whose answer DONE ends the
sender's row. Figures go to the database about once a second; a crash costs figures, never bytes, since the
journal beside the part files knows those. A receiver that cannot go on answers FAILED, and ACCEPTED again
when a person begins it anew.
"""
