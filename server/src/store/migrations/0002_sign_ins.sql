-- How a connection was made, what its grant may do, and what is known of its life. `app` names a client app of the
-- server configuration; without one the connection has credentials of its own. `lifetimes` and `switches` are documents.
ALTER TABLE connections ADD COLUMN app TEXT;
ALTER TABLE connections ADD COLUMN owner TEXT;
ALTER TABLE connections ADD COLUMN audience TEXT;
ALTER TABLE connections ADD COLUMN scopes TEXT NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN lifetimes TEXT NOT NULL DEFAULT '{}';
ALTER TABLE connections ADD COLUMN switches TEXT NOT NULL DEFAULT '{}';
ALTER TABLE connections ADD COLUMN signed_in_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE connections ADD COLUMN renewed_at BIGINT NOT NULL DEFAULT 0;
UPDATE connections SET signed_in_at = created_at, renewed_at = updated_at;

-- A sign-in that somebody has begun and that is no connection yet. The document (credentials, PKCE verifier or device
-- code) is sealed. A state is stored by its SHA-256 alone, and is taken by deleting the row: it serves once.
CREATE TABLE sign_ins (
    id TEXT NOT NULL PRIMARY KEY,
    state_hash TEXT UNIQUE,
    flow TEXT NOT NULL,
    connection TEXT NOT NULL,
    begun_by TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    begun_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- What happened to a connection, and who did it. Rows outlive the connection; `connection` is its name at the time.
CREATE TABLE journal (
    id TEXT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    connection TEXT,
    actor TEXT NOT NULL,
    event TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX journal_of_connection ON journal (connection, at);
