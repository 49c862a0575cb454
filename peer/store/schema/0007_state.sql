-- The account state travels: what decides whether one that comes is older, and which request an answer is to.

ALTER TABLE own ADD COLUMN state_counter INTEGER NOT NULL DEFAULT 0;  -- highest of any state seen; only goes up
ALTER TABLE contacts ADD COLUMN request_hash BLOB;  -- 32 bytes: of the request that waits for an answer, whichever
                                                    -- device of the account made it; NULL if none is known
