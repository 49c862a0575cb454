-- What was said, by its words; and bodies that went on purpose.

-- 0 where a body is here or never came; else when it was dropped: nobody's copy is wanted then.
ALTER TABLE events ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;

-- Lines whose words are in the index, in the order in which they are given: by the time they were said.
CREATE TABLE words (
    place INTEGER PRIMARY KEY,  -- milliseconds * 2^20, and a number that makes it unique
    event INTEGER NOT NULL UNIQUE REFERENCES events (number),
    folded TEXT NOT NULL        -- as peer/words.py folds them: what the index has to be told to forget them
) STRICT;

-- Cuts at blanks alone. It keeps no copy of the texts, and nothing to rank by: the newest comes first.
CREATE VIRTUAL TABLE found USING fts5(
    folded,                     -- of `words`
    content = 'words', content_rowid = 'place', tokenize = 'ascii', columnsize = 0  -- settings
);

-- How far the index is. One row.
CREATE TABLE search (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    high INTEGER NOT NULL,      -- every event up to this number was looked at
    purge INTEGER NOT NULL      -- 1: words were forgotten since its pieces were merged; 2: merging has begun
) STRICT;
INSERT INTO search (one, high, purge) VALUES (1, 0, 0);
