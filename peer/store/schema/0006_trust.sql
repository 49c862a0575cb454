-- Whose key is whose, when it changes; and an account that its tracker knows no more.

-- --- people
ALTER TABLE contacts ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;  -- 1: `identity` was a friend's; another one for this name is an alarm
ALTER TABLE contacts ADD COLUMN answer BLOB;  -- signed answer of the identity in `claimed` to my request; NULL: none waits
UPDATE contacts SET pinned = 1 WHERE identity IS NOT NULL AND (state = 'friends' OR EXISTS
    (SELECT 1 FROM conversations v WHERE v.contact = contacts.number AND v.identity = contacts.identity));

-- --- what was never delivered to the former key of a friend is said anew to the present one
ALTER TABLE events ADD COLUMN replaced BLOB;  -- 32 bytes, id of the event that says it anew; NULL: none does

-- --- this home
ALTER TABLE own ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;  -- when the account was deleted at its tracker; 0: it was not
