-- The own account stands among the contacts, as number 0: whoever has several machines talks with, and sends
-- files to, themselves. It is no friend: its state is its own, and nothing that is done to friends is done to it.

CREATE TABLE contacts_whole (
    number INTEGER PRIMARY KEY,  -- 0: this account itself
    name TEXT NOT NULL UNIQUE,  -- account name at our tracker
    identity BLOB,              -- the pin, 32 bytes; NULL while asked by name and not answered
    claimed BLOB,               -- another identity that was claimed for this name: nothing is sent until
                                -- a person accepts it; NULL when all is well
    state TEXT NOT NULL CHECK (state IN ('asked_out', 'asked_in', 'friends', 'removed', 'blocked', 'own')),
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
    device_list BLOB,           -- newest known, signed bytes; of this account it stands in `own`
    list_counter INTEGER NOT NULL DEFAULT 0, -- of that list; only goes up
    pinned INTEGER NOT NULL DEFAULT 0,  -- 1: `identity` was a friend's; another one for this name is an alarm
    answer BLOB,                -- signed answer of the identity in `claimed` to my request; NULL: none waits
    request_hash BLOB,          -- 32 bytes: of the request that waits for an answer, whichever
                                -- device of the account made it; NULL if none is known
    CHECK ((number = 0) = (state = 'own'))
) STRICT;
INSERT INTO contacts_whole SELECT * FROM contacts;  -- the same columns in the same order
DROP TABLE contacts;
ALTER TABLE contacts_whole RENAME TO contacts;
CREATE INDEX contacts_by_identity ON contacts (identity);

-- Somebody may have blocked themselves; that was never more than a word.
DELETE FROM contacts WHERE identity IS NULL AND name = (SELECT name FROM own);
INSERT INTO contacts (number, name, identity, state, since, pinned)
    SELECT 0, name, identity, 'own', made, 1 FROM own WHERE true ON CONFLICT DO NOTHING;

-- Since when each device of a friend is known to be one: what its certificate says of its age is a claim.

CREATE TABLE appeared (
    device BLOB PRIMARY KEY,    -- 16 bytes
    counter INTEGER NOT NULL,   -- of the list that named it first; 0: one that was known before this was noted, or the first of all
    after INTEGER NOT NULL      -- the last row of `events` then: all up to it is older than the device
) STRICT, WITHOUT ROWID;
