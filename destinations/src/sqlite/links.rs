//! Links as people see and decide them.

use std::collections::BTreeMap;

use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params, types::ValueRef,
};
use serde_json::{Value, json};
use sync::{Timestamp, destination::Written, matching::Unmatched, table::StreamKey};

use super::{
    SqliteSettings,
    failure::Failure,
    matcher::{LINKS, Matcher, add_functions},
    schema::{CONNECTION, quoted},
};
use crate::matching::{Comparison, Decider, Decision, Match, MatchError, MatchStatus};

/// Why work on links ended.
pub(crate) enum LinksFailure {
    Ours(Failure),
    Match(MatchError),
}

impl From<rusqlite::Error> for LinksFailure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Ours(Failure::Sqlite(error))
    }
}

impl From<Failure> for LinksFailure {
    fn from(failure: Failure) -> Self {
        Self::Ours(failure)
    }
}

impl From<MatchError> for LinksFailure {
    fn from(error: MatchError) -> Self {
        Self::Match(error)
    }
}

/// The links of one stream, in one transaction.
pub(crate) struct Links<'a> {
    transaction: &'a Transaction<'a>,
    key: &'a StreamKey,
    matcher: Matcher,
}

/// Works on the links of a stream in one transaction, on a thread where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    settings: &SqliteSettings,
    stream: &StreamKey,
    work: impl FnOnce(&Links<'_>) -> Result<T, LinksFailure> + Send + 'static,
) -> Result<T, MatchError> {
    let (settings, stream) = (settings.clone(), stream.clone());
    let task = tokio::task::spawn_blocking(move || {
        within(&settings, &stream, work).map_err(|failure| match failure {
            LinksFailure::Ours(failure) => failure.resolve(&settings.place(), &stream.table).into(),
            LinksFailure::Match(error) => error,
        })
    });
    task.await.expect("work on links does not panic")
}

fn within<T>(
    settings: &SqliteSettings,
    stream: &StreamKey,
    work: impl FnOnce(&Links<'_>) -> Result<T, LinksFailure>,
) -> Result<T, LinksFailure> {
    let mut file = Connection::open_with_flags(&settings.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    file.busy_timeout(settings.busy_timeout)?;
    add_functions(&file)?;
    let transaction = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let matcher = Matcher::of(&transaction, &settings.place(), stream)?;
    let matcher = matcher.ok_or_else(|| MatchError::NotMatching { table: stream.table.clone() })?;
    let done = work(&Links { transaction: &transaction, key: stream, matcher })?;
    transaction.commit()?;
    Ok(done)
}

const COLUMNS: &str = "record, status, their_key, candidates, changed_at, decided_by, gone";

impl Links<'_> {
    pub(crate) fn list(&self, status: Option<MatchStatus>, limit: u32) -> Result<Vec<Match>, LinksFailure> {
        let query = format!(
            "SELECT {COLUMNS} FROM {LINKS} WHERE connection = ?1 AND \"table\" = ?2 AND stream = ?3
             AND status = coalesce(?4, status) ORDER BY changed_at DESC, record LIMIT ?5"
        );
        let StreamKey { connection, table, stream, .. } = self.key;
        let stream = stream.as_deref().unwrap_or_default();
        let mut statement = self.transaction.prepare(&query)?;
        let links = statement
            .query_map(params![connection, table, stream, status.map(MatchStatus::text), limit], link)?
            .collect::<Result<_, _>>()?;
        Ok(links)
    }

    fn link(&self, record: &str) -> rusqlite::Result<Option<Match>> {
        let query = format!("SELECT {COLUMNS} FROM {LINKS} WHERE connection = ?1 AND \"table\" = ?2 AND record = ?3");
        self.transaction.query_row(&query, params![self.key.connection, self.key.table, record], link).optional()
    }

    pub(crate) fn compare(&self, record: &str) -> Result<Comparison, LinksFailure> {
        let ours = self.our_values(record)?;
        let link = self.link(record)?.unwrap_or_else(|| Match::unseen(record));
        let mut theirs = BTreeMap::new();
        for key in link.their_key.iter().chain(&link.candidates) {
            if let Some(values) = self.their_values(key)? {
                theirs.insert(key.clone(), values);
            }
        }
        Ok(Comparison { link, ours, theirs })
    }

    pub(crate) fn decide(
        &self,
        record: &str,
        decision: &Decision,
        decider: Decider<'_>,
    ) -> Result<Comparison, LinksFailure> {
        self.our_values(record)?;
        let (status, their_key) = match decision {
            Decision::Link(key) => (MatchStatus::Matched, Some(self.canonical(key)?)),
            Decision::Ignore => (MatchStatus::Ignored, None),
        };
        let save = format!(
            "INSERT INTO {LINKS} (connection, object, \"table\", stream, record, status, their_key, changed_at, decided_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT DO UPDATE SET status = excluded.status, their_key = excluded.their_key, candidates = NULL,
             changed_at = excluded.changed_at, decided_by = excluded.decided_by"
        );
        let StreamKey { connection, object, table, stream, .. } = self.key;
        let stream = stream.as_deref().unwrap_or_default();
        let at = decider.at.to_string();
        self.transaction.execute(
            &save,
            params![connection, object, table, stream, record, status.text(), their_key, at, decider.name],
        )?;
        let pass = self.matcher.begin(self.transaction, self.key, decider.at)?;
        pass.arrive(record)?;
        pass.transfer()?;
        self.compare(record)
    }

    pub(crate) fn retry(&self, records: &[String], at: Timestamp) -> Result<Written, LinksFailure> {
        let pass = self.matcher.begin(self.transaction, self.key, at)?;
        for record in records {
            self.our_values(record)?;
            pass.arrive(record)?;
        }
        if !records.is_empty() {
            pass.execute(&pass.composer.forget_decisions())?;
            return Ok(pass.judge(false)?);
        }
        let open = match self.matcher.rules.matching.unmatched {
            Unmatched::Queue => pass.composer.arrive_open(),
            // Those that wait are not written down.
            Unmatched::Ignore => pass.composer.arrive_all(self.matcher.has_stream),
        };
        pass.execute(&open)?;
        Ok(pass.judge(false)?)
    }

    /// The values of ours that matching is about.
    fn our_values(&self, record: &str) -> Result<BTreeMap<String, Value>, LinksFailure> {
        let names = self.matcher.rules.matching.ours().map(str::to_owned).collect();
        let id = &self.matcher.rules.id;
        let which = format!("{CONNECTION} = ?2 AND {}", quoted(id));
        let found = self.values(&self.key.table, names, &which, params![record, self.key.connection])?;
        let no_record = || MatchError::NoRecord { table: self.key.table.clone(), record: record.to_owned() };
        Ok(found.ok_or_else(no_record)?)
    }

    /// The values of one row of theirs that matching is about.
    fn their_values(&self, key: &str) -> rusqlite::Result<Option<BTreeMap<String, Value>>> {
        let matching = &self.matcher.rules.matching;
        let compared = matching.by.iter().flat_map(|by| &by.pairs).map(|pair| pair.theirs.clone());
        let names = compared.chain(matching.columns.keys().cloned()).collect();
        self.values(&self.matcher.theirs, names, &quoted(&matching.key), params![key])
    }

    /// Named columns of the row in which `column` is the first parameter.
    fn values(
        &self,
        table: &str,
        mut names: Vec<String>,
        column: &str,
        parameters: &[&dyn rusqlite::ToSql],
    ) -> rusqlite::Result<Option<BTreeMap<String, Value>>> {
        names.sort_unstable();
        names.dedup();
        let columns: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        let query = format!("SELECT {} FROM {} WHERE {column} = ?1", columns.join(", "), quoted(table));
        let spell = |row: &Row<'_>| {
            let cell = |(index, name): (usize, &String)| Ok((name.clone(), spelled(row.get_ref(index)?)));
            names.iter().enumerate().map(cell).collect()
        };
        self.transaction.query_row(&query, parameters, spell).optional()
    }

    /// The key of a row of theirs, as the links spell it.
    fn canonical(&self, key: &str) -> Result<String, LinksFailure> {
        let (table, column) = (&self.matcher.theirs, quoted(&self.matcher.rules.matching.key));
        let query = format!("SELECT CAST({column} AS TEXT) FROM {} WHERE {column} = ?1", quoted(table));
        let found = self.transaction.query_row(&query, [key], |row| row.get(0)).optional()?;
        Ok(found.ok_or_else(|| MatchError::NoRow { table: table.clone(), key: key.to_owned() })?)
    }
}

fn link(row: &Row<'_>) -> rusqlite::Result<Match> {
    let status: String = row.get(1)?;
    let candidates: Option<String> = row.get(3)?;
    Ok(Match {
        record: row.get(0)?,
        // What is not known was written by a later version, and is nothing that waits for somebody.
        status: MatchStatus::of(&status).unwrap_or(MatchStatus::Ignored),
        their_key: row.get(2)?,
        candidates: candidates.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        changed_at: row.get(4)?,
        decided_by: row.get(5)?,
        gone: row.get(6)?,
    })
}

fn spelled(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => json!(number),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => json!(format!("{} bytes", bytes.len())),
    }
}
