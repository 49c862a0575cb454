-- Files: what was offered in which conversation, and how far each transfer is. The bytes' own journal
-- stands beside the part files; chunks are no business of this database.

-- Offers of both directions, one row per offer and conversation.
CREATE TABLE offers (
    number INTEGER PRIMARY KEY,
    offer BLOB NOT NULL,        -- 16 bytes, random; the same in every conversation of one `send`
    device BLOB NOT NULL,       -- 16 bytes: who offers
    conversation INTEGER NOT NULL REFERENCES conversations (number),
    event INTEGER NOT NULL REFERENCES events (number),  -- that made the offer
    is_own INTEGER NOT NULL,    -- 1: a device of this account offers
    title TEXT NOT NULL,        -- as its author wrote it
    files INTEGER NOT NULL,     -- how many; folders do not count
    size INTEGER NOT NULL,      -- bytes of all files together
    manifest_size INTEGER NOT NULL,  -- bytes
    manifest_digest BLOB NOT NULL,   -- 32 bytes, BLAKE3
    top_names TEXT NOT NULL,    -- JSON list of at most 32 names: a glimpse, the manifest has them all
    recipients BLOB NOT NULL,   -- 32 bytes each: identities of the others who got the same offer
    state TEXT NOT NULL CHECK (state IN ('offered', 'accepted', 'declined', 'withdrawn', 'done')),
    at INTEGER NOT NULL,        -- when it was offered: the author's wall clock, a label
    UNIQUE (offer, device, conversation)
) STRICT;
CREATE INDEX offers_by_conversation ON offers (conversation, is_own, state);

-- Transfers, one per offer and friend: outgoing ones from the offer on, incoming ones once accepted here.
CREATE TABLE transfers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- the queue's order: lower goes first
    id BLOB NOT NULL UNIQUE,    -- 16 bytes, derived from offer and receiver: the same at both ends
    offer INTEGER NOT NULL REFERENCES offers (number),
    contact INTEGER NOT NULL REFERENCES contacts (number),  -- the friend at the other end
    is_out INTEGER NOT NULL,    -- 1: it leaves this account
    state TEXT NOT NULL,        -- wire.transfer.states
    reason TEXT,                -- what a waiting one waits for; NULL for all others
    code TEXT,                  -- why it failed or was called off; NULL for all others
    detail TEXT,                -- the code's sentence, more exactly; NULL where there is none
    folder BLOB,                -- path of the folder it lands in, in the system's bytes; NULL if outgoing
    saved_as BLOB,              -- path of the file or top folder; NULL before it stands
    files_done INTEGER NOT NULL DEFAULT 0,      -- verified whole
    verified_bytes INTEGER NOT NULL DEFAULT 0,  -- that the receiver has and has checked
    resent_bytes INTEGER NOT NULL DEFAULT 0,    -- that were asked for more than once
    skipped TEXT NOT NULL DEFAULT '[]',         -- JSON list of {"path", "reason"}: what the sender left out
    made INTEGER NOT NULL,      -- when this row was
    started INTEGER,            -- when bytes were first asked for
    ended INTEGER,              -- when it ended, however it did
    UNIQUE (offer, contact)
) STRICT;
CREATE INDEX transfers_open ON transfers (is_out, number) WHERE ended IS NULL;

-- Withdrawals and answers: an offer that is shown after them still has to learn of them.
CREATE INDEX events_about_offers ON events (conversation, clock) WHERE kind IN (6, 7);
