//! The columns of a table's files: named, checked, widened.

use std::{collections::HashMap, sync::Arc};

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sync::table::{Column, ColumnType, DeleteMode, TableSchema};

use super::manifest::{HeldColumn, Shape};
use crate::widening::wider;

pub(super) const CONNECTION: &str = "_connection";
pub(super) const DELETED: &str = "_deleted";
pub(super) const STREAM: &str = "_stream";
pub(super) const GENERATION: &str = "_generation";

/// What a field's metadata says the column holds, in the words of a mapping.
const TYPE: &str = "orgtide.type";

impl Shape {
    /// What a new table has.
    pub(super) fn of(table: &TableSchema) -> Self {
        let nothing = Self { columns: Vec::new(), deleted: false, stream: false, generation: false };
        nothing.widened(table)
    }

    /// The same with whatever this table's rows need beside.
    pub(super) fn widened(&self, table: &TableSchema) -> Self {
        let mut columns = self.columns.clone();
        for Column { name, kind } in &table.columns {
            match columns.iter_mut().find(|held| held.name == *name) {
                Some(held) => held.kind = wider(held.kind, *kind),
                None => columns.push(HeldColumn { name: name.clone(), kind: *kind }),
            }
        }
        Self {
            columns,
            deleted: self.deleted || table.deletes == DeleteMode::Flag,
            stream: self.stream || table.stream.is_some(),
            generation: self.generation || table.sweeps,
        }
    }

    /// Where a column stands among the mapped ones.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Every column of the files, in their order, with `_connection` and those of ours that there are.
    pub(super) fn own_columns(&self) -> Vec<(&str, ColumnType)> {
        let ours = [
            (self.deleted, DELETED, ColumnType::Boolean),
            (self.stream, STREAM, ColumnType::Text),
            (self.generation, GENERATION, ColumnType::Integer),
        ];
        let ours = ours.into_iter().filter(|(is_there, ..)| *is_there).map(|(_, name, kind)| (name, kind));
        let mapped = self.columns.iter().map(|column| (column.name.as_str(), column.kind));
        [(CONNECTION, ColumnType::Text)].into_iter().chain(mapped).chain(ours).collect()
    }

    /// The schema of every file: `_connection`, the columns, and those of ours that there are.
    pub(super) fn schema(&self) -> SchemaRef {
        let described = |kind: &str| HashMap::from([(TYPE.to_owned(), kind.to_owned())]);
        let mut fields = vec![Field::new(CONNECTION, DataType::Utf8, false)];
        fields.extend(self.columns.iter().map(|column| {
            let field = Field::new(&column.name, column.kind.data_type(), true);
            field.with_metadata(described(word(column.kind)))
        }));
        if self.deleted {
            fields.push(Field::new(DELETED, DataType::Boolean, false));
        }
        if self.stream {
            fields.push(Field::new(STREAM, DataType::Utf8, true));
        }
        if self.generation {
            fields.push(Field::new(GENERATION, DataType::Int64, true));
        }
        Arc::new(Schema::new(fields))
    }
}

/// A type in the words of a mapping.
pub(super) fn word(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text => "text",
        ColumnType::Boolean => "boolean",
        ColumnType::Integer => "integer",
        ColumnType::Decimal => "decimal",
        ColumnType::Date => "date",
        ColumnType::Timestamp => "timestamp",
        ColumnType::Time => "time",
        ColumnType::Json => "json",
    }
}

/// Refuses names that files or their readers cannot tell apart.
pub(super) fn check_names(table: &TableSchema, held: Option<&Shape>) -> Result<(), String> {
    if table.name.is_empty() || table.name.to_ascii_lowercase().starts_with("_orgtide") {
        return Err("the name is reserved; choose another one in the mapping".to_owned());
    }
    let mut taken = [CONNECTION, DELETED, STREAM, GENERATION].map(str::to_owned).to_vec();
    for column in &table.columns {
        let name = &column.name;
        let lower = name.to_lowercase();
        if lower.is_empty() || lower.contains('\0') {
            return Err(format!("{name:?} is no column name; choose another one in the mapping"));
        }
        if taken.contains(&lower) {
            return Err(format!("the column name {name:?} is taken (case does not count); choose another one"));
        }
        let other = |held: &&HeldColumn| held.name.to_lowercase() == lower && held.name != *name;
        if let Some(other) = held.and_then(|held| held.columns.iter().find(other)) {
            return Err(format!("the files have a column {:?} (case does not count); choose another name", other.name));
        }
        taken.push(lower);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[(&str, ColumnType)]) -> TableSchema {
        let columns = columns.iter().map(|(name, kind)| Column { name: (*name).to_owned(), kind: *kind }).collect();
        TableSchema {
            name: "Contact".to_owned(),
            columns,
            id: 0,
            version: None,
            deletes: DeleteMode::Remove,
            stream: None,
            sweeps: false,
            matching: None,
        }
    }

    #[test]
    fn a_table_takes_the_columns_and_types_that_it_lacks_and_loses_none() {
        let one = Shape::of(&table(&[("Id", ColumnType::Text), ("a", ColumnType::Integer), ("b", ColumnType::Date)]));
        let two = one.widened(&TableSchema {
            deletes: DeleteMode::Flag,
            sweeps: true,
            ..table(&[("Id", ColumnType::Text), ("a", ColumnType::Decimal), ("c", ColumnType::Json)])
        });
        let schema = two.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["_connection", "Id", "a", "b", "c", "_deleted", "_generation"]);
        assert_eq!(two.columns[1].kind, ColumnType::Decimal);
        assert_eq!(schema.field(4).metadata()["orgtide.type"], "json");
    }

    #[test]
    fn names_that_differ_in_case_alone_are_refused_whoever_has_the_other() {
        let held = Shape::of(&table(&[("Id", ColumnType::Text), ("Name", ColumnType::Text)]));
        for columns in [["Id", "ID"], ["Id", "_Deleted"], ["Id", ""], ["Id", "a\0b"]] {
            let table = table(&columns.map(|name| (name, ColumnType::Text)));
            assert!(check_names(&table, None).is_err(), "{columns:?}");
        }
        let other = table(&[("Id", ColumnType::Text), ("NAME", ColumnType::Text)]);
        assert!(check_names(&other, None).is_ok());
        assert!(check_names(&other, Some(&held)).unwrap_err().contains("\"Name\""));
    }
}
