-- Accounts can be deleted; work that was under way for one must never meet another under its number.

-- The highest number of an account that was deleted. One row.
CREATE TABLE deleted (
    one              INTEGER PRIMARY KEY CHECK (one = 1), -- there is one row
    highest          INTEGER NOT NULL                 -- numbers up to here are not given again; 0: none was deleted
) STRICT;
INSERT INTO deleted (one, highest) VALUES (1, 0);

-- Who blocked an account, and whose answers it waits for, is found by it when it goes.
CREATE INDEX friendships_of ON friendships (friend);
