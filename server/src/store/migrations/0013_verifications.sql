-- When copies are held against their source by themselves. A stream without a row has not had its turn yet. `trouble` says
-- why the last attempt made no certificate.
CREATE TABLE verifications (
    stream_id TEXT NOT NULL PRIMARY KEY REFERENCES streams (id),
    next_at BIGINT NOT NULL,
    trouble TEXT
);
