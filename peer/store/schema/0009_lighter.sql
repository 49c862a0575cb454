-- What every message writes stands in fewer places: each place is a page more to make durable with it.

-- --- the highest clock of a conversation is the last of `events_in_order`
ALTER TABLE conversations DROP COLUMN clock;

-- --- few rows are undelivered: `outbox_undelivered` finds those that are due as well
DROP INDEX outbox_waiting;

-- --- heads are asked for by conversation
CREATE TABLE heads_whole (
    conversation INTEGER NOT NULL REFERENCES conversations (number),
    event INTEGER NOT NULL REFERENCES events (number),
    PRIMARY KEY (conversation, event)
) STRICT, WITHOUT ROWID;
INSERT INTO heads_whole (conversation, event) SELECT conversation, event FROM heads;
DROP TABLE heads;
ALTER TABLE heads_whole RENAME TO heads;
