-- Who may read where this machine can be dialled: address records are sealed under a key that friends are given.

-- The key of that device's own records, 32 bytes, as it gave it to us; NULL: it did not.
ALTER TABLE devices ADD COLUMN address_key BLOB;

-- The devices that this one gave its key to, and when; those of former keys stay as a record of it.
CREATE TABLE shown_to (
    number INTEGER NOT NULL,    -- of the key
    device BLOB NOT NULL,       -- 16 bytes: to whom
    identity BLOB NOT NULL,     -- 32 bytes: whose it is
    at INTEGER NOT NULL,        -- when
    PRIMARY KEY (number, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX shown_to_at ON shown_to (at);
