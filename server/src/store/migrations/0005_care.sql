-- What a person approved in Salesforce, as far as this installation knows: a user has five for one app.
CREATE TABLE approvals (
    id TEXT NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    org_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    connection TEXT NOT NULL,
    approved_at BIGINT NOT NULL,
    ended_at BIGINT
);

CREATE INDEX approvals_of_user ON approvals (client_id, org_id, user_id);

-- A record of known content: a keyring that does not open it is not the one of this store.
CREATE TABLE canaries (
    id TEXT NOT NULL PRIMARY KEY,
    sealed BYTEA NOT NULL,
    sealed_at BIGINT NOT NULL
);

-- Keys of programs: one connection each. Only the hash of a key is here.
CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    connection_id TEXT NOT NULL REFERENCES connections (id),
    secret_hash TEXT NOT NULL UNIQUE,
    allows TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
);

-- API calls that programs made through the proxy, by hours since 1970, and what the org said last of its quota.
CREATE TABLE proxied_calls (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    hour BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    writes BIGINT NOT NULL,
    PRIMARY KEY (connection_id, hour)
);

CREATE TABLE quotas (
    connection_id TEXT NOT NULL PRIMARY KEY REFERENCES connections (id),
    used BIGINT NOT NULL,
    available BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
