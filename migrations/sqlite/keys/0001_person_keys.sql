-- The keys under which personal data is sealed: with the log, the second source of truth. Nothing
-- can bring a key back that is lost here, so this file is synced before a key is used, and is backed
-- up apart from the log. A person's row is never deleted: its last state is the tombstone.

CREATE TABLE person_keys (
    person       TEXT    NOT NULL PRIMARY KEY, -- the account, a UUID in its canonical form
    key          BLOB,                         -- 32 bytes; null once the person was forgotten
    created_at   INTEGER NOT NULL,             -- microseconds since 1970
    forgotten_at INTEGER,                      -- microseconds since 1970; set once, for ever
    CHECK (key IS NULL OR length(key) = 32),
    CHECK ((key IS NULL) = (forgotten_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- Whoever was forgotten stays forgotten, whatever a program does.
CREATE TRIGGER person_keys_tombstone BEFORE UPDATE ON person_keys
WHEN OLD.forgotten_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a forgotten person gets no key again');
END;

CREATE TRIGGER person_keys_kept BEFORE DELETE ON person_keys
BEGIN
    SELECT RAISE(ABORT, 'the row of a person is never deleted');
END;
