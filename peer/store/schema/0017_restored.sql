-- A device that was put back from a backup tells all others what it has, by mail where no link does: what it lost of what
-- they left for it is due again then.

-- 1: every device in it is to get a receipt that was signed since; also where a conversation began after a backup was put back.
ALTER TABLE conversations ADD COLUMN is_to_tell INTEGER NOT NULL DEFAULT 0;

-- 1: with the newest receipt of that device itself, which it does not seem to know.
ALTER TABLE owed_receipts ADD COLUMN is_reminder INTEGER NOT NULL DEFAULT 0;
ALTER TABLE enclosed ADD COLUMN is_reminder INTEGER NOT NULL DEFAULT 0;  -- of that kind, in a letter
