-- What the merchant asked for. The money itself is in `entries`.
CREATE TABLE IF NOT EXISTS intents (
    id TEXT PRIMARY KEY,
    -- The merchant's own name for the payment: one intent each, whatever key it came under.
    reference TEXT NOT NULL UNIQUE,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    -- None for an intent that was canceled before it was created.
    method TEXT,
    status TEXT NOT NULL,
    failure_code TEXT,
    failure_message TEXT,
    metadata TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Double entry: each movement has two rows whose amounts add up to zero. Rows are only added.
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    movement TEXT NOT NULL,
    intent TEXT NOT NULL REFERENCES intents (id),
    kind TEXT NOT NULL CHECK (kind IN ('authorization', 'capture', 'release', 'refund')),
    account TEXT NOT NULL CHECK (account IN ('cardholder', 'reserved', 'merchant')),
    amount INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS entries_by_intent ON entries (intent);
CREATE TRIGGER IF NOT EXISTS entries_are_not_changed BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are only added'); END;
CREATE TRIGGER IF NOT EXISTS entries_are_not_removed BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are only added'); END;

CREATE TABLE IF NOT EXISTS refunds (
    id TEXT PRIMARY KEY,
    reference TEXT NOT NULL UNIQUE,
    intent TEXT NOT NULL REFERENCES intents (id),
    amount INTEGER NOT NULL CHECK (amount > 0),
    status TEXT NOT NULL,
    failure_code TEXT,
    failure_message TEXT,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS refunds_by_intent ON refunds (intent);

-- Answers under their keys, until they are too old.
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    request BLOB NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS answers_by_age ON answers (created_at);

CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY,
    intent TEXT NOT NULL REFERENCES intents (id),
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS events_by_intent ON events (intent, id);

-- Webhooks: what is pending is sent when it is due, what was given up stays listed.
CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL REFERENCES events (id),
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'abandoned')),
    -- Sent with another body and a signature under an unknown secret; tried once.
    forged INTEGER NOT NULL,
    -- Due at the latest at `due_at`, and at once when a later one was delivered.
    held INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    last_outcome TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS deliveries_pending ON deliveries (due_at, number) WHERE state = 'pending';

-- Messages to people: kept to be looked at, the oldest forgotten.
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    -- The sender's own name for it; the same is kept once. None for mail.
    key TEXT UNIQUE,
    channel TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT,
    reference TEXT,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
