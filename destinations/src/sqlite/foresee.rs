//! What a run would make of records, found out on copies through a connection that cannot write.

use rusqlite::{Connection, OpenFlags, Row, Transaction, params};
use sync::{
    Timestamp,
    destination::DestinationError,
    table::{StreamKey, TableBatch},
};

use super::{
    SqliteSettings,
    failure::Failure,
    matcher::{LINK_COLUMNS, LINKS, Matcher, Pass, add_functions, create_links, no_table},
    rows::Stream,
    schema::{self, OwnColumns, find, quoted},
};
use crate::matching::{
    Foreseen,
    foresee::{Asked, Fillings, Judged, Snapshot, changes},
    sql::{COPIES, Composer},
};

pub(crate) fn foresee(settings: &SqliteSettings, asked: &Asked) -> Result<Vec<Foreseen>, DestinationError> {
    let place = settings.place();
    if !settings.path.exists() {
        return Err(no_table(&place, &asked.rules.matching.table));
    }
    within(settings, &place, asked).map_err(|failure| failure.resolve(&place, &asked.stream.table))
}

/// A temporary table stands before one of the file that has its name (*SQL As Understood By SQLite*, ATTACH DATABASE), so
/// that the statements of a run find the copies.
fn within(settings: &SqliteSettings, place: &str, asked: &Asked) -> Result<Vec<Foreseen>, Failure> {
    let mut file = Connection::open_with_flags(&settings.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    file.busy_timeout(settings.busy_timeout)?;
    add_functions(&file)?;
    let transaction = file.transaction()?;
    schema::check(&transaction, &asked.whole).map_err(|fault| fault.failure(place, &asked.whole.name))?;
    let matcher = Matcher::foreseeing(&transaction, place, asked.rules.clone())?;
    copy_rows(&transaction, place, asked)?;
    copy_links(&transaction, &asked.stream, &asked.records())?;
    let pass = matcher.begin(&transaction, &asked.stream, Timestamp(0))?;
    for record in asked.records() {
        pass.arrive(record)?;
    }
    pass.link()?;
    let judged = pass.query(&pass.composer.judged(), judged)?;
    let fillings = fillings(&transaction, &pass, matcher.composer(&asked.stream))?;
    Ok(asked.foreseen(judged, &fillings))
}

/// The rows as the run would write them.
fn copy_rows(transaction: &Transaction<'_>, place: &str, asked: &Asked) -> Result<(), Failure> {
    let table = &asked.table;
    transaction.execute_batch(&schema::create(&format!("temp.{}", quoted(&table.name)), table))?;
    let own = OwnColumns { flag: asked.rules.flag, stream: false };
    let stream = Stream::new(asked.stream.clone(), table.clone(), own, None);
    let batch = TableBatch { upserts: asked.rows.clone(), ..TableBatch::empty(table) };
    stream.upsert(transaction, place, &batch, None, &mut Vec::new())
}

/// The links that these records have already.
fn copy_links(transaction: &Transaction<'_>, key: &StreamKey, records: &[&str]) -> rusqlite::Result<()> {
    let has_links = find(transaction, LINKS)?.is_some();
    transaction.execute_batch(&create_links(&format!("temp.{LINKS}")))?;
    if !has_links {
        return Ok(());
    }
    let copy = format!(
        "INSERT INTO temp.{LINKS} ({LINK_COLUMNS}) SELECT {LINK_COLUMNS} FROM main.{LINKS}
         WHERE connection = ?1 AND \"table\" = ?2 AND record = ?3 ON CONFLICT DO NOTHING"
    );
    let mut copy = transaction.prepare(&copy)?;
    for record in records {
        copy.execute(params![key.connection, key.table, record])?;
    }
    Ok(())
}

/// Fills copies of the rows that the records stand for.
fn fillings(transaction: &Transaction<'_>, pass: &Pass<'_>, mut composer: Composer<'_>) -> rusqlite::Result<Fillings> {
    let columns = composer.filled();
    if columns.is_empty() {
        return Ok(Fillings::new());
    }
    let key = pass.composer.rules.matching.key.as_str();
    let names: Vec<String> = [key].into_iter().chain(columns.iter().copied()).map(quoted).collect();
    let names = names.join(", ");
    let create = format!("CREATE TABLE temp.{COPIES} AS SELECT {names} FROM {} WHERE false", composer.tables.theirs);
    transaction.execute_batch(&create)?;
    pass.execute(&composer.copy_rows(&names))?;
    let before = pass.query(&composer.copied(), snapshot)?.into_iter().collect::<Snapshot>();
    composer.tables.theirs = composer.copies();
    if let Some(transfer) = composer.transfer() {
        pass.execute(&transfer)?;
    }
    let after = pass.query(&composer.copied(), snapshot)?.into_iter().collect::<Snapshot>();
    let fillers = pass.query(&composer.fillers(), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let filled = fillers.into_iter().map(|(key, record): (String, String)| {
        let filling = changes(&columns, &key, &before, &after);
        (key, (record, filling))
    });
    Ok(filled.collect())
}

fn judged(row: &Row<'_>) -> rusqlite::Result<Judged> {
    Ok(Judged {
        record: row.get(0)?,
        status: row.get(1)?,
        their_key: row.get(2)?,
        candidates: row.get(3)?,
        decided_by: row.get(4)?,
        found: row.get(5)?,
        step: row.get(6)?,
    })
}

/// The key, and the values; what is no text is made one.
fn snapshot(row: &Row<'_>) -> rusqlite::Result<(String, Vec<Option<String>>)> {
    let text = |index: usize| {
        let bytes = row.get_ref(index)?.as_bytes_or_null()?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    };
    let values = (1..row.as_ref().column_count()).map(text).collect::<rusqlite::Result<_>>()?;
    Ok((text(0)?.unwrap_or_default(), values))
}
