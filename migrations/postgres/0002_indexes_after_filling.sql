-- A generation that is filled beside the live one gets its indexes afterwards, at once: a GIN index
-- that is kept up row by row costs more than the rows. What is live, or ever was, has them.

ALTER TABLE waylog_generations ADD COLUMN indexed boolean NOT NULL DEFAULT true;
ALTER TABLE waylog_generations ALTER COLUMN indexed SET DEFAULT false;
COMMENT ON COLUMN waylog_generations.indexed IS 'Whether its tables have their indexes: only then it can be live';
