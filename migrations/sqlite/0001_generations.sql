-- The read store's own tables. A projection's rows live in tables of their own, one set per
-- generation (itineraries_g1); these say which sets there are, how far each has read, and which one
-- queries read. The vector is kept beside the rows because both must move in one transaction.

CREATE TABLE waylog_generations (
    projection    TEXT    NOT NULL,
    number        INTEGER NOT NULL,           -- from 1, never reused
    version       INTEGER NOT NULL,           -- of the projection that fills it
    vector        TEXT    NOT NULL,           -- how far it has read, canonical: 0:17,3:9
    continuity    TEXT    NOT NULL,           -- kept by the runner, opaque here
    last_event_at INTEGER,                    -- microseconds since 1970, of the newest event read
    tables        TEXT    NOT NULL,           -- JSON array of the logical names, to drop them by
    dropped       INTEGER NOT NULL DEFAULT 0, -- a dropped number stays, so that none is reused
    PRIMARY KEY (projection, number)
) STRICT, WITHOUT ROWID;

-- One pointer row per projection: switching and rolling back change it and nothing else.
CREATE TABLE waylog_live (
    projection TEXT    NOT NULL PRIMARY KEY,
    number     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What each table holds in two numbers, so that equality can be asked at any vector.
CREATE TABLE waylog_table_sums (
    projection TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    row_count  INTEGER NOT NULL,
    sum        BLOB    NOT NULL,              -- 16 bytes, big-endian, modulo 2^128
    PRIMARY KEY (projection, number, name)
) STRICT, WITHOUT ROWID;

-- Streams that a projection could not fold; they wait for a replay.
CREATE TABLE waylog_parked_streams (
    projection    TEXT    NOT NULL,
    number        INTEGER NOT NULL,
    stream        TEXT    NOT NULL,
    log_partition INTEGER NOT NULL,
    log_offset    INTEGER NOT NULL,           -- of the first event that was not folded
    reason        TEXT    NOT NULL,
    PRIMARY KEY (projection, number, stream)
) STRICT, WITHOUT ROWID;
