-- A run's record: what was asked for, by whom, and everything that was counted, as one document.
ALTER TABLE runs ADD COLUMN purpose TEXT NOT NULL DEFAULT 'sync';
ALTER TABLE runs ADD COLUMN holder TEXT;
ALTER TABLE runs ADD COLUMN mapping_version BIGINT;
ALTER TABLE runs ADD COLUMN read_mode TEXT;
ALTER TABLE runs ADD COLUMN is_resumed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN run_window TEXT;
ALTER TABLE runs ADD COLUMN error_code TEXT;
ALTER TABLE runs ADD COLUMN counts TEXT NOT NULL DEFAULT '{}';

UPDATE runs SET counts = '{"rows":' || CAST(run_rows AS TEXT) || ',"deleted_rows":' || CAST(deleted_rows AS TEXT)
    || ',"rejected_values":' || CAST(rejected_values AS TEXT) || ',"read_bytes":' || CAST(read_bytes AS TEXT)
    || ',"api_calls":' || CAST(api_calls AS TEXT) || '}';

ALTER TABLE runs DROP COLUMN run_rows;
ALTER TABLE runs DROP COLUMN deleted_rows;
ALTER TABLE runs DROP COLUMN rejected_values;
ALTER TABLE runs DROP COLUMN read_bytes;

CREATE INDEX rejected_values_by_age ON rejected_values (rejected_at);

-- Records of a stream that become no row at present. Why, and what was read of them, is personal data and sealed; it
-- expires before the entry does.
CREATE TABLE rejected_rows (
    stream_id TEXT NOT NULL REFERENCES streams (id),
    record_id TEXT NOT NULL,
    sealed BYTEA,
    attempts BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (stream_id, record_id)
);

-- Streams whose records are read and judged before anything is written. A draft has never been imported whole: no sync
-- and no schedule runs it.
CREATE TABLE stages (
    stream_id TEXT NOT NULL PRIMARY KEY REFERENCES streams (id),
    is_draft BIGINT NOT NULL,
    mapping_version BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    checkpoint TEXT,
    ready_rows BIGINT NOT NULL,
    staged_at BIGINT NOT NULL
);

CREATE TABLE staged_rows (
    stream_id TEXT NOT NULL REFERENCES streams (id),
    record_id TEXT NOT NULL,
    state TEXT NOT NULL,
    is_selected BIGINT NOT NULL,
    sealed BYTEA,
    staged_at BIGINT NOT NULL,
    PRIMARY KEY (stream_id, record_id)
);
