-- The first schema of a peer's database. Times are milliseconds since 1970 UTC unless a column says
-- otherwise; identities, keys and ids are raw bytes. Flags are 0 or 1.

-- --- this home

-- Where this database is, to notice that it was copied or went back in time. One row.
CREATE TABLE place (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch BLOB NOT NULL,        -- 8 bytes: the run of sequence numbers this device writes in now
    inode INTEGER,              -- of the database file when it was opened last
    stamp BLOB,                 -- 16 random bytes, also in the file beside, new at each opening
    stamp_inode INTEGER         -- of that file
) STRICT;

-- The account and this device, as far as it is public; secrets are in the key file. One row.
CREATE TABLE own (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL,         -- account name, folded
    tracker TEXT,               -- its address with key; NULL for a local account
    identity BLOB NOT NULL,     -- 32 bytes, Ed25519 public
    device BLOB NOT NULL,       -- 16 bytes
    certificate BLOB NOT NULL,  -- of this device, signed bytes
    device_list BLOB NOT NULL,  -- of the account, signed bytes, newest known
    list_counter INTEGER NOT NULL,   -- of that list; only goes up
    vault BLOB,                 -- sealed key vault; NULL if never seen
    vault_counter INTEGER NOT NULL DEFAULT 0,  -- of that vault; only goes up
    state_version INTEGER NOT NULL DEFAULT 0,  -- of the account state at the tracker, last merged
    is_logged_in INTEGER NOT NULL DEFAULT 1,   -- 0 after logout: kept, but nothing is dialled
    counter INTEGER NOT NULL DEFAULT 0,  -- last given to a receipt or an address record; only goes up
    made INTEGER NOT NULL       -- when this home got the account
) STRICT;

-- The sealed account state in the clear: a map that all own devices share.
CREATE TABLE settings (
    key TEXT PRIMARY KEY,       -- see peer/store/settings.py for those in use
    value BLOB NOT NULL,        -- MessagePack
    clock INTEGER NOT NULL,     -- logical: highest (clock, device) wins
    device BLOB NOT NULL,       -- 16 bytes: who set it
    is_put INTEGER NOT NULL DEFAULT 0  -- 1 once the tracker holds this value
) STRICT, WITHOUT ROWID;

-- What must reach the tracker, in order, kept until it answers.
CREATE TABLE asks (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    message INTEGER NOT NULL,   -- number of the message in wire/messages
    fields BLOB NOT NULL,       -- its record as wire/codec encodes it, request id 0
    name TEXT NOT NULL,         -- the account it is about
    made INTEGER NOT NULL       -- when
) STRICT;
CREATE INDEX asks_by_name ON asks (name, message);

-- What verbs have done, by the id they came with: one that lost its node asks again and gets this.
CREATE TABLE done (
    command TEXT PRIMARY KEY,   -- 32 hex digits, drawn by the verb
    result TEXT NOT NULL,       -- JSON, as it was given
    at INTEGER NOT NULL         -- when; rows of former days go
) STRICT, WITHOUT ROWID;

-- --- people and their machines

-- Everybody we know by name; rows stay after a friendship ends, for the history's sake.
CREATE TABLE contacts (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,  -- account name at our tracker
    identity BLOB,              -- the pin, 32 bytes; NULL while asked by name and not answered
    claimed BLOB,               -- another identity that was claimed for this name: nothing is sent until
                                -- a person accepts it; NULL when all is well
    state TEXT NOT NULL CHECK (state IN ('asked_out', 'asked_in', 'friends', 'removed', 'blocked')),
    verified BLOB,              -- the identity whose safety number was compared; counts if it is the pin
    is_by_code INTEGER NOT NULL DEFAULT 0,   -- 1: pinned from a friend code, not by a tracker's word
    note TEXT NOT NULL DEFAULT '',   -- words of the request that waits
    request BLOB,               -- the signed friend request that waits: mine (asked_out) or theirs (asked_in)
    asked INTEGER,              -- when that request was made
    since INTEGER NOT NULL,     -- when `state` became what it is
    is_listed INTEGER NOT NULL DEFAULT 0,    -- 1 once the tracker listed this friendship
    shown INTEGER NOT NULL DEFAULT 0,        -- wire.messages.presence.Show, last told; 0 offline
    text TEXT NOT NULL DEFAULT '',           -- what goes with it
    last_seen INTEGER NOT NULL DEFAULT 0,    -- when last online; 0 never
    device_list BLOB,           -- newest known, signed bytes
    list_counter INTEGER NOT NULL DEFAULT 0  -- of that list; only goes up
) STRICT;
CREATE INDEX contacts_by_identity ON contacts (identity);

-- Friend requests seen, so that none works twice.
CREATE TABLE nonces (
    nonce BLOB PRIMARY KEY,     -- 16 bytes of the request
    until INTEGER NOT NULL      -- when the request is too old anyway and this row may go
) STRICT, WITHOUT ROWID;

-- Every device whose certificate we verified, own ones included.
CREATE TABLE devices (
    device BLOB PRIMARY KEY,    -- 16 bytes; belongs to one identity for ever
    identity BLOB NOT NULL,     -- 32 bytes: whose it is
    certificate BLOB NOT NULL,  -- signed bytes
    link_key BLOB NOT NULL,     -- 32 bytes, X25519 public
    signing_key BLOB NOT NULL,  -- 32 bytes, Ed25519 public
    name TEXT NOT NULL,         -- what its owner calls it
    made INTEGER NOT NULL,      -- the certificate's time
    is_listed INTEGER NOT NULL DEFAULT 0,  -- 1: on its owner's newest list and not revoked
    revoked INTEGER NOT NULL DEFAULT 0,    -- when revoked by its owner's list; 0 never
    addresses BLOB,             -- newest address record, signed bytes; NULL if none known
    address_counter INTEGER NOT NULL DEFAULT 0,  -- of that record; only goes up
    is_online INTEGER NOT NULL DEFAULT 0   -- the tracker's word, only good while our link to it lasts
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_by_identity ON devices (identity);
CREATE UNIQUE INDEX devices_by_link_key ON devices (link_key);

-- --- conversations as replicated logs

CREATE TABLE conversations (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,    -- 32 bytes
    contact INTEGER NOT NULL UNIQUE REFERENCES contacts (number),  -- the other person
    clock INTEGER NOT NULL DEFAULT 0  -- highest of any event stored here
) STRICT;

-- One run of sequence numbers of one device in one conversation: a row of the vector.
CREATE TABLE chains (
    number INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (number),
    device BLOB NOT NULL,       -- 16 bytes: whose run
    epoch BLOB NOT NULL,        -- 8 bytes: which run
    author BLOB NOT NULL,       -- 32 bytes: identity of that device
    floor INTEGER NOT NULL DEFAULT 0,  -- below it nothing is missing
    high INTEGER NOT NULL DEFAULT 0,   -- up to here everything is stored
    high_id BLOB NOT NULL DEFAULT x'', -- id of the event at `high`; empty when there is none
    is_forked INTEGER NOT NULL DEFAULT 0,  -- 1: its device signed two events for one place
    UNIQUE (conversation, device, epoch)
) STRICT;

CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order in which they were stored here
    id BLOB NOT NULL UNIQUE,    -- 32 bytes
    conversation INTEGER NOT NULL REFERENCES conversations (number),
    chain INTEGER NOT NULL REFERENCES chains (number),
    seq INTEGER NOT NULL,       -- from 1, without holes in its chain
    clock INTEGER NOT NULL,     -- logical; first part of the display order
    device BLOB NOT NULL,       -- 16 bytes, of the author; second part of the display order
    kind INTEGER NOT NULL,      -- wire.log.event.EventKind
    at INTEGER NOT NULL,        -- the author's wall clock, a label only
    header BLOB NOT NULL,       -- signed bytes as received
    body BLOB,                  -- salt and content; NULL: body gone
    is_own INTEGER NOT NULL,    -- 1: written by this account
    received INTEGER NOT NULL,  -- our wall clock when it was stored
    is_read INTEGER NOT NULL DEFAULT 0,  -- 1: a person read it here or on another own device
    is_fork INTEGER NOT NULL DEFAULT 0   -- 1: its place was taken by another event already
) STRICT;
CREATE UNIQUE INDEX events_by_place ON events (chain, seq) WHERE is_fork = 0;
CREATE INDEX events_in_order ON events (conversation, clock, device, id);
CREATE INDEX events_unread ON events (conversation) WHERE is_read = 0;

-- Events that no event stored here names as a parent: what the next own event names.
CREATE TABLE heads (
    event INTEGER PRIMARY KEY REFERENCES events (number),
    conversation INTEGER NOT NULL REFERENCES conversations (number)
) STRICT;
CREATE INDEX heads_by_conversation ON heads (conversation);

-- Proofs that a device signed two events for one place.
CREATE TABLE forks (
    chain INTEGER NOT NULL REFERENCES chains (number),
    seq INTEGER NOT NULL,       -- the place
    first BLOB NOT NULL,        -- signed header
    second BLOB NOT NULL,       -- signed header, another one
    found INTEGER NOT NULL,     -- when
    PRIMARY KEY (chain, seq)
) STRICT, WITHOUT ROWID;

-- The newest receipt of each device in each conversation.
CREATE TABLE receipts (
    conversation INTEGER NOT NULL REFERENCES conversations (number),
    device BLOB NOT NULL,       -- 16 bytes: who signed
    counter INTEGER NOT NULL,   -- newest wins
    signed BLOB NOT NULL,       -- as received
    received INTEGER NOT NULL,  -- when
    PRIMARY KEY (conversation, device)
) STRICT, WITHOUT ROWID;

-- How far each of our own events came, one row per recipient (a person, not a device).
CREATE TABLE outbox (
    event INTEGER NOT NULL REFERENCES events (number),
    contact INTEGER NOT NULL REFERENCES contacts (number),
    state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'delivered', 'read', 'failed')),
    since INTEGER NOT NULL,     -- when it was said, or said again: 30 days later it has failed
    changed INTEGER NOT NULL,   -- when `state` became what it is
    PRIMARY KEY (event, contact)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_waiting ON outbox (contact, since) WHERE state IN ('queued', 'sent');
