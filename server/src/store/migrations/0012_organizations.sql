-- What the record of Organization said last of a connection's org, as a document; null: its user may not read it, or was
-- not asked yet.
ALTER TABLE connections ADD COLUMN organization TEXT;
