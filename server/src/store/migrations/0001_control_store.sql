-- Moments are milliseconds since 1970-01-01T00:00:00Z. Documents are JSON texts. Sealed bytes are records of the
-- keyring, bound to table, row and column.

CREATE TABLE customers (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE connections (
    id TEXT NOT NULL PRIMARY KEY,
    customer_id TEXT NOT NULL REFERENCES customers (id),
    name TEXT NOT NULL UNIQUE,
    org_host TEXT NOT NULL,
    instance_host TEXT NOT NULL,
    org_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    username TEXT NOT NULL,
    api_version BIGINT NOT NULL,
    grant_kind TEXT NOT NULL,
    client_id TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- One row a secret: client_secret, username_password, refresh_token, session.
CREATE TABLE credentials (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    kind TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (connection_id, kind)
);

-- An open redemption of a refresh token: committed before the request is sent, removed with its answer.
CREATE TABLE redemptions (
    connection_id TEXT NOT NULL PRIMARY KEY REFERENCES connections (id),
    token_hash TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    started_at BIGINT NOT NULL
);

CREATE TABLE streams (
    id TEXT NOT NULL PRIMARY KEY,
    connection_id TEXT NOT NULL REFERENCES connections (id),
    destination TEXT NOT NULL,
    object TEXT NOT NULL,
    table_name TEXT NOT NULL,
    mapping TEXT NOT NULL,
    mapping_version BIGINT NOT NULL,
    read_mode TEXT NOT NULL,
    checkpoint TEXT,
    checkpoint_epoch BIGINT,
    checkpoint_at BIGINT,
    created_at BIGINT NOT NULL,
    UNIQUE (connection_id, destination, table_name)
);

CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    stream_id TEXT NOT NULL REFERENCES streams (id),
    epoch BIGINT NOT NULL,
    state TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    run_rows BIGINT NOT NULL,
    deleted_rows BIGINT NOT NULL,
    rejected_values BIGINT NOT NULL,
    read_bytes BIGINT NOT NULL,
    api_calls BIGINT NOT NULL,
    error TEXT
);

CREATE INDEX runs_of_stream ON runs (stream_id, started_at);

-- What stood where a value did not fit: personal data, so the value is sealed.
CREATE TABLE rejected_values (
    run_id TEXT NOT NULL REFERENCES runs (id),
    ordinal BIGINT NOT NULL,
    record_id TEXT NOT NULL,
    field TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    rejected_at BIGINT NOT NULL,
    PRIMARY KEY (run_id, ordinal)
);

-- A row is never removed, so an epoch only ever grows.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    acquired_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
