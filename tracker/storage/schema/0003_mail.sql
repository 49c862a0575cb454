-- Sealed mail for devices that are away, and the keys it is sealed to.

-- Prekeys that devices published. One-time ones go as they are given away; the weekly one stays until replaced.
CREATE TABLE prekeys (
    device           BLOB    NOT NULL                 -- whose
                     REFERENCES devices (id) ON DELETE CASCADE,
    is_one_time      INTEGER NOT NULL,                -- 0: the weekly one
    number           INTEGER NOT NULL,                -- the device's own
    signed           BLOB    NOT NULL,                -- signed by the device, as it came
    PRIMARY KEY (device, is_one_time, number)
) STRICT, WITHOUT ROWID;

-- To whom one-time prekeys were given, so that nobody drains a device of them; rows go after an hour.
CREATE TABLE prekey_gifts (
    device           BLOB    NOT NULL                 -- whose prekey
                     REFERENCES devices (id) ON DELETE CASCADE,
    account          INTEGER NOT NULL                 -- who got it
                     REFERENCES accounts (id) ON DELETE CASCADE,
    at               INTEGER NOT NULL                 -- when
) STRICT;
CREATE INDEX prekey_gifts_of ON prekey_gifts (device, account, at);
CREATE INDEX prekey_gifts_at ON prekey_gifts (at);

-- Items that wait. They go when their recipient says that what they held is committed there, or when too old.
CREATE TABLE mail (
    number           INTEGER PRIMARY KEY AUTOINCREMENT,  -- in the order of arrival, never given twice
    device           BLOB    NOT NULL                 -- for whom
                     REFERENCES devices (id) ON DELETE CASCADE,
    sender           INTEGER NOT NULL                 -- who left it
                     REFERENCES accounts (id) ON DELETE CASCADE,
    sender_device    BLOB    NOT NULL,                -- from where
    item             BLOB    NOT NULL,                -- 16 bytes, drawn there
    prekey           INTEGER NOT NULL,                -- number of the recipient's prekey
    sealed           BLOB    NOT NULL,                -- unreadable here
    at               INTEGER NOT NULL,                -- when it came; expires after 30 days
    UNIQUE (device, sender_device, item)
) STRICT;
CREATE INDEX mail_for ON mail (device, number);
CREATE INDEX mail_at ON mail (at);
CREATE INDEX mail_by ON mail (sender);

-- How much waits, by recipient and sender, kept by the triggers below: nobody counts items at each arrival.
CREATE TABLE mail_loads (
    device           BLOB    NOT NULL,                -- for whom
    sender           INTEGER NOT NULL,                -- who left it
    items            INTEGER NOT NULL,                -- how many
    size             INTEGER NOT NULL,                -- bytes as sealed
    PRIMARY KEY (device, sender)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER mail_came AFTER INSERT ON mail BEGIN
    INSERT INTO mail_loads (device, sender, items, size)
        VALUES (new.device, new.sender, 1, length(new.sealed))
        ON CONFLICT (device, sender) DO UPDATE SET items = items + 1, size = size + excluded.size;
END;
CREATE TRIGGER mail_went AFTER DELETE ON mail BEGIN
    UPDATE mail_loads SET items = items - 1, size = size - length(old.sealed)
        WHERE device = old.device AND sender = old.sender;
    DELETE FROM mail_loads WHERE device = old.device AND sender = old.sender AND items = 0;
END;
