-- Logs made whole: events that wait for what their author had seen, gaps, forks, other devices of the
-- own account, and who is known to have what.

-- --- a person may show another identity one day: that is another conversation with the same contact

CREATE TABLE conversations_whole (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,    -- 32 bytes
    contact INTEGER NOT NULL REFERENCES contacts (number),  -- the other person
    identity BLOB NOT NULL,     -- 32 bytes: of the other person when it began; the id derives from it
    clock INTEGER NOT NULL DEFAULT 0,  -- highest of any event stored here
    epoch BLOB,                 -- the run this device writes in here; NULL: the one in `place`
    rejected INTEGER NOT NULL DEFAULT 0  -- events that were refused, ever
) STRICT;
INSERT INTO conversations_whole (number, id, contact, identity, clock)
    SELECT v.number, v.id, v.contact, c.identity, v.clock FROM conversations v
    JOIN contacts c ON c.number = v.contact;
DROP TABLE conversations;
ALTER TABLE conversations_whole RENAME TO conversations;
CREATE INDEX conversations_by_contact ON conversations (contact);

-- --- chains

ALTER TABLE chains DROP COLUMN is_forked;
ALTER TABLE chains ADD COLUMN forked_at INTEGER NOT NULL DEFAULT 0;  -- lowest place with two events; 0: none
ALTER TABLE chains ADD COLUMN void_to INTEGER NOT NULL DEFAULT 0;  -- up to here others told us they never send it

-- --- events

ALTER TABLE events ADD COLUMN held INTEGER NOT NULL DEFAULT 0;  -- until then it waits to be shown; 0: shown
ALTER TABLE events ADD COLUMN is_clock_off INTEGER NOT NULL DEFAULT 0;  -- 1: `at` cannot be true
CREATE INDEX events_held ON events (held) WHERE held > 0;
CREATE INDEX events_rival ON events (chain, seq) WHERE is_fork = 1;
CREATE INDEX events_as_stored ON events (conversation);

-- What stored events name as seen before them and is not shown here: where a gap is visible.
CREATE TABLE lacks (
    missing BLOB NOT NULL,      -- 32 bytes, id of the event that is not here
    event INTEGER NOT NULL REFERENCES events (number),  -- which names it
    PRIMARY KEY (missing, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX lacks_by_event ON lacks (event);

-- --- who has what

-- What each device receipted last, chain by chain; one that went back in time has less than it had.
CREATE TABLE reaches (
    conversation INTEGER NOT NULL REFERENCES conversations (number),
    device BLOB NOT NULL,       -- 16 bytes: whose chain
    epoch BLOB NOT NULL,        -- 8 bytes: which run
    witness BLOB NOT NULL,      -- 16 bytes: the device that signed for it
    high INTEGER NOT NULL,      -- up to here it had everything
    PRIMARY KEY (conversation, device, epoch, witness)
) STRICT, WITHOUT ROWID;

-- What is not delivered: few rows however long the history is.
CREATE INDEX outbox_undelivered ON outbox (contact, event) WHERE state IN ('queued', 'sent', 'failed');

-- Events of this account's chains that others say they have and that are not here: until they are, receipts of
-- such a chain may mean another line than the one that is here.
CREATE TABLE doubts (
    chain INTEGER NOT NULL REFERENCES chains (number),
    witness BLOB NOT NULL,      -- 16 bytes: the device that says so
    id BLOB NOT NULL,           -- 32 bytes, of the event
    PRIMARY KEY (chain, witness, id)
) STRICT, WITHOUT ROWID;

-- Every run of sequence numbers under this device's id, ours and those of a copy of this home.
CREATE TABLE epochs (
    epoch BLOB PRIMARY KEY,     -- 8 bytes
    taken INTEGER NOT NULL,     -- when this home began it; 0 for one it did not begin
    is_foreign INTEGER NOT NULL DEFAULT 0  -- 1: another copy of this home writes in it
) STRICT, WITHOUT ROWID;
INSERT INTO epochs (epoch, taken) SELECT epoch, 0 FROM place;

-- Events that were refused, so that one that comes again is not counted again.
CREATE TABLE rejections (
    conversation INTEGER NOT NULL REFERENCES conversations (number),
    digest BLOB NOT NULL,       -- SHA-256 of the header as it came
    code TEXT NOT NULL,         -- why
    at INTEGER NOT NULL,        -- when first; the oldest of many go
    PRIMARY KEY (conversation, digest)
) STRICT, WITHOUT ROWID;

-- What a person has to know about a conversation beside what was said in it.
CREATE TABLE notices (
    number INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (number),
    code TEXT NOT NULL,         -- of the closed list
    about BLOB NOT NULL,        -- what exactly, so that one thing is said once; empty for the whole
    text TEXT NOT NULL,         -- a sentence
    clock INTEGER NOT NULL,     -- it stands after the events up to this clock
    at INTEGER NOT NULL,        -- when it was noticed last
    is_read INTEGER NOT NULL DEFAULT 0,  -- 1: a person saw it
    UNIQUE (conversation, code, about)
) STRICT;
