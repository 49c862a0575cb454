-- What events say of other events, and how far people saw what was said.

-- Edits, deletes, reactions and pins that were shown here, by what they speak of; it need not be here. Which of them
-- counts is asked in the order of the key: nothing has to be worked out when they come late or twice.
CREATE TABLE abouts (
    conversation INTEGER NOT NULL REFERENCES conversations (number),
    target BLOB NOT NULL,       -- 32 bytes: id of the event that is spoken of
    kind INTEGER NOT NULL,      -- wire.log.event.EventKind of the one that speaks
    author BLOB NOT NULL,       -- 32 bytes: identity of who wrote that one
    clock INTEGER NOT NULL,     -- of that one; with device and id the order in which they count
    device BLOB NOT NULL,       -- 16 bytes
    id BLOB NOT NULL,           -- 32 bytes
    PRIMARY KEY (conversation, target, kind, author, clock, device, id)
) STRICT, WITHOUT ROWID;

-- Up to here a person saw what is in a chain: of others' chains, this account on any of its devices; of this account's
-- chains, the other person, as their devices signed.
ALTER TABLE chains ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;

-- What a witness said that its person saw of the chain.
ALTER TABLE reaches ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;

-- 1: what was seen here changed since the last receipt was signed.
ALTER TABLE conversations ADD COLUMN is_seen_news INTEGER NOT NULL DEFAULT 0;

-- Unread are words and offers alone; what speaks of them is not.
UPDATE events SET is_read = 1 WHERE is_read = 0 AND kind NOT IN (1, 5);
DROP INDEX events_unread;
CREATE INDEX events_unread ON events (conversation, chain, seq) WHERE is_read = 0;
