//! The schema's history. A migration that is released is never edited; a change is a further one.

/// All migrations in order; the first is version 1. Written for both databases: `BYTEA` becomes `BLOB` in SQLite.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_control_store.sql"),
    include_str!("migrations/0002_sign_ins.sql"),
    include_str!("migrations/0003_client_keys.sql"),
    include_str!("migrations/0004_users.sql"),
    include_str!("migrations/0005_care.sql"),
    include_str!("migrations/0006_schedules.sql"),
    include_str!("migrations/0007_staging.sql"),
    include_str!("migrations/0008_mappings.sql"),
    include_str!("migrations/0009_installation.sql"),
    include_str!("migrations/0010_describes.sql"),
    include_str!("migrations/0011_certificates.sql"),
    include_str!("migrations/0012_organizations.sql"),
    include_str!("migrations/0013_verifications.sql"),
    include_str!("migrations/0014_quotas.sql"),
];

/// The newest schema version that this program knows.
pub(super) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).expect("migrations are few")
}

/// What is left to apply to a store of version `found`, with the version that each leads to.
pub(super) fn pending(found: i64) -> impl Iterator<Item = (i64, &'static str)> {
    (1..).zip(MIGRATIONS.iter().copied()).filter(move |(version, _)| *version > found)
}

pub(super) const CREATE_VERSION_TABLE: &str =
    "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY)";
pub(super) const READ_VERSION: &str = "SELECT COALESCE(MAX(version), 0) FROM schema_version";
pub(super) const WRITE_VERSION: &str = "INSERT INTO schema_version (version) VALUES ($1)";
