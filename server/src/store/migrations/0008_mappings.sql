-- Where a stream's rows go within its destination: the table, and after a line break the stream's name where several
-- streams fill one table.
ALTER TABLE streams RENAME COLUMN table_name TO place;
ALTER TABLE streams ADD COLUMN table_name TEXT NOT NULL DEFAULT '';
UPDATE streams SET table_name = place;

-- Every mapping that a stream has had.
CREATE TABLE mapping_versions (
    stream_id TEXT NOT NULL REFERENCES streams (id),
    version BIGINT NOT NULL,
    mapping TEXT NOT NULL,
    author TEXT NOT NULL,
    note TEXT,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (stream_id, version)
);

INSERT INTO mapping_versions (stream_id, version, mapping, author, note, made_at)
    SELECT id, mapping_version, mapping, 'orgtide', 'before versions were kept', created_at FROM streams;

-- What the fields of a stream's object were like when that was last agreed to.
CREATE TABLE shapes (
    stream_id TEXT NOT NULL PRIMARY KEY REFERENCES streams (id),
    shape TEXT NOT NULL,
    agreed_at BIGINT NOT NULL
);

-- Differences from that: what has changed, what the fields are like since, and what became of it. At most one of a stream
-- is pending.
CREATE TABLE drifts (
    id TEXT NOT NULL PRIMARY KEY,
    stream_id TEXT NOT NULL REFERENCES streams (id),
    state TEXT NOT NULL,
    changes TEXT NOT NULL,
    shape TEXT NOT NULL,
    found_at BIGINT NOT NULL,
    decided_at BIGINT,
    decided_by TEXT
);

CREATE INDEX drifts_of_stream ON drifts (stream_id, found_at);
