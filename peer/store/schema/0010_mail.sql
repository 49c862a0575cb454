-- Mail: keys that others seal to, and how far each device was written to over the tracker.

-- Private halves of prekeys; of a one-time one the row goes in the transaction that stores what it opened.
CREATE TABLE prekeys (
    number INTEGER PRIMARY KEY AUTOINCREMENT,  -- as published; never given twice
    private BLOB NOT NULL,      -- 96 bytes, secret
    is_one_time INTEGER NOT NULL,   -- 0: a weekly one
    made INTEGER NOT NULL,      -- when
    replaced INTEGER NOT NULL DEFAULT 0,  -- when another weekly one took over; 0: none did
    is_put INTEGER NOT NULL DEFAULT 0  -- 1 once the tracker has the public half
) STRICT;

-- How far the own chains were left for each device, beside what it receipted.
CREATE TABLE mailed (
    chain INTEGER NOT NULL REFERENCES chains (number),  -- of this device
    device BLOB NOT NULL,       -- 16 bytes: for whom
    high INTEGER NOT NULL,      -- up to here it was left for that device
    nacked INTEGER NOT NULL DEFAULT 0,  -- from here on it could not be opened once; 0: nothing
    PRIMARY KEY (chain, device)
) STRICT, WITHOUT ROWID;

-- What each item held, until it is receipted or too old: a nack names the item alone.
CREATE TABLE parcels (
    item BLOB NOT NULL,         -- 16 bytes
    chain INTEGER NOT NULL REFERENCES chains (number),
    device BLOB NOT NULL,       -- 16 bytes: for whom
    first INTEGER NOT NULL,     -- place
    last INTEGER NOT NULL,      -- place
    at INTEGER NOT NULL,        -- when it was left
    PRIMARY KEY (item, chain)
) STRICT, WITHOUT ROWID;
CREATE INDEX parcels_at ON parcels (at);

-- Receipts that are owed to a device whose mail was taken.
CREATE TABLE owed_receipts (
    device BLOB NOT NULL,       -- 16 bytes: to whom
    conversation INTEGER NOT NULL REFERENCES conversations (number),
    PRIMARY KEY (device, conversation)
) STRICT, WITHOUT ROWID;

-- Items that did not open: their sender is asked once to seal them again.
CREATE TABLE owed_nacks (
    device BLOB NOT NULL,       -- 16 bytes: to whom
    item BLOB NOT NULL,         -- 16 bytes
    PRIMARY KEY (device, item)
) STRICT, WITHOUT ROWID;
