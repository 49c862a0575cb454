"""What a peer remembers: one SQLite file below its home, and the questions asked of it.

    database    the file: opening, one writer thread with group commit, one reader
    opening     what is checked and migrated before anything is read
    memory      the twin without a file, for the simulated network: crash is rollback
    schema/     the tables, each step of the schema in a file, every column commented
    own         who this home is: account, device, the epoch it writes in, its counters
    contacts    people: pins, states, what they last showed
    devices     machines: certificates, whether listed, where they can be dialled
    events      conversations, chains, events, what waits for what, heads
    receipts    what each device has of each chain, by its signed word
    outbox      how far each of our own events came
    offers      offers in conversations and how they stand
    progress    transfers and how far they are
    asks        what must reach the tracker, however long that takes
    settings    the rows of the sealed account state

Every function takes a connection first and neither commits nor begins: whoever calls it owns the
transaction. So the simulated network runs the very same functions over memory. What a row means and
what follows from it is decided above, in `peer.contacts`, `peer.conversations`, `peer.syncing`,
`peer.outbox` and `peer.offers`.
"""
