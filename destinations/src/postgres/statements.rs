//! The statements that write to one table.

use sync::table::{ColumnType, DeleteMode, TableSchema};

use super::{
    column::{converted, declared},
    schema::{CONNECTION, DELETED, GENERATION, OwnColumns, Readiness, STREAM, Target, column_name},
};

/// Rows wait here between COPY and the table; emptied by each commit.
const STAGING: &str = "pg_temp._orgtide_staging";

/// Writes SQL for one table.
#[derive(Debug)]
pub(super) struct Statements<'a> {
    table: &'a TableSchema,
    name: String,
    held: &'a [ColumnType],
    own: OwnColumns,
}

impl<'a> Statements<'a> {
    pub(super) fn new(target: &Target, table: &'a TableSchema, ready: &'a Readiness) -> Self {
        Self { table, name: target.quoted(), held: &ready.held, own: ready.own }
    }

    /// Makes the staging table anew.
    pub(super) fn stage(&self) -> String {
        let columns: Vec<String> = (0..self.table.columns.len())
            .map(|index| {
                let collation = if index == self.table.id { " COLLATE \"C\"" } else { "" };
                format!("{} {}{collation}", staged(index), declared(self.table.columns[index].kind))
            })
            .collect();
        format!(
            "DROP TABLE IF EXISTS {STAGING}; CREATE TEMPORARY TABLE {} ({}) ON COMMIT DELETE ROWS",
            STAGING.trim_start_matches("pg_temp."),
            columns.join(", ")
        )
    }

    /// Takes rows of these columns into the staging table.
    pub(super) fn copy(columns: impl Iterator<Item = usize>) -> String {
        let columns: Vec<String> = columns.map(staged).collect();
        format!("COPY {STAGING} ({}) FROM STDIN (FORMAT binary)", columns.join(", "))
    }

    pub(super) fn empty_staging() -> String {
        format!("TRUNCATE {STAGING}")
    }

    /// Inserts staged rows, or replaces those whose version is not newer; a row that arrives is not deleted.
    /// `$1` is the connection; the stream's name and the generation of a sweep follow where the table has them.
    ///
    /// A newer row is replaced as well when `overrules`.
    ///
    /// A row that is there already as it arrives is left alone when `compares`: finding that out is a third of the work
    /// of writing it again.
    pub(super) fn merge(&self, compares: bool, sweeps: bool, overrules: bool) -> String {
        let mut names = vec![CONNECTION.to_owned()];
        let mut values = vec!["$1".to_owned()];
        names.extend((0..self.table.columns.len()).map(|index| column_name(self.table, index)));
        values.extend((0..self.table.columns.len()).map(|index| self.arriving(index)));
        for (name, value) in self.own(sweeps) {
            names.push(name.to_owned());
            values.push(value);
        }
        let mut assignments: Vec<String> = (0..self.table.columns.len())
            .filter(|index| *index != self.table.id)
            .map(|index| column_name(self.table, index))
            .chain(self.own(sweeps).into_iter().map(|(name, _)| name.to_owned()))
            .map(|name| format!("{name} = excluded.{name}"))
            .collect();
        if self.own.flag {
            assignments.push(format!("{DELETED} = false"));
        }
        let action = if assignments.is_empty() {
            "NOTHING".to_owned()
        } else {
            let guard = self.guard(|version| format!("excluded.{version}")).filter(|_| !overrules);
            format!("UPDATE SET {}{}", assignments.join(", "), prefixed(" WHERE ", &guard))
        };
        let unchanged = if compares { self.unless_unchanged(sweeps) } else { String::new() };
        format!(
            "INSERT INTO {table} AS held ({names}) SELECT {values} FROM {STAGING} AS new{unchanged} \
             ON CONFLICT ({CONNECTION}, {id}) DO {action}",
            table = self.name,
            names = names.join(", "),
            values = values.join(", "),
            id = column_name(self.table, self.table.id),
        )
    }

    fn unless_unchanged(&self, sweeps: bool) -> String {
        let mut differences: Vec<String> = (0..self.table.columns.len())
            .filter(|index| *index != self.table.id)
            .map(|index| format!("same.{} IS DISTINCT FROM {}", column_name(self.table, index), self.arriving(index)))
            .collect();
        let own = self.own(sweeps).into_iter();
        differences.extend(own.map(|(name, value)| format!("same.{name} IS DISTINCT FROM {value}")));
        if self.own.flag {
            differences.push(format!("same.{DELETED}"));
        }
        let different = if differences.is_empty() { "false".to_owned() } else { differences.join(" OR ") };
        format!(
            " WHERE NOT EXISTS (SELECT FROM {} AS same WHERE same.{CONNECTION} = $1 AND same.{} = new.{} \
             AND NOT ({different}))",
            self.name,
            column_name(self.table, self.table.id),
            staged(self.table.id),
        )
    }

    /// Rows of the stream behind a key, in the order of their keys: whether each is flagged, then these columns as the text
    /// that a SQLite destination would hold. `$1` is the connection, `$2` the key; the stream's name follows where the table
    /// has it.
    pub(super) fn read(&self, columns: &[usize], rows: usize) -> String {
        let flag = if self.own.flag { DELETED } else { "false" };
        let text = |index: &usize| converted(&column_name(self.table, *index), self.held[*index], ColumnType::Text);
        let key = column_name(self.table, self.table.id);
        let stream = if self.own.stream { format!(" AND {STREAM} IS NOT DISTINCT FROM $3") } else { String::new() };
        format!(
            "SELECT {flag}, {columns} FROM {table} WHERE {CONNECTION} = $1 AND {key} > $2{stream} ORDER BY {key} \
             LIMIT {rows}",
            columns = columns.iter().map(text).collect::<Vec<_>>().join(", "),
            table = self.name,
        )
    }

    /// Marks staged rows that the merge left alone because a newer version is held: the reading has named them.
    /// `$1` is the connection, `$2` the generation; the stream's name follows where the table has it.
    pub(super) fn mark(&self) -> String {
        format!(
            "UPDATE {} AS held SET {GENERATION} = $2 FROM {STAGING} AS new \
             WHERE held.{CONNECTION} = $1 AND held.{} = new.{} AND held.{GENERATION} IS DISTINCT FROM $2{}",
            self.name,
            column_name(self.table, self.table.id),
            staged(self.table.id),
            self.of_stream(3),
        )
    }

    /// Marks rows that the reading has named and leaves as they are. `$1` is the connection, `$2` the generation, `$3`
    /// the keys; the stream's name follows where the table has it.
    pub(super) fn mark_named(&self) -> String {
        format!(
            "UPDATE {} AS held SET {GENERATION} = $2 WHERE held.{CONNECTION} = $1 AND held.{} = ANY ($3::text[]) \
             AND held.{GENERATION} IS DISTINCT FROM $2{}",
            self.name,
            column_name(self.table, self.table.id),
            self.of_stream(4),
        )
    }

    /// Deletes rows that a whole reading has not named. `$1` is the connection, `$2` the generation; the stream's name
    /// follows where the table has it.
    pub(super) fn sweep(&self) -> String {
        let stream = if self.own.stream { format!(" AND {STREAM} IS NOT DISTINCT FROM $3") } else { String::new() };
        let rows = format!("{CONNECTION} = $1 AND {GENERATION} IS DISTINCT FROM $2{stream}");
        match self.table.deletes {
            DeleteMode::Remove => format!("DELETE FROM {} WHERE {rows}", self.name),
            DeleteMode::Flag => format!("UPDATE {} SET {DELETED} = true WHERE {rows} AND NOT {DELETED}", self.name),
        }
    }

    /// Sets staged columns of rows that are there. `$1` is the connection; the stream's name follows where the table has
    /// it. `None` when nothing is to be set.
    pub(super) fn patch(&self, columns: &[usize]) -> Option<String> {
        let set: Vec<usize> = columns
            .iter()
            .copied()
            .filter(|column| *column != self.table.id && Some(*column) != self.table.version)
            .collect();
        let name = |column: usize| column_name(self.table, column);
        let assignments: Vec<String> =
            set.iter().map(|column| format!("{} = {}", name(*column), self.arriving(*column))).collect();
        let differences: Vec<String> = set
            .iter()
            .map(|column| format!("held.{} IS DISTINCT FROM {}", name(*column), self.arriving(*column)))
            .collect();
        if set.is_empty() {
            return None;
        }
        let guard = self.guard(|_| self.table.version.map(|version| self.arriving(version)).unwrap_or_default());
        Some(format!(
            "UPDATE {} AS held SET {} FROM {STAGING} AS new WHERE held.{CONNECTION} = $1 AND held.{} = new.{} \
             AND ({}){}{}",
            self.name,
            assignments.join(", "),
            name(self.table.id),
            staged(self.table.id),
            differences.join(" OR "),
            prefixed(" AND ", &guard.map(|guard| format!("({guard})"))),
            self.of_stream_or_none(2),
        ))
    }

    /// Flags or removes rows whose version is not newer than the deletion. `$1` is the connection, `$2` ids, `$3` their
    /// versions as text; the stream's name follows where the table has it.
    pub(super) fn delete(&self) -> String {
        let gone = "(SELECT id, max(version::timestamptz) AS version, bool_or(version IS NULL) AS always \
                    FROM unnest($2::text[], $3::text[]) AS given (id, version) GROUP BY id) AS gone";
        let id = column_name(self.table, self.table.id);
        let version = self.table.version.map(|index| {
            (column_name(self.table, index), converted("gone.version", ColumnType::Timestamp, self.held[index]))
        });
        let guard = version.as_ref().map_or(String::new(), |(held, gone)| {
            format!(" AND (gone.always OR {gone} >= held.{held} OR held.{held} IS NULL)")
        });
        let rows = format!("held.{CONNECTION} = $1 AND held.{id} = gone.id{guard}{}", self.of_stream_or_none(4));
        match self.table.deletes {
            DeleteMode::Remove => format!("DELETE FROM {} AS held USING {gone} WHERE {rows}", self.name),
            DeleteMode::Flag => {
                let moved =
                    version.map_or(String::new(), |(held, gone)| format!(", {held} = greatest({gone}, held.{held})"));
                format!("UPDATE {} AS held SET {DELETED} = true{moved} FROM {gone} WHERE {rows}", self.name)
            }
        }
    }

    /// The columns beside the mapping's that a row is written with, and their parameters.
    fn own(&self, sweeps: bool) -> Vec<(&'static str, String)> {
        let stream = self.own.stream.then_some((STREAM, "text"));
        let generation = (sweeps && self.table.sweeps).then_some((GENERATION, "bigint"));
        let columns = stream.into_iter().chain(generation).enumerate();
        columns.map(|(index, (name, kind))| (name, format!("${}::{kind}", index + 2))).collect()
    }

    /// The condition for rows of this stream alone: a mark on another stream's row would hide it from that stream's own
    /// reading.
    fn of_stream(&self, parameter: usize) -> String {
        if !self.own.stream {
            return String::new();
        }
        format!(" AND held.{STREAM} IS NOT DISTINCT FROM ${parameter}")
    }

    /// The guard against rows of other streams. A row that was written before streams had names is anybody's.
    fn of_stream_or_none(&self, parameter: usize) -> String {
        if !self.own.stream {
            return String::new();
        }
        format!(" AND (held.{STREAM} IS NOT DISTINCT FROM ${parameter} OR held.{STREAM} IS NULL)")
    }

    /// A staged value as the table holds it.
    fn arriving(&self, column: usize) -> String {
        converted(&format!("new.{}", staged(column)), self.table.columns[column].kind, self.held[column])
    }

    /// The guard against older versions. A version that is missing on either side decides nothing.
    fn guard(&self, arriving: impl FnOnce(&str) -> String) -> Option<String> {
        let version = column_name(self.table, self.table.version?);
        let arriving = arriving(&version);
        Some(format!("{arriving} >= held.{version} OR held.{version} IS NULL OR {arriving} IS NULL"))
    }
}

/// A column of the staging table.
fn staged(index: usize) -> String {
    format!("c{index}")
}

fn prefixed(prefix: &str, text: &Option<String>) -> String {
    text.as_ref().map_or(String::new(), |text| format!("{prefix}{text}"))
}
