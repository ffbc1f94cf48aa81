-- The read store's own tables. A projection's rows live in tables of their own, one set per
-- generation (itineraries_g1); these say which sets there are, how far each has read, and which one
-- queries read. The vector is kept beside the rows because both must move in one transaction.

CREATE TABLE waylog_generations (
    projection    text        NOT NULL,
    number        bigint      NOT NULL,
    version       bigint      NOT NULL,
    vector        text        NOT NULL,
    continuity    text        NOT NULL,
    last_event_at timestamptz,
    tables        text[]      NOT NULL,
    dropped       boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (projection, number)
);
COMMENT ON TABLE waylog_generations IS 'The table sets of every projection and how far each has read the log';
COMMENT ON COLUMN waylog_generations.number IS 'From 1, never reused: dropped ones stay listed';
COMMENT ON COLUMN waylog_generations.version IS 'Version of the projection that fills the set';
COMMENT ON COLUMN waylog_generations.vector IS 'Last offset read per partition, canonical: 0:17,3:9';
COMMENT ON COLUMN waylog_generations.continuity IS 'Kept by the runner, opaque to the store';
COMMENT ON COLUMN waylog_generations.last_event_at IS 'When the newest event read was recorded';
COMMENT ON COLUMN waylog_generations.tables IS 'Logical names of its tables';

-- One pointer row per projection: switching and rolling back change it and the views, nothing else.
CREATE TABLE waylog_live (
    projection text   NOT NULL PRIMARY KEY,
    number     bigint NOT NULL
);
COMMENT ON TABLE waylog_live IS 'Which generation of each projection queries read';

-- What each table holds in two numbers, so that equality can be asked at any vector. The sum is
-- taken modulo 2^128, hence numeric.
CREATE TABLE waylog_table_sums (
    projection text        NOT NULL,
    number     bigint      NOT NULL,
    name       text        NOT NULL,
    row_count  bigint      NOT NULL,
    sum        numeric(39) NOT NULL,
    PRIMARY KEY (projection, number, name)
);
COMMENT ON TABLE waylog_table_sums IS 'Row count and commutative hash sum of each table, kept with its rows';

-- Streams that a projection could not fold; they wait for a replay.
CREATE TABLE waylog_parked_streams (
    projection    text   NOT NULL,
    number        bigint NOT NULL,
    stream        text   NOT NULL,
    log_partition bigint NOT NULL,
    log_offset    bigint NOT NULL,
    reason        text   NOT NULL,
    PRIMARY KEY (projection, number, stream)
);
COMMENT ON TABLE waylog_parked_streams IS 'Streams that a generation could not fold, with the first event that was not';
