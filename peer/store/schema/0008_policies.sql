-- The accept policy: what it said of an offer when that was shown, kept until it is done.

ALTER TABLE offers ADD COLUMN verdict TEXT;   -- 'auto' or 'never'; NULL: nothing is to be done
ALTER TABLE transfers ADD COLUMN types TEXT;  -- patterns that every file has to match before the offer is answered;
                                              -- NULL once that is known, and where a person decided
