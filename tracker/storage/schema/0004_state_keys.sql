-- A device was taken off: the renewed state key, sealed to each device that stays.

ALTER TABLE accounts ADD COLUMN state_keys BLOB NOT NULL DEFAULT x'';  -- copies as they came, packed; unreadable here
