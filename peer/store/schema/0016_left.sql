-- How much mail this device ever left at its tracker, by which it sees that the tracker went back to a backup.

ALTER TABLE own ADD COLUMN mail_left INTEGER NOT NULL DEFAULT 0;  -- as the tracker counts; 0: it never told
