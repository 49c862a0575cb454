"""What a peer remembers: one SQLite file below its home, and the questions asked of it.

    database    the file: one writer thread with group commit, one reader
    writer      that thread: batches, savepoints, which commits are synced before anybody hears of them
    opening     what is checked and migrated before anything is read
    place       noticing that the file was copied or went back in time
    failures    what SQLite's complaints mean to a person
    memory      the twin without a file, for the simulated network: crash is rollback
    schema/     the tables, each step of the schema in a file, every column commented
    own         who this home is: account, device, the epoch it writes in, its counters
    devices     machines: certificates, whether listed, where they can be dialled
    done        commands that were carried out, so that none is carried out twice

Every function takes a connection first and neither commits nor begins: whoever calls it owns the
transaction. So the simulated network runs the very same functions over memory. What a row means and
what follows from it is decided above, in `peer.people.contacts`, `peer.people.roster`, `peer.conversations`,
`peer.log.syncing`, `peer.history.history` and `peer.asks`.
"""
