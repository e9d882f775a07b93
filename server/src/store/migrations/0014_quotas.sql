-- What this installation takes of each org's API quota: `rules` differ from the configuration's, `used` of `available` is
-- what the org said last of all programs together.
CREATE TABLE org_quotas (
    org_id TEXT NOT NULL PRIMARY KEY,
    rules TEXT NOT NULL DEFAULT '{}',
    used BIGINT,
    available BIGINT,
    heard_at BIGINT
);

-- API calls and Bulk jobs that this installation's processes have taken, by hours since 1970.
CREATE TABLE quota_hours (
    org_id TEXT NOT NULL,
    hour BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    jobs BIGINT NOT NULL,
    PRIMARY KEY (org_id, hour)
);

-- What imports were expected to cost: the latest forecast of each table, and with a run the one that preceded it.
CREATE TABLE forecasts (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    table_name TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    forecast TEXT NOT NULL,
    PRIMARY KEY (connection_id, table_name)
);

ALTER TABLE runs ADD COLUMN forecast TEXT;
