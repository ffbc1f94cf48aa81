-- The keys under which personal data is sealed: with the log, the second source of truth. Nothing
-- can bring a key back that is lost here, so commits wait for the disk, and these tables are backed
-- up apart from the read models. A person's row is never deleted: its last state is the tombstone.

CREATE TABLE waylog_person_keys (
    person       uuid        NOT NULL PRIMARY KEY,
    key          bytea,
    created_at   timestamptz NOT NULL DEFAULT now(),
    forgotten_at timestamptz,
    CHECK (octet_length(key) = 32),
    CHECK ((key IS NULL) = (forgotten_at IS NOT NULL))
);
COMMENT ON TABLE waylog_person_keys IS 'The key of each person; whoever was forgotten has a tombstone instead';
COMMENT ON COLUMN waylog_person_keys.person IS 'The account whose data is sealed under the key';
COMMENT ON COLUMN waylog_person_keys.key IS '32 bytes; null once the person was forgotten';
COMMENT ON COLUMN waylog_person_keys.forgotten_at IS 'Set once, for ever';

-- Whoever was forgotten stays forgotten, whatever a program does.
CREATE FUNCTION waylog_person_keys_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'the row of a person is never deleted';
    END IF;
    IF OLD.forgotten_at IS NOT NULL THEN
        RAISE EXCEPTION 'a forgotten person gets no key again';
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER waylog_person_keys_keep BEFORE UPDATE OR DELETE ON waylog_person_keys
    FOR EACH ROW EXECUTE FUNCTION waylog_person_keys_keep();
