//! Links as people see and decide them.

use std::collections::BTreeMap;

use serde_json::Value;
use sync::{Timestamp, destination::Written, matching::Unmatched, table::StreamKey};
use tokio_postgres::{Row, Transaction, types::ToSql};

use super::{
    PostgresSettings,
    fault::Fault,
    matcher::{LINKS, Matcher, own_table},
    name::quoted,
    rows::has_column,
    schema::{CONNECTION, STREAM, Target},
    session::{Session, Work},
};
use crate::matching::{Comparison, Decider, Decision, Match, MatchError, MatchStatus};

/// Why work on links ended.
enum Failure {
    Ours(Fault),
    Match(MatchError),
}

impl<E: Into<Fault>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Ours(error.into())
    }
}

/// The links of a stream, those that were changed last first; `status`: only those.
pub(crate) async fn list(
    settings: &PostgresSettings,
    stream: &StreamKey,
    status: Option<MatchStatus>,
    limit: u32,
) -> Result<Vec<Match>, MatchError> {
    let mut desk = Desk::open(settings, stream).await?;
    let done = async { desk.links().await?.list(status, limit).await }.await;
    desk.close(done).await
}

/// One record beside the rows that it may stand for.
pub(crate) async fn compare(
    settings: &PostgresSettings,
    stream: &StreamKey,
    record: &str,
) -> Result<Comparison, MatchError> {
    let mut desk = Desk::open(settings, stream).await?;
    let done = async { desk.links().await?.compare(record).await }.await;
    desk.close(done).await
}

/// Keeps a person's decision.
pub(crate) async fn decide(
    settings: &PostgresSettings,
    stream: &StreamKey,
    record: &str,
    decision: &Decision,
    decider: Decider<'_>,
) -> Result<Comparison, MatchError> {
    let mut desk = Desk::open(settings, stream).await?;
    let done = async {
        let links = desk.links().await?;
        let compared = links.decide(record, decision, decider).await?;
        links.commit(compared).await
    }
    .await;
    desk.close(done).await
}

/// Applies the rules again.
pub(crate) async fn retry(
    settings: &PostgresSettings,
    stream: &StreamKey,
    records: &[String],
    at: Timestamp,
) -> Result<Written, MatchError> {
    let mut desk = Desk::open(settings, stream).await?;
    let done = async {
        let links = desk.links().await?;
        let written = links.retry(records, at).await?;
        links.commit(written).await
    }
    .await;
    desk.close(done).await
}

/// A connection for one question about the links of a stream.
struct Desk<'a> {
    session: Session,
    target: Target,
    key: &'a StreamKey,
}

impl<'a> Desk<'a> {
    async fn open(settings: &PostgresSettings, key: &'a StreamKey) -> Result<Self, MatchError> {
        Ok(Self { session: Session::open(settings).await?, target: settings.target(key), key })
    }

    async fn links(&mut self) -> Result<Links<'_>, Failure> {
        let (target, key) = (&self.target, self.key);
        let Work { transaction, .. } = self.session.transaction().await?;
        let has_stream = has_column(&transaction, target, STREAM).await?;
        let matcher = Matcher::of(&transaction, target, key, has_stream).await?;
        let matcher = matcher.ok_or_else(|| Failure::Match(MatchError::NotMatching { table: key.table.clone() }))?;
        Ok(Links { transaction, target, key, matcher })
    }

    async fn close<T>(self, done: Result<T, Failure>) -> Result<T, MatchError> {
        self.session.close().await;
        done.map_err(|failure| match failure {
            Failure::Ours(fault) => fault.resolve(&self.target).into(),
            Failure::Match(error) => error,
        })
    }
}

/// The links of one stream, in one transaction.
struct Links<'a> {
    transaction: Transaction<'a>,
    target: &'a Target,
    key: &'a StreamKey,
    matcher: Matcher,
}

const COLUMNS: &str = "record, status, their_key, candidates, changed_at, decided_by, gone";

impl Links<'_> {
    async fn commit<T>(self, done: T) -> Result<T, Failure> {
        self.transaction.commit().await?;
        Ok(done)
    }

    fn table(&self) -> String {
        own_table(self.target, LINKS).quoted()
    }

    fn stream(&self) -> &str {
        self.key.stream.as_deref().unwrap_or_default()
    }

    async fn list(&self, status: Option<MatchStatus>, limit: u32) -> Result<Vec<Match>, Failure> {
        let query = format!(
            "SELECT {COLUMNS} FROM {} WHERE connection = $1 AND \"table\" = $2 AND stream = $3
             AND status = coalesce($4, status) ORDER BY changed_at DESC, record LIMIT $5",
            self.table()
        );
        let status = status.map(MatchStatus::text);
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&self.key.connection, &self.target.table, &self.stream(), &status, &i64::from(limit)];
        let rows = self.transaction.query(&query, &parameters).await?;
        Ok(rows.iter().map(link).collect::<Result<_, _>>()?)
    }

    async fn link(&self, record: &str) -> Result<Option<Match>, Failure> {
        let query =
            format!("SELECT {COLUMNS} FROM {} WHERE (connection, \"table\", record) = ($1, $2, $3)", self.table());
        let parameters: [&(dyn ToSql + Sync); 3] = [&self.key.connection, &self.target.table, &record];
        let row = self.transaction.query_opt(&query, &parameters).await?;
        Ok(row.as_ref().map(link).transpose()?)
    }

    async fn compare(&self, record: &str) -> Result<Comparison, Failure> {
        let ours = self.our_values(record).await?;
        let link = self.link(record).await?.unwrap_or_else(|| Match::unseen(record));
        let mut theirs = BTreeMap::new();
        for key in link.their_key.iter().chain(&link.candidates) {
            if let Some(values) = self.their_values(key).await? {
                theirs.insert(key.clone(), values);
            }
        }
        Ok(Comparison { link, ours, theirs })
    }

    async fn decide(&self, record: &str, decision: &Decision, decider: Decider<'_>) -> Result<Comparison, Failure> {
        self.our_values(record).await?;
        let (status, their_key) = match decision {
            Decision::Link(key) => {
                let no_row = || MatchError::NoRow { table: self.matcher.theirs.name(), key: key.clone() };
                self.their_values(key).await?.ok_or_else(|| Failure::Match(no_row()))?;
                (MatchStatus::Matched, Some(key))
            }
            Decision::Ignore => (MatchStatus::Ignored, None),
        };
        let save = format!(
            "INSERT INTO {} (connection, object, \"table\", stream, record, status, their_key, changed_at, decided_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (connection, \"table\", record) DO UPDATE SET status = excluded.status,
             their_key = excluded.their_key, candidates = NULL, changed_at = excluded.changed_at,
             decided_by = excluded.decided_by",
            self.table()
        );
        let at = decider.at.to_string();
        let parameters: [&(dyn ToSql + Sync); 9] = [
            &self.key.connection,
            &self.key.object,
            &self.target.table,
            &self.stream(),
            &record,
            &status.text(),
            &their_key,
            &at,
            &decider.name,
        ];
        self.transaction.execute(&save, &parameters).await?;
        let pass = self.matcher.begin(&self.transaction, self.target, self.key, decider.at).await?;
        pass.arrive(&[record]).await?;
        pass.transfer().await?;
        self.compare(record).await
    }

    async fn retry(&self, records: &[String], at: Timestamp) -> Result<Written, Failure> {
        let pass = self.matcher.begin(&self.transaction, self.target, self.key, at).await?;
        for record in records {
            self.our_values(record).await?;
        }
        let named: Vec<&str> = records.iter().map(String::as_str).collect();
        pass.arrive(&named).await?;
        let look = match (records.is_empty(), self.matcher.rules.matching.unmatched) {
            (false, _) => pass.composer.forget_decisions(),
            (true, Unmatched::Queue) => pass.composer.arrive_open(),
            // Those that wait are not written down.
            (true, Unmatched::Ignore) => pass.composer.arrive_all(self.matcher.has_stream),
        };
        pass.execute(&look).await?;
        Ok(pass.judge(false).await?)
    }

    /// The values of ours that matching is about.
    async fn our_values(&self, record: &str) -> Result<BTreeMap<String, Value>, Failure> {
        let rules = &self.matcher.rules;
        let names = rules.matching.ours().map(str::to_owned).collect();
        let which = format!("{CONNECTION} = $2 AND {} = $1", quoted(&rules.id));
        let found = self.values(self.target, names, &which, &[&record, &self.key.connection]).await?;
        let no_record = || MatchError::NoRecord { table: self.key.table.clone(), record: record.to_owned() };
        found.ok_or_else(|| Failure::Match(no_record()))
    }

    /// The values of one row of theirs that matching is about.
    async fn their_values(&self, key: &str) -> Result<Option<BTreeMap<String, Value>>, Failure> {
        let matching = &self.matcher.rules.matching;
        let compared = matching.by.iter().flat_map(|by| &by.pairs).map(|pair| pair.theirs.clone());
        let names = compared.chain(matching.columns.keys().cloned()).collect();
        let which = format!("CAST({} AS TEXT) = $1", quoted(&matching.key));
        self.values(&self.matcher.theirs, names, &which, &[&key]).await
    }

    /// Named columns of one row, as text.
    async fn values(
        &self,
        table: &Target,
        mut names: Vec<String>,
        which: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<BTreeMap<String, Value>>, Failure> {
        names.sort_unstable();
        names.dedup();
        let columns: Vec<String> = names.iter().map(|name| format!("CAST({} AS TEXT)", quoted(name))).collect();
        let query = format!("SELECT {} FROM {} WHERE {which}", columns.join(", "), table.quoted());
        let Some(row) = self.transaction.query_opt(&query, parameters).await? else { return Ok(None) };
        let mut values = BTreeMap::new();
        for (index, name) in names.into_iter().enumerate() {
            values.insert(name, row.try_get::<_, Option<String>>(index)?.map_or(Value::Null, Value::String));
        }
        Ok(Some(values))
    }
}

fn link(row: &Row) -> Result<Match, tokio_postgres::Error> {
    let candidates: Option<&str> = row.try_get(3)?;
    Ok(Match {
        record: row.try_get(0)?,
        // What is not known was written by a later version, and is nothing that waits for somebody.
        status: MatchStatus::of(row.try_get(1)?).unwrap_or(MatchStatus::Ignored),
        their_key: row.try_get(2)?,
        candidates: candidates.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
        changed_at: row.try_get(4)?,
        decided_by: row.try_get(5)?,
        gone: row.try_get(6)?,
    })
}
