-- Keys that were made here for the JWT bearer flow, by the name of the connection that is to use them. The certificate
-- is public. A connection that uses a key holds a copy of it among its credentials.
CREATE TABLE client_keys (
    connection TEXT NOT NULL PRIMARY KEY,
    sealed BYTEA NOT NULL,
    certificate TEXT NOT NULL,
    ends_at BIGINT NOT NULL,
    made_at BIGINT NOT NULL
);
