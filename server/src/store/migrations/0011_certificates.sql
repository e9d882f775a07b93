-- Comparisons of copies with their sources. A certificate outlives the record of the run that made it, and goes with its
-- stream; each stream keeps the latest ones.
CREATE TABLE certificates (
    run_id TEXT NOT NULL PRIMARY KEY,
    stream_id TEXT NOT NULL REFERENCES streams (id),
    made_at BIGINT NOT NULL,
    certificate TEXT NOT NULL
);
CREATE INDEX certificates_of_stream ON certificates (stream_id, made_at);
