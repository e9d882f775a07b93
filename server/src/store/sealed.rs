//! Everything that the store holds sealed, in one place: what is resealed when a key is replaced, and the canary that tells
//! a wrong keyring before anything is written.

use salesforce::Timestamp;
use serde::Serialize;

use super::{
    Store,
    database::{Change, Committed, Database, DatabaseError, Row},
    error::StoreError,
};
use crate::vault::{Place, Vault};

/// A sealed column. Each of its records has a place: the table, and two texts that name row and column.
struct Sealed {
    table: &'static str,
    /// Row, column and record of those that another key than `$1` sealed, at most 500.
    read: &'static str,
    /// Replaces the record `$4` of row `$1` and column `$2` by `$3`, unless somebody else has replaced it.
    replace: &'static str,
    /// Counts records by the number of their key, as four bytes.
    count: &'static str,
    /// Removes what nobody can open any more.
    forget: &'static str,
}

/// The number of the key stands in the second to the fifth byte of a record.
const SEALED: &[Sealed] = &[
    Sealed {
        table: "credentials",
        read: "SELECT connection_id, kind, sealed FROM credentials WHERE substr(sealed, 2, 4) <> $1 LIMIT 500",
        replace: "UPDATE credentials SET sealed = $3 WHERE connection_id = $1 AND kind = $2 AND sealed = $4",
        count: "SELECT substr(sealed, 2, 4), COUNT(*) FROM credentials GROUP BY 1",
        forget: "DELETE FROM credentials",
    },
    Sealed {
        table: "rejected_values",
        read: "SELECT run_id || '/' || CAST(ordinal AS TEXT), 'raw', sealed FROM rejected_values \
             WHERE substr(sealed, 2, 4) <> $1 LIMIT 500",
        replace: "UPDATE rejected_values SET sealed = $3 \
             WHERE run_id || '/' || CAST(ordinal AS TEXT) = $1 AND 'raw' = $2 AND sealed = $4",
        count: "SELECT substr(sealed, 2, 4), COUNT(*) FROM rejected_values GROUP BY 1",
        forget: "DELETE FROM rejected_values",
    },
    Sealed {
        table: "rejected_rows",
        // An id of a stream has 24 characters.
        read: "SELECT stream_id || '/' || record_id, 'sealed', sealed FROM rejected_rows \
             WHERE substr(sealed, 2, 4) <> $1 LIMIT 500",
        replace: "UPDATE rejected_rows SET sealed = $3 WHERE stream_id = substr(CAST($1 AS TEXT), 1, 24) \
             AND record_id = substr(CAST($1 AS TEXT), 26) AND 'sealed' = $2 AND sealed = $4",
        count: "SELECT substr(sealed, 2, 4), COUNT(*) FROM rejected_rows WHERE sealed IS NOT NULL GROUP BY 1",
        forget: "UPDATE rejected_rows SET sealed = NULL",
    },
    Sealed {
        table: "staged_rows",
        read: "SELECT stream_id || '/' || record_id, 'sealed', sealed FROM staged_rows \
             WHERE substr(sealed, 2, 4) <> $1 LIMIT 500",
        replace: "UPDATE staged_rows SET sealed = $3 WHERE stream_id = substr(CAST($1 AS TEXT), 1, 24) \
             AND record_id = substr(CAST($1 AS TEXT), 26) AND 'sealed' = $2 AND sealed = $4",
        count: "SELECT substr(sealed, 2, 4), COUNT(*) FROM staged_rows WHERE sealed IS NOT NULL GROUP BY 1",
        forget: "UPDATE staged_rows SET sealed = NULL",
    },
    Sealed {
        table: "sign_ins",
        read: "SELECT id, 'sealed', sealed FROM sign_ins WHERE substr(sealed, 2, 4) <> $1 LIMIT 500",
        replace: "UPDATE sign_ins SET sealed = $3 WHERE id = $1 AND 'sealed' = $2 AND sealed = $4",
        count: "SELECT substr(sealed, 2, 4), COUNT(*) FROM sign_ins GROUP BY 1",
        forget: "DELETE FROM sign_ins",
    },
    Sealed {
        table: "client_keys",
        read: "SELECT connection, 'sealed', sealed FROM client_keys WHERE substr(sealed, 2, 4) <> $1 LIMIT 500",
        replace: "UPDATE client_keys SET sealed = $3 WHERE connection = $1 AND 'sealed' = $2 AND sealed = $4",
        count: "SELECT substr(sealed, 2, 4), COUNT(*) FROM client_keys GROUP BY 1",
        forget: "DELETE FROM client_keys",
    },
    Sealed {
        table: "canaries",
        read: "SELECT id, 'sealed', sealed FROM canaries WHERE substr(sealed, 2, 4) <> $1 LIMIT 500",
        replace: "UPDATE canaries SET sealed = $3 WHERE id = $1 AND 'sealed' = $2 AND sealed = $4",
        count: "SELECT substr(sealed, 2, 4), COUNT(*) FROM canaries GROUP BY 1",
        forget: "DELETE FROM canaries",
    },
];

/// The migration that brought the canary.
const CANARY_SINCE: i64 = 4;
const CANARY: &str = "store";
const CANARY_TEXT: &[u8] = b"this keyring opens this store";

/// How much a key seals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyUse {
    /// Its number in the keyring.
    pub key: u32,
    pub records: u64,
    pub is_in_the_keyring: bool,
    /// New records are sealed with it.
    pub is_newest: bool,
}

fn canary_place() -> Place<'static> {
    Place { table: "canaries", row: CANARY, column: "sealed" }
}

impl Store {
    /// The tables that hold sealed records.
    pub fn sealed_tables() -> Vec<&'static str> {
        SEALED.iter().map(|sealed| sealed.table).collect()
    }

    /// Seals every record that an older key sealed anew with the newest one, while other processes work; returns how
    /// many. A record that somebody replaces meanwhile is sealed with the newest key anyway.
    pub async fn reseal(&self) -> Result<u64, StoreError> {
        let mut resealed = 0;
        for column in SEALED {
            resealed += self.reseal_column(column).await?;
        }
        Ok(resealed)
    }

    async fn reseal_column(&self, column: &Sealed) -> Result<u64, StoreError> {
        let mut resealed = 0;
        loop {
            let newest = self.vault.newest().to_be_bytes().to_vec();
            let rows = self.database.query(column.read, [newest.into()]).await?;
            if rows.is_empty() {
                return Ok(resealed);
            }
            let mut changes = Vec::new();
            for mut row in rows {
                let (place, name, sealed) = (row.text()?, row.text()?, row.blob()?);
                let at = Place { table: column.table, row: &place, column: &name };
                let Some(anew) = self.vault.reseal(at, &sealed)? else { continue };
                changes.push(Change::new(column.replace, [place.into(), name.into(), anew.into(), sealed.into()]));
            }
            resealed += changes.len() as u64;
            match self.database.commit(changes).await.map_err(DatabaseError::unexpected)? {
                Committed::Done(_) | Committed::Undone => {}
            }
        }
    }

    /// How many records each key seals, the keys of the keyring that seal nothing included; by number.
    pub async fn key_uses(&self) -> Result<Vec<KeyUse>, StoreError> {
        let mut counts: std::collections::BTreeMap<u32, u64> =
            self.vault.keys().into_iter().map(|key| (key, 0)).collect();
        for column in SEALED {
            for mut row in self.database.query(column.count, []).await? {
                let key = row.blob()?.try_into().map_err(|_| StoreError::corrupt("a sealed record is too short"))?;
                *counts.entry(u32::from_be_bytes(key)).or_default() += row.count()?;
            }
        }
        let (known, newest) = (self.vault.keys(), self.vault.newest());
        let uses = counts.into_iter().map(|(key, records)| KeyUse {
            key,
            records,
            is_in_the_keyring: known.contains(&key),
            is_newest: key == newest,
        });
        Ok(uses.collect())
    }

    /// Forgets everything that is sealed, since its key is lost, and begins anew with the present keyring. Connections
    /// need a new sign-in then.
    pub async fn forget_sealed(&self) -> Result<(), StoreError> {
        const FORGET_INTENTS: &str = "DELETE FROM redemptions";
        const NEEDS_SIGN_IN: &str = "UPDATE connections SET state = $1";
        let state = crate::connection::state::ConnectionState::NeedsReauthorization {
            since: self.clock.now(),
            reason: "the key that its secrets were sealed with is lost".to_owned(),
            retry_at: None,
        };
        let document = serde_json::to_string(&state).expect("a state is plain data");
        let mut changes: Vec<Change> = SEALED.iter().map(|column| Change::new(column.forget, [])).collect();
        changes.push(Change::new(FORGET_INTENTS, []));
        changes.push(Change::new(NEEDS_SIGN_IN, [document.into()]));
        changes.push(planted(&self.vault, self.clock.now()));
        self.database.commit(changes).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }
}

fn planted(vault: &Vault, now: Timestamp) -> Change {
    const PLANT: &str = "INSERT INTO canaries (id, sealed, sealed_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    Change::new(PLANT, [CANARY.into(), vault.seal(canary_place(), CANARY_TEXT).into(), now.into()])
}

/// True when the database holds anything that is sealed. Changes nothing.
pub(super) async fn holds_secrets(database: &Database) -> Result<bool, StoreError> {
    let tables: &[&str] = match database.version().await? {
        0 => return Ok(false),
        CANARY_SINCE.. => &["SELECT COUNT(*) FROM canaries", "SELECT COUNT(*) FROM credentials"],
        _ => &["SELECT COUNT(*) FROM credentials"],
    };
    for count in tables {
        if database.query_first(count, []).await?.map_or(Ok(0), |mut row| row.count())? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Refuses a keyring that is not the one of this database. Changes nothing.
pub(super) async fn check_keyring(database: &Database, vault: &Vault) -> Result<(), StoreError> {
    const CANARIES: &str = "SELECT sealed FROM canaries WHERE id = $1";
    // Of a store that has no canary yet, any credential will do.
    const CREDENTIALS: &str = "SELECT connection_id, kind, sealed FROM credentials LIMIT 1";
    let wrong = |source| StoreError::WrongKeyring { place: database.place().to_owned(), source };
    let version = database.version().await?;
    if version >= CANARY_SINCE
        && let Some(mut row) = database.query_first(CANARIES, [CANARY.into()]).await?
    {
        vault.open(canary_place(), &row.blob()?).map_err(wrong)?;
        return Ok(());
    }
    if version > 0
        && let Some(mut row) = database.query_first(CREDENTIALS, []).await?
    {
        let read = |row: &mut Row| Ok::<_, StoreError>((row.text()?, row.text()?, row.blob()?));
        let (connection, kind, sealed) = read(&mut row)?;
        vault.open(Place { table: "credentials", row: &connection, column: &kind }, &sealed).map_err(wrong)?;
    }
    Ok(())
}

/// Puts the canary where there is none, and looks whose it is: another process may have been first.
pub(super) async fn plant_canary(database: &Database, vault: &Vault, now: Timestamp) -> Result<(), StoreError> {
    database.commit_one(planted(vault, now)).await.map_err(DatabaseError::unexpected)?;
    check_keyring(database, vault).await
}
