-- What orgs have said of their objects lately, so that a short-lived process does not ask again. `viewer` is for whom it
-- was said: org, user and API version.
CREATE TABLE describes (
    connection_id TEXT NOT NULL REFERENCES connections (id),
    object TEXT NOT NULL,
    viewer TEXT NOT NULL,
    described_at BIGINT NOT NULL,
    describe TEXT NOT NULL,
    PRIMARY KEY (connection_id, object)
);
