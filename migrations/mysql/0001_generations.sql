-- The read store's own tables. A projection's rows live in tables of their own, one set per
-- generation (destinations_g1), these say which sets there are, how far each has read, and which one
-- queries read. The vector is kept beside the rows because both must move in one transaction.
--
-- Definitions are committed one by one, so each can be taken again. Text is compared by code point
-- and its last spaces count, which the two servers call by two names: each reads only its own of the
-- commented collations.

CREATE TABLE IF NOT EXISTS waylog_generations (
    projection     VARCHAR(128) NOT NULL,
    number         BIGINT       NOT NULL COMMENT 'From 1, never reused: dropped ones stay listed',
    version        BIGINT       NOT NULL COMMENT 'Version of the projection that fills the set',
    vector         MEDIUMTEXT   NOT NULL COMMENT 'Last offset read per partition, canonical: 0:17,3:9',
    continuity     MEDIUMTEXT   NOT NULL COMMENT 'Kept by the runner, opaque to the store',
    last_event_at  BIGINT                COMMENT 'Microseconds since 1970, of the newest event read',
    tables         LONGTEXT     NOT NULL COMMENT 'JSON: its tables, what belongs to them, their views',
    dropped        BOOLEAN      NOT NULL DEFAULT FALSE,
    tables_dropped BOOLEAN      NOT NULL DEFAULT FALSE COMMENT 'Whether the tables are gone, too',
    PRIMARY KEY (projection, number)
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE /*M! utf8mb4_nopad_bin */ /*!80000 utf8mb4_0900_bin */,
  COMMENT = 'The table sets of every projection and how far each has read the log';

-- One pointer row per projection: switching and rolling back change it, then the views.
CREATE TABLE IF NOT EXISTS waylog_live (
    projection VARCHAR(128) NOT NULL PRIMARY KEY,
    number     BIGINT       NOT NULL
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE /*M! utf8mb4_nopad_bin */ /*!80000 utf8mb4_0900_bin */,
  COMMENT = 'Which generation of each projection queries read';

-- What each table holds in two numbers, so that equality can be asked at any vector.
CREATE TABLE IF NOT EXISTS waylog_table_sums (
    projection VARCHAR(128)   NOT NULL,
    number     BIGINT         NOT NULL,
    name       VARCHAR(128)   NOT NULL,
    row_count  BIGINT         NOT NULL,
    sum        DECIMAL(39, 0) NOT NULL COMMENT 'Modulo 2^128',
    PRIMARY KEY (projection, number, name)
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE /*M! utf8mb4_nopad_bin */ /*!80000 utf8mb4_0900_bin */,
  COMMENT = 'Row count and commutative hash sum of each table, kept with its rows';

-- Streams that a projection could not fold, waiting for a replay.
CREATE TABLE IF NOT EXISTS waylog_parked_streams (
    projection    VARCHAR(128) NOT NULL,
    number        BIGINT       NOT NULL,
    stream        VARCHAR(600) NOT NULL,
    log_partition BIGINT       NOT NULL,
    log_offset    BIGINT       NOT NULL COMMENT 'Of the first event that was not folded',
    reason        MEDIUMTEXT   NOT NULL,
    PRIMARY KEY (projection, number, stream)
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE /*M! utf8mb4_nopad_bin */ /*!80000 utf8mb4_0900_bin */,
  COMMENT = 'Streams that a generation could not fold, with the first event that was not';
