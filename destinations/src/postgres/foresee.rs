//! What a run would make of records, found out on copies in a transaction that is given up.

use std::collections::BTreeMap;

use sync::{
    Timestamp,
    destination::DestinationError,
    matching::Matching,
    table::{ColumnType, StreamKey},
};
use tokio_postgres::{Row, Transaction};

use super::{
    PostgresSettings,
    fault::{Fault, refusal},
    matcher::{LINK_COLUMNS, LINKS, Matcher, Pass, create_links, own_table},
    schema::{OwnColumns, Readiness, Target, create, find, held_types},
    session::{Session, Work},
    writer::write_anew,
};
use crate::matching::{
    Filling, Foreseen, Rules,
    foresee::{Asked, Fillings, Judged, Snapshot, changes},
    sql::COPIES,
};

/// The schema of this session's own tables.
const TEMPORARY: &str = "pg_temp";

pub(crate) async fn foresee(settings: &PostgresSettings, asked: &Asked) -> Result<Vec<Foreseen>, DestinationError> {
    let target = settings.target(&asked.stream);
    let mut session = Session::open(settings).await?;
    let foreseen = within(&mut session, &target, asked).await;
    session.close().await;
    foreseen.map_err(|fault| fault.resolve(&target))
}

/// The copies have the names of what they are copied from, in the schema that is this session's own.
async fn within(session: &mut Session, target: &Target, asked: &Asked) -> Result<Vec<Foreseen>, Fault> {
    let copies = Target { schema: TEMPORARY.to_owned(), ..target.clone() };
    let mut work = session.transaction().await?;
    let held = held_types(&work.transaction, target, &asked.whole).await?;
    let matcher = Matcher::foreseeing(&work.transaction, target, asked.rules.clone()).await?;
    copy_rows(&mut work, &copies, asked, &held).await?;
    let transaction = &work.transaction;
    copy_links(transaction, target, &copies, asked).await?;
    let theirs = matcher.theirs.quoted();
    transaction
        .batch_execute(&format!("CREATE TEMPORARY TABLE {COPIES} (LIKE {theirs} INCLUDING CONSTRAINTS)"))
        .await?;
    let pass = matcher.begin(transaction, &copies, &asked.stream, Timestamp(0)).await?;
    // From here on the server itself refuses to write to anything but temporary tables.
    transaction.batch_execute("SET TRANSACTION READ ONLY").await?;
    pass.arrive(&asked.records()).await?;
    pass.link().await?;
    let judged = pass.query(&pass.composer.judged()).await?;
    let judged = judged.iter().map(judged_of).collect::<Result<Vec<_>, _>>()?;
    let fillings = Trial { transaction, pass: &pass, matcher: &matcher, copies: &copies }.fillings().await?;
    Ok(asked.foreseen(judged, &fillings))
}

/// The rows as the run would write them, in the types in which the table holds them.
async fn copy_rows(work: &mut Work<'_>, copies: &Target, asked: &Asked, held: &[ColumnType]) -> Result<(), Fault> {
    let held: Vec<ColumnType> = asked.columns.iter().map(|index| held[*index]).collect();
    let mut table = asked.table.clone();
    table.columns.iter_mut().zip(&held).for_each(|(column, held)| column.kind = *held);
    work.transaction.batch_execute(&create(copies, &table)).await?;
    let ready = Readiness { lost: None, own: OwnColumns { flag: asked.rules.flag, stream: false }, held };
    write_anew(work, copies, (&asked.stream, &asked.table), ready, &asked.rows).await
}

/// The links that these records have already.
async fn copy_links(
    transaction: &Transaction<'_>,
    target: &Target,
    copies: &Target,
    asked: &Asked,
) -> Result<(), Fault> {
    let (links, copied) = (own_table(target, LINKS), own_table(copies, LINKS));
    transaction.batch_execute(&create_links(&copied)).await?;
    if find(transaction, &links).await?.is_some() {
        let copy = format!(
            "INSERT INTO {} ({LINK_COLUMNS}) SELECT {LINK_COLUMNS} FROM {}
             WHERE connection = $1 AND \"table\" = $2 AND record = ANY ($3)",
            copied.quoted(),
            links.quoted()
        );
        let StreamKey { connection, .. } = &asked.stream;
        transaction.execute(&copy, &[connection, &target.table, &asked.records()]).await?;
    }
    Ok(())
}

/// Fills copies of rows of theirs.
struct Trial<'a> {
    transaction: &'a Transaction<'a>,
    pass: &'a Pass<'a>,
    matcher: &'a Matcher,
    copies: &'a Target,
}

/// How it ended.
enum Tried {
    Filled {
        before: Snapshot,
        after: Snapshot,
    },
    /// In PostgreSQL's words.
    Refused(String),
}

impl Trial<'_> {
    /// All rows at once; one by one where some of them refuse what they are given.
    async fn fillings(&self) -> Result<Fillings, Fault> {
        let rules = &self.matcher.rules;
        let columns = self.pass.composer.filled();
        if columns.is_empty() {
            return Ok(Fillings::new());
        }
        let fillers = self.pass.query(&self.pass.composer.fillers()).await?;
        let fillers = fillers.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let fillers: Vec<(String, String)> = fillers.collect::<Result<_, tokio_postgres::Error>>()?;
        let records: Vec<&str> = fillers.iter().map(|(_, record)| record.as_str()).collect();
        let together = self.try_to_fill(rules, &records).await?;
        let mut fillings = Fillings::new();
        for (key, record) in &fillers {
            let filling = match &together {
                Tried::Filled { before, after } => changes(&columns, key, before, after),
                Tried::Refused(_) => self.filling(key, record).await?,
            };
            fillings.insert(key.clone(), (record.clone(), filling));
        }
        Ok(fillings)
    }

    async fn filling(&self, key: &str, record: &str) -> Result<Filling, Fault> {
        match self.try_to_fill(&self.matcher.rules, &[record]).await? {
            Tried::Filled { before, after } => Ok(changes(&self.pass.composer.filled(), key, &before, &after)),
            Tried::Refused(reason) => Ok(Filling::Refused { column: self.refusing(record).await?, reason }),
        }
    }

    /// The column that refuses by itself what it is given.
    async fn refusing(&self, record: &str) -> Result<Option<String>, Fault> {
        for (name, transfer) in &self.matcher.rules.matching.columns {
            let columns = BTreeMap::from([(name.clone(), transfer.clone())]);
            let matching = Matching { columns, ..self.matcher.rules.matching.clone() };
            let rules = Rules { matching, ..self.matcher.rules.clone() };
            if matches!(self.try_to_fill(&rules, &[record]).await?, Tried::Refused(_)) {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }

    /// Leaves the copies as they were.
    async fn try_to_fill(&self, rules: &Rules, records: &[&str]) -> Result<Tried, Fault> {
        self.transaction.batch_execute("SAVEPOINT trial").await?;
        let tried = match self.fill(rules, records).await {
            Ok((before, after)) => Tried::Filled { before, after },
            Err(fault) => Tried::Refused(refusal(fault)?),
        };
        self.transaction.batch_execute("ROLLBACK TO SAVEPOINT trial; RELEASE SAVEPOINT trial").await?;
        Ok(tried)
    }

    async fn fill(&self, rules: &Rules, records: &[&str]) -> Result<(Snapshot, Snapshot), Fault> {
        let mut composer = self.matcher.composer(self.copies);
        composer.rules = rules;
        self.transaction.batch_execute("DELETE FROM pg_temp._orgtide_arrived").await?;
        self.pass.arrive(records).await?;
        self.pass.execute(&composer.copy_rows("c.*")).await?;
        let before = snapshot(self.pass.query(&composer.copied()).await?)?;
        composer.tables.theirs = composer.copies();
        if let Some(transfer) = composer.transfer() {
            self.pass.execute(&transfer).await?;
        }
        let after = snapshot(self.pass.query(&composer.copied()).await?)?;
        Ok((before, after))
    }
}

fn judged_of(row: &Row) -> Result<Judged, tokio_postgres::Error> {
    Ok(Judged {
        record: row.try_get(0)?,
        status: row.try_get(1)?,
        their_key: row.try_get(2)?,
        candidates: row.try_get(3)?,
        decided_by: row.try_get(4)?,
        found: row.try_get(5)?,
        step: row.try_get(6)?,
    })
}

/// The key of each row, and its values.
fn snapshot(rows: Vec<Row>) -> Result<Snapshot, tokio_postgres::Error> {
    let read = |row: Row| {
        let values = (1..row.len()).map(|index| row.try_get(index)).collect::<Result<_, _>>()?;
        Ok((row.try_get::<_, Option<String>>(0)?.unwrap_or_default(), values))
    };
    rows.into_iter().map(read).collect()
}
