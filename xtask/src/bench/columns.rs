//! The measured columns, and the text by which two tables of them are compared.

use std::{path::Path, process::Command};

use crate::{Failure, command::output_of};

/// How a value is brought to one spelling: one side keeps what it read, the other has types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// `1` and `true` are one.
    Boolean,
    /// `5000000` and `5.0E6` are one; compared to 15 digits, which is what SQLite can say of both.
    Number,
    Date,
    Timestamp,
}

const COLUMNS: [(&str, Kind); 30] = [
    ("Id", Kind::Text),
    ("IsDeleted", Kind::Boolean),
    ("AccountId", Kind::Text),
    ("LastName", Kind::Text),
    ("FirstName", Kind::Text),
    ("Salutation", Kind::Text),
    ("Name", Kind::Text),
    ("Phone", Kind::Text),
    ("Fax", Kind::Text),
    ("MobilePhone", Kind::Text),
    ("HomePhone", Kind::Text),
    ("Email", Kind::Text),
    ("Title", Kind::Text),
    ("Department", Kind::Text),
    ("LeadSource", Kind::Text),
    ("Birthdate", Kind::Date),
    ("Description", Kind::Text),
    ("HasOptedOutOfEmail", Kind::Boolean),
    ("DoNotCall", Kind::Boolean),
    ("OwnerId", Kind::Text),
    ("CreatedDate", Kind::Timestamp),
    ("LastModifiedDate", Kind::Timestamp),
    ("SystemModstamp", Kind::Timestamp),
    ("Customer_Id__c", Kind::Text),
    ("Level__c", Kind::Text),
    ("Languages__c", Kind::Text),
    ("Score__c", Kind::Number),
    ("Lifetime_Value__c", Kind::Number),
    ("Newsletter__c", Kind::Boolean),
    ("Member_Since__c", Kind::Date),
];

/// The names, in the order of the query.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(name, _)| *name)
}

/// The question that both sides ask the org.
pub(super) fn query() -> String {
    format!("SELECT {} FROM Contact", names().collect::<Vec<_>>().join(", "))
}

/// Rows and a checksum over all values in the order of Id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) rows: u64,
    checksum: String,
}

impl Contents {
    pub(super) fn new(rows: &str, checksum: &str) -> Result<Self, Failure> {
        let rows = rows.trim().parse().map_err(|_| Failure::new(format!("not a number of rows: {rows:?}")))?;
        Ok(Self { rows, checksum: checksum.trim().to_owned() })
    }
}

/// The columns with the types of a PostgreSQL table.
pub(super) fn typed() -> impl Iterator<Item = (&'static str, &'static str)> {
    COLUMNS.iter().map(|(name, kind)| {
        let kind = match kind {
            Kind::Text if *name == "Id" => "text COLLATE \"C\"",
            Kind::Text => "text",
            Kind::Boolean => "boolean",
            Kind::Number => "numeric",
            Kind::Date => "date",
            Kind::Timestamp => "timestamptz",
        };
        (*name, kind)
    })
}

/// The columns with DuckDB's types.
pub(super) fn of_duckdb() -> impl Iterator<Item = (&'static str, &'static str)> {
    COLUMNS.iter().map(|(name, kind)| {
        let kind = match kind {
            Kind::Text => "VARCHAR",
            Kind::Boolean => "BOOLEAN",
            Kind::Number => "DECIMAL(38, 18)",
            Kind::Date => "DATE",
            Kind::Timestamp => "TIMESTAMPTZ",
        };
        (*name, kind)
    })
}

/// The columns of a PostgreSQL table in one spelling: `5.0` and `5` are one number.
pub(super) fn typed_values() -> String {
    let value = |(name, kind): &(&str, Kind)| match kind {
        Kind::Number => format!("trim_scale(\"{name}\")"),
        Kind::Text | Kind::Boolean | Kind::Date | Kind::Timestamp => format!("\"{name}\""),
    };
    COLUMNS.iter().map(value).collect::<Vec<_>>().join(", ")
}

/// Reads the table `Contact` of a database.
pub(super) fn contents(database: &Path) -> Result<Contents, Failure> {
    let sqlite = |sql: &str, then: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("sqlite3 -batch -readonly \"$1\" \"$2\" {then}"), "sqlite3"]);
        output_of(shell.arg(database).arg(sql))
    };
    let rows = sqlite("SELECT count(*) FROM Contact", "")?;
    let checksum = sqlite(&one_spelling(), "| sha256sum")?;
    Contents::new(&rows, &checksum)
}

fn one_spelling() -> String {
    let values = COLUMNS.iter().map(|(name, kind)| match kind {
        Kind::Text | Kind::Date | Kind::Timestamp => format!("coalesce({name}, '')"),
        Kind::Boolean => {
            format!("CASE {name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE coalesce({name}, '') END")
        }
        Kind::Number => {
            format!("CASE coalesce({name}, '') WHEN '' THEN '' ELSE printf('%.15g', CAST({name} AS REAL)) END")
        }
    });
    format!("SELECT {} FROM Contact ORDER BY Id", values.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    /// A database in the spelling of either side, when sqlite3 is installed.
    fn database(name: &str, boolean: &str, number: &str, empty: &str) -> Option<Contents> {
        command::find("sqlite3")?;
        let path = std::env::temp_dir().join(format!("orgtide-contents-{}-{name}.db", std::process::id()));
        let columns: Vec<&str> = names().collect();
        let values: Vec<String> = COLUMNS
            .iter()
            .map(|(name, kind)| match kind {
                Kind::Text if *name == "Fax" => empty.to_owned(),
                Kind::Text | Kind::Date | Kind::Timestamp => "'text'".to_owned(),
                Kind::Boolean => boolean.to_owned(),
                Kind::Number => number.to_owned(),
            })
            .collect();
        let sql =
            format!("CREATE TABLE Contact ({}); INSERT INTO Contact VALUES ({})", columns.join(","), values.join(","));
        output_of(Command::new("sqlite3").arg(&path).arg(sql)).unwrap();
        let contents = contents(&path);
        std::fs::remove_file(&path).unwrap();
        Some(contents.unwrap())
    }

    #[test]
    fn two_spellings_of_the_same_rows_are_equal_and_other_rows_are_not() {
        let Some(ours) = database("ours", "1", "'5000000'", "NULL") else { return };
        assert_eq!(ours.rows, 1);
        assert_eq!(Some(&ours), database("floor", "'true'", "'5.0E6'", "''").as_ref());
        assert_ne!(Some(&ours), database("other", "0", "'5000000'", "NULL").as_ref());
        assert_ne!(Some(&ours), database("off", "1", "'5000001'", "NULL").as_ref());
    }
}
