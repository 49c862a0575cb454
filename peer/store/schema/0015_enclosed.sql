-- What letters hold beside events is given again where a letter did not open: nobody answers it, so nothing else tells.

-- Receipts, nacks and the key of our address records, each in the last letter it was in, until a link says it all or it is too old.
CREATE TABLE enclosed (
    item BLOB NOT NULL,         -- 16 bytes: the letter
    device BLOB NOT NULL,       -- 16 bytes: for whom
    conversation INTEGER REFERENCES conversations (number),  -- of a receipt; NULL for all else
    nack BLOB,                  -- 16 bytes: the item that a nack names; NULL for all else, both: the key
    at INTEGER NOT NULL         -- when it was left
) STRICT;
CREATE INDEX enclosed_by_item ON enclosed (item);
CREATE INDEX enclosed_by_device ON enclosed (device);

ALTER TABLE owed_receipts ADD COLUMN is_again INTEGER NOT NULL DEFAULT 0;  -- 1: it was in a letter that did not open
ALTER TABLE owed_nacks ADD COLUMN is_again INTEGER NOT NULL DEFAULT 0;     -- 1: it was in a letter that did not open

-- 0: as far as known it came; 1: it was in a letter that did not open, and is owed again; 2: it was given again.
ALTER TABLE shown_to ADD COLUMN unopened INTEGER NOT NULL DEFAULT 0;
