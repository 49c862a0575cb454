-- How much mail each device ever left for others. One that is told of less than it knows sees that the tracker went back
-- to a backup, and gives again what was lost with that.

ALTER TABLE devices ADD COLUMN mail_left INTEGER NOT NULL DEFAULT 1;  -- items that came from it, and one; only goes up

CREATE TRIGGER mail_left AFTER INSERT ON mail BEGIN
    UPDATE devices SET mail_left = mail_left + 1 WHERE id = new.sender_device;
END;
