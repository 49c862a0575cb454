-- The first schema of a tracker. Instants are milliseconds since 1970, UTC, by the tracker's clock.

-- An account: a name bound to an identity, and what opens it from a new machine.
CREATE TABLE accounts (
    id               INTEGER PRIMARY KEY,             -- small number of ours; never leaves the tracker
    name             TEXT    NOT NULL UNIQUE,         -- folded, 2 to 32 characters
    identity         BLOB    NOT NULL UNIQUE,         -- 32 bytes, Ed25519 public
    salt             BLOB    NOT NULL,                -- 16 random bytes of the client, for Argon2id
    memory_kib       INTEGER NOT NULL,                -- Argon2id m
    passes           INTEGER NOT NULL,                -- Argon2id t
    lanes            INTEGER NOT NULL,                -- Argon2id p
    has_recovery_key INTEGER NOT NULL,                -- 1: the root also needs a recovery key
    auth_key         BLOB    NOT NULL,                -- 32 bytes, Ed25519 public, verifies a login
    vault            BLOB    NOT NULL,                -- sealed by the password; unreadable here
    vault_counter    INTEGER NOT NULL,                -- only goes up
    vault_changed    INTEGER NOT NULL,                -- when the vault was last put
    device_list      BLOB    NOT NULL,                -- signed by the identity, as it came
    list_counter     INTEGER NOT NULL,                -- of device_list; only goes up
    role             TEXT    NOT NULL DEFAULT 'user'  -- what the account may do to others
                     CHECK (role IN ('admin', 'moderator', 'user')),
    registered       INTEGER NOT NULL,                -- when the account was made
    last_seen        INTEGER NOT NULL                 -- when friends last saw it go offline; 0: never
) STRICT;

-- The sealed account state; apart from accounts so that their rows stay short.
CREATE TABLE states (
    account          INTEGER PRIMARY KEY              -- whose
                     REFERENCES accounts (id) ON DELETE CASCADE,
    version          INTEGER NOT NULL,                -- 1 at the first put, one more at each
    content          BLOB    NOT NULL                 -- sealed by the state key; unreadable here
) STRICT;

-- A device of an account: who may enter by link key, and what friends are told about it.
CREATE TABLE devices (
    id               BLOB    PRIMARY KEY,             -- 16 random bytes of the client
    account          INTEGER NOT NULL                 -- whose
                     REFERENCES accounts (id) ON DELETE CASCADE,
    link_key         BLOB    NOT NULL UNIQUE,         -- 32 bytes, X25519 public: how it is known again
    certificate      BLOB    NOT NULL,                -- signed by the identity, as it came
    addresses        BLOB    NOT NULL,                -- signed by the device, as it came; empty: none
    is_signed_off    INTEGER NOT NULL DEFAULT 0,      -- 1: logged out, may not enter
    revoked          INTEGER NOT NULL DEFAULT 0,      -- when the list revoked it; 0: it did not
    added            INTEGER NOT NULL,                -- when it came
    last_seen        INTEGER NOT NULL                 -- when it last entered
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_of_account ON devices (account);

-- A friendship: two rows, one from each side, made and ended in one transaction.
CREATE TABLE friendships (
    account          INTEGER NOT NULL                 -- one side
                     REFERENCES accounts (id) ON DELETE CASCADE,
    friend           INTEGER NOT NULL                 -- the other side
                     REFERENCES accounts (id) ON DELETE CASCADE,
    since            INTEGER NOT NULL,                -- when it was made
    PRIMARY KEY (account, friend)
) STRICT, WITHOUT ROWID;

-- A friend request on its way: at most one from one account to another.
CREATE TABLE friend_requests (
    asker            INTEGER NOT NULL                 -- who asks
                     REFERENCES accounts (id) ON DELETE CASCADE,
    target           INTEGER NOT NULL                 -- who is asked
                     REFERENCES accounts (id) ON DELETE CASCADE,
    signed           BLOB    NOT NULL,                -- signed by the asker's device, as it came
    is_void          INTEGER NOT NULL,                -- 1: the target blocked the asker and never sees it
    at               INTEGER NOT NULL,                -- when it came; expires after 30 days
    PRIMARY KEY (asker, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX friend_requests_to ON friend_requests (target);
CREATE INDEX friend_requests_at ON friend_requests (at);

-- An answer that its asker has not taken yet.
CREATE TABLE friend_answers (
    asker            INTEGER NOT NULL                 -- who asked and will take it
                     REFERENCES accounts (id) ON DELETE CASCADE,
    answerer         INTEGER NOT NULL                 -- who answered
                     REFERENCES accounts (id) ON DELETE CASCADE,
    is_yes           INTEGER NOT NULL,                -- 1: they are friends since
    signed           BLOB    NOT NULL,                -- signed by the answerer's device, as it came
    at               INTEGER NOT NULL,                -- when it came; expires after 30 days
    PRIMARY KEY (asker, answerer)
) STRICT, WITHOUT ROWID;
CREATE INDEX friend_answers_by ON friend_answers (answerer);
CREATE INDEX friend_answers_at ON friend_answers (at);

-- Who does not want to hear from whom.
CREATE TABLE blocks (
    account          INTEGER NOT NULL                 -- who blocks
                     REFERENCES accounts (id) ON DELETE CASCADE,
    blocked          INTEGER NOT NULL                 -- who is blocked
                     REFERENCES accounts (id) ON DELETE CASCADE,
    at               INTEGER NOT NULL,                -- since when
    PRIMARY KEY (account, blocked)
) STRICT, WITHOUT ROWID;
CREATE INDEX blocks_of ON blocks (blocked);
