//! Matching the records of a batch, in the transaction that writes them.

use arrow_array::{Array, StringArray, cast::AsArray};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, functions::FunctionFlags, params, params_from_iter};
use sync::{
    Timestamp,
    destination::{DestinationError, Written},
    table::{StreamKey, TableBatch, TableSchema},
};

use super::{
    failure::Failure,
    rows::Stream,
    schema::{CONNECTION, Found, FoundColumn, OwnColumns, STREAM, find, quoted},
};
use crate::matching::{
    Rules,
    sql::{Composer, Dialect, Parameter, Statement, Tables, TheirColumn},
};

pub(super) const LINKS: &str = "_orgtide_matches";

/// The columns of [`LINKS`].
pub(super) const LINK_COLUMNS: &str = "connection, object, \"table\", stream, record, status, their_key, candidates, \
                                       changed_at, decided_by, gone";

/// Makes the table of links, under this name.
pub(super) fn create_links(name: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {name} (
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    \"table\" TEXT NOT NULL,
    stream TEXT NOT NULL DEFAULT '',
    record TEXT NOT NULL,
    status TEXT NOT NULL,
    their_key TEXT,
    candidates TEXT,
    changed_at TEXT NOT NULL,
    decided_by TEXT,
    gone INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (connection, \"table\", record)
)"
    )
}

const CREATE_RULES: &str = "CREATE TABLE IF NOT EXISTS _orgtide_matchings (
    connection TEXT NOT NULL,
    object TEXT NOT NULL,
    \"table\" TEXT NOT NULL,
    stream TEXT NOT NULL DEFAULT '',
    rules TEXT NOT NULL,
    PRIMARY KEY (connection, object, \"table\", stream)
)";

const OF_STREAM: &str = "connection = ?1 AND object = ?2 AND \"table\" = ?3 AND stream = ?4";

static DIALECT: Dialect = Dialect {
    parameter: '?',
    temporary: "temp",
    fold: |text| format!("orgtide_fold({text})"),
    array: |texts| format!("json_group_array({texts})"),
};

/// Adds the functions that the statements use: SQLite's own `lower` knows no letters beyond ASCII.
pub(super) fn add_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("orgtide_fold", 1, flags, |call| {
        Ok(call.get::<Option<String>>(0)?.map(|text| text.trim().to_lowercase()))
    })
}

/// The rules of one stream, ready for this file.
pub(super) struct Matcher {
    pub(super) rules: Rules,
    /// The table of theirs, as the file spells it.
    pub(super) theirs: String,
    columns: Vec<TheirColumn>,
    pub(super) has_stream: bool,
    /// The rules are not those that the links were made by: the next write matches every record again.
    is_changed: bool,
}

impl Matcher {
    /// Looks up the table that is matched with; `None`: the stream is not matched.
    pub(super) fn prepare(
        transaction: &Transaction<'_>,
        place: &str,
        key: &StreamKey,
        table: &TableSchema,
        own: OwnColumns,
    ) -> Result<Option<Self>, Failure> {
        let Some(rules) = Rules::of(table, own.flag) else { return Ok(None) };
        transaction.execute_batch(&create_links(LINKS))?;
        transaction.execute_batch(CREATE_RULES)?;
        let is_changed = stored(transaction, key)?.as_ref() != Some(&rules);
        Self::new(transaction, place, rules, own.stream, is_changed).map(Some)
    }

    /// The matcher by the rules that the last run left; `None`: the stream is not matched.
    pub(super) fn of(transaction: &Transaction<'_>, place: &str, key: &StreamKey) -> Result<Option<Self>, Failure> {
        if find(transaction, LINKS)?.is_none() {
            return Ok(None);
        }
        let Some(rules) = stored(transaction, key)? else { return Ok(None) };
        let ours = find(transaction, &key.table)?;
        let has_stream = ours.is_some_and(|ours| ours.columns.iter().any(|column| column.name == STREAM));
        Self::new(transaction, place, rules, has_stream, false).map(Some)
    }

    /// The matcher by rules that nobody may have used yet.
    pub(super) fn foreseeing(transaction: &Transaction<'_>, place: &str, rules: Rules) -> Result<Self, Failure> {
        Self::new(transaction, place, rules, false, false)
    }

    fn new(
        transaction: &Transaction<'_>,
        place: &str,
        rules: Rules,
        has_stream: bool,
        is_changed: bool,
    ) -> Result<Self, Failure> {
        let refuse = |reason: String| DestinationError::Incompatible {
            place: place.to_owned(),
            table: rules.matching.table.clone(),
            reason,
        };
        let found = find(transaction, &rules.matching.table)?;
        let found = found.ok_or_else(|| no_table(place, &rules.matching.table))?;
        let columns = check(transaction, &found, &rules)?.map_err(refuse)?;
        Ok(Self { rules, theirs: found.name, columns, has_stream, is_changed })
    }

    pub(super) fn composer(&self, key: &StreamKey) -> Composer<'_> {
        let tables = Tables {
            ours: quoted(&key.table),
            theirs: quoted(&self.theirs),
            columns: &self.columns,
            links: LINKS.to_owned(),
        };
        Composer { dialect: &DIALECT, rules: &self.rules, tables }
    }

    /// Matches the records that a batch has touched, or every one when the rules have changed.
    pub(super) fn after(
        &self,
        transaction: &Transaction<'_>,
        stream: &Stream,
        batch: &TableBatch,
        has_swept: bool,
        at: Timestamp,
    ) -> Result<Written, Failure> {
        let touched = self.touched(&stream.table, batch);
        let is_idle = touched.iter().all(|ids| ids.is_empty()) && batch.deletes.is_empty();
        if is_idle && !has_swept && !self.is_changed {
            return Ok(Written::default());
        }
        let matching = self.begin(transaction, &stream.key, at)?;
        for id in touched.into_iter().flatten().flatten() {
            matching.arrive(id)?;
        }
        for deletion in &batch.deletes {
            matching.arrive(&deletion.id)?;
        }
        if self.is_changed {
            matching.execute(&matching.composer.arrive_all(self.has_stream))?;
            self.save(transaction, &stream.key)?;
        }
        Ok(matching.judge(has_swept)?)
    }

    /// The rules that were applied to every record are the ones that are stored.
    pub(super) fn committed(&mut self) {
        self.is_changed = false;
    }

    /// The ids of rows in which something may have changed that concerns matching.
    fn touched<'a>(&self, table: &TableSchema, batch: &'a TableBatch) -> Vec<&'a StringArray> {
        let is_concerned = |index: &usize| {
            table.columns.get(*index).is_some_and(|column| self.rules.matching.ours().any(|name| name == column.name))
        };
        let patch = batch.patch.as_ref().filter(|patch| patch.columns.iter().any(is_concerned));
        let patched = patch.and_then(|patch| {
            let place = patch.columns.iter().position(|index| *index == table.id)?;
            patch.rows.column(place).as_string_opt()
        });
        let upserted = batch.upserts.columns().get(table.id).and_then(|ids| ids.as_string_opt());
        upserted.into_iter().chain(patched).collect()
    }

    /// Begins to look at records; none are there yet.
    pub(super) fn begin<'a>(
        &'a self,
        transaction: &'a Transaction<'a>,
        key: &'a StreamKey,
        at: Timestamp,
    ) -> rusqlite::Result<Pass<'a>> {
        let composer = self.composer(key);
        for statement in composer.begin() {
            transaction.execute(&statement, [])?;
        }
        Ok(Pass { transaction, key, at: at.to_string(), composer })
    }

    fn save(&self, transaction: &Transaction<'_>, key: &StreamKey) -> rusqlite::Result<()> {
        let rules = serde_json::to_string(&self.rules).expect("rules are plain data");
        let save = "INSERT INTO _orgtide_matchings (connection, object, \"table\", stream, rules)
                    VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET rules = excluded.rules";
        let StreamKey { connection, object, table, stream, .. } = key;
        transaction.execute(save, params![connection, object, table, stream.as_deref().unwrap_or_default(), rules])?;
        Ok(())
    }
}

/// Why nothing can be matched with a table that is not there.
pub(super) fn no_table(place: &str, table: &str) -> DestinationError {
    let reason = "[match] names it, and there is no such table here; create it, or name another one".to_owned();
    DestinationError::Incompatible { place: place.to_owned(), table: table.to_owned(), reason }
}

/// The rules that the links were made by. What another version has written is none, and everything is matched again.
fn stored(transaction: &Transaction<'_>, key: &StreamKey) -> rusqlite::Result<Option<Rules>> {
    let StreamKey { connection, object, table, stream, .. } = key;
    let query = format!("SELECT rules FROM _orgtide_matchings WHERE {OF_STREAM}");
    let text: Option<String> = transaction
        .query_row(&query, params![connection, object, table, stream.as_deref().unwrap_or_default()], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Removes the links and the rules of a stream.
pub(super) fn remove(transaction: &Transaction<'_>, key: &StreamKey) -> rusqlite::Result<()> {
    if find(transaction, LINKS)?.is_none() {
        return Ok(());
    }
    let StreamKey { connection, object, table, stream, .. } = key;
    for own in [LINKS, "_orgtide_matchings"] {
        let remove = format!("DELETE FROM {own} WHERE {OF_STREAM}");
        transaction.execute(&remove, params![connection, object, table, stream.as_deref().unwrap_or_default()])?;
    }
    Ok(())
}

/// The columns that the rules name, or why the table cannot be matched with, in words that follow "table … cannot take
/// this stream".
fn check(
    transaction: &Transaction<'_>,
    found: &Found,
    rules: &Rules,
) -> rusqlite::Result<Result<Vec<TheirColumn>, String>> {
    let matching = &rules.matching;
    let has = |name: &str| found.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
    if found.is_view {
        return Ok(Err("it is a view; [match] needs the table behind it".to_owned()));
    }
    if has(CONNECTION).is_some() {
        return Ok(Err("Orgtide made it; [match] is for tables of others".to_owned()));
    }
    let compared = matching.by.iter().flat_map(|by| &by.pairs).map(|pair| &pair.theirs);
    let mut columns: Vec<TheirColumn> = Vec::new();
    for name in compared.chain(matching.columns.keys()).chain([&matching.key]) {
        let Some(column) = has(name) else {
            let names: Vec<&str> = found.columns.iter().map(|column| column.name.as_str()).collect();
            return Ok(Err(format!("[match] names its column {name:?}; it has {}", names.join(", "))));
        };
        if !columns.iter().any(|known| known.name == *name) {
            columns.push(their_column(name, column));
        }
    }
    let key = has(&matching.key).expect("it has just been looked up");
    if !is_text_or_number(&key.declared) {
        return Ok(Err(format!("its column {:?} is neither text nor a number, and cannot be the key", key.name)));
    }
    if !is_unique(transaction, found, key)? {
        return Ok(Err(format!(
            "its column {:?} may have the same value in several rows; [match] needs the primary key, or a column with a \
             unique index",
            key.name
        )));
    }
    Ok(Ok(columns))
}

fn their_column(name: &str, column: &FoundColumn) -> TheirColumn {
    TheirColumn {
        name: name.to_owned(),
        is_text: is_text(&column.declared),
        is_required: column.is_not_null,
        cast: None,
    }
}

/// Whether a declared type has text affinity (*Datatypes In SQLite*, §3.1).
fn is_text(declared: &str) -> bool {
    let declared = declared.to_ascii_uppercase();
    !declared.contains("INT") && ["CHAR", "CLOB", "TEXT"].into_iter().any(|part| declared.contains(part))
}

fn is_text_or_number(declared: &str) -> bool {
    !declared.is_empty() && (!declared.to_ascii_uppercase().contains("BLOB") || is_text(declared))
}

fn is_unique(connection: &Connection, found: &Found, key: &FoundColumn) -> rusqlite::Result<bool> {
    if key.key_place > 0 && found.columns.iter().filter(|column| column.key_place > 0).count() == 1 {
        return Ok(true);
    }
    let query = "SELECT count(*) FROM pragma_index_list(?1) AS i WHERE i.\"unique\" AND NOT i.partial
                 AND (SELECT group_concat(name, char(0)) FROM pragma_index_info(i.name)) = ?2";
    connection.query_row(query, (&found.name, &key.name), |row| row.get(0))
}

/// One look at some records.
pub(super) struct Pass<'a> {
    transaction: &'a Transaction<'a>,
    key: &'a StreamKey,
    at: String,
    pub(super) composer: Composer<'a>,
}

impl Pass<'_> {
    /// Has a look at a record.
    pub(super) fn arrive(&self, record: &str) -> rusqlite::Result<()> {
        let arrive = "INSERT INTO temp._orgtide_arrived VALUES (?1) ON CONFLICT DO NOTHING";
        self.transaction.prepare_cached(arrive)?.execute([record])?;
        Ok(())
    }

    fn value(&self, parameter: Parameter) -> &str {
        match parameter {
            Parameter::Connection => &self.key.connection,
            Parameter::Object => &self.key.object,
            Parameter::Table => &self.key.table,
            Parameter::Stream => self.key.stream.as_deref().unwrap_or_default(),
            Parameter::At => &self.at,
        }
    }

    pub(super) fn execute(&self, statement: &Statement) -> rusqlite::Result<usize> {
        let values = statement.parameters.iter().map(|parameter| self.value(*parameter));
        self.transaction.execute(&statement.sql, params_from_iter(values))
    }

    pub(super) fn query<T>(
        &self,
        statement: &Statement,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let values = statement.parameters.iter().map(|parameter| self.value(*parameter));
        self.transaction.prepare_cached(&statement.sql)?.query_map(params_from_iter(values), read)?.collect()
    }

    /// Applies the rules to the records that arrived.
    pub(super) fn link(&self) -> rusqlite::Result<()> {
        self.execute(&self.composer.release())?;
        for find in self.composer.find() {
            self.execute(&find)?;
        }
        self.execute(&self.composer.judge()).map(drop)
    }

    /// Applies the rules to the records that arrived, and fills the rows that they stand for.
    pub(super) fn judge(&self, marks_all: bool) -> rusqlite::Result<Written> {
        self.link()?;
        self.execute(&self.composer.mark_gone(marks_all))?;
        let written = self.count()?;
        if let Some(drop) = self.composer.drop_unmatched() {
            self.execute(&drop)?;
        }
        self.transfer()?;
        Ok(written)
    }

    /// Fills the rows that the records that arrived stand for.
    pub(super) fn transfer(&self) -> rusqlite::Result<()> {
        if let Some(transfer) = self.composer.transfer() {
            self.execute(&transfer)?;
        }
        Ok(())
    }

    fn count(&self) -> rusqlite::Result<Written> {
        let counts = self.query(&self.composer.count(), |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        let mut written = Written::default();
        for (status, count) in counts {
            let count = count.unsigned_abs();
            match status.as_str() {
                "matched" => written.matched = count,
                "unmatched" => written.unmatched = count,
                "ambiguous" => written.ambiguous = count,
                _ => {}
            }
        }
        Ok(written)
    }
}
