//! What a message says: JSON, as `docs/webhooks.md` tells it.
//!
//! Bodies are written piece by piece, and a cell of JSON stands in them letter by letter, so that no number in it passes
//! through a float.

use arrow_array::{Array as _, ArrayRef, cast::AsArray as _};
use serde::Serialize;
use serde_json::{json, value::RawValue};
use sync::{
    Timestamp,
    checkpoint::Epoch,
    shown,
    table::{Column, ColumnType, DeleteMode, StreamKey, TableSchema},
};

/// The version of this format, in every message.
const FORMAT: u32 = 1;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A table as it is from now on.
    Table,
    Rows,
    /// Everything up to a moment has been told.
    Complete,
    /// The rows of a stream are to be removed for good.
    Removed,
    /// Nothing: somebody tries the receiver.
    Test,
}

impl Kind {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Table => "orgtide.table",
            Self::Rows => "orgtide.rows",
            Self::Complete => "orgtide.complete",
            Self::Removed => "orgtide.removed",
            Self::Test => "orgtide.test",
        }
    }
}

/// What heads every message of a stream, without the braces around it.
pub(super) fn heading(key: &StreamKey, table: Option<&TableSchema>, epoch: Option<Epoch>) -> String {
    #[derive(Serialize)]
    struct Heading<'a> {
        format: u32,
        connection: &'a str,
        org: &'a str,
        object: &'a str,
        table: &'a str,
        stream: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<Epoch>,
        #[serde(flatten)]
        how: Option<How<'a>>,
    }
    #[derive(Serialize)]
    struct How<'a> {
        key: &'a str,
        version: Option<&'a str>,
        deletes_are: &'static str,
    }
    let how = table.map(|table| How {
        key: &table.columns[table.id].name,
        version: table.version.map(|version| table.columns[version].name.as_str()),
        deletes_are: match table.deletes {
            DeleteMode::Flag => "flagged",
            DeleteMode::Remove => "removed",
        },
    });
    let StreamKey { connection, org, object, table, stream, .. } = key;
    let heading =
        Heading { format: FORMAT, connection, org, object, table, stream: stream.as_deref(), run: epoch, how };
    let text = serde_json::to_string(&heading).expect("a heading is plain data");
    text[1..text.len() - 1].to_owned()
}

/// A whole body. `data` are further members, without the braces around them.
pub(super) fn body(kind: Kind, made: Timestamp, sequence: i64, heading: &str, data: &str) -> String {
    let separator = if data.is_empty() { "" } else { "," };
    format!(
        r#"{{"type":"{}","timestamp":"{made}","data":{{{heading},"sequence":{sequence}{separator}{data}}}}}"#,
        kind.text()
    )
}

/// What a receiver is told of a table.
pub(super) fn shape(table: &TableSchema) -> String {
    let column = |column: &Column| json!({ "name": column.name, "type": column.kind });
    format!("\"columns\":{}", serde_json::Value::from_iter(table.columns.iter().map(column)))
}

/// The entries of a message with rows.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) upserts: Vec<String>,
    pub(super) patches: Vec<String>,
    pub(super) deletes: Vec<String>,
}

impl Entries {
    /// The members of a body.
    pub(super) fn text(&self) -> String {
        let Self { upserts, patches, deletes } = self;
        let list = |entries: &[String]| entries.join(",");
        let (upserts, patches, deletes) = (list(upserts), list(patches), list(deletes));
        format!(r#""upserts":[{upserts}],"patches":[{patches}],"deletes":[{deletes}]"#)
    }
}

/// Some cells of a row, as an object.
pub(super) fn row<'a>(cells: impl Iterator<Item = (&'a Column, &'a ArrayRef)>, row: usize) -> String {
    let mut text = "{".to_owned();
    for (column, array) in cells {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&quoted(&column.name));
        text.push(':');
        match column.kind {
            ColumnType::Json if !array.is_null(row) => {
                let cell = array.as_string::<i32>().value(row);
                match serde_json::from_str::<&RawValue>(cell) {
                    Ok(raw) => text.push_str(raw.get()),
                    Err(_) => text.push_str(&quoted(cell)),
                }
            }
            kind => text.push_str(&shown::cell(kind, array, row).to_string()),
        }
    }
    text.push('}');
    text
}

/// Why a receiver is told that a row is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// The org said so.
    Deleted,
    /// A whole reading did not name it any more.
    NotFound,
}

pub(super) fn deletion(key: &str, version: Option<Timestamp>, why: Gone) -> String {
    let version = version.map_or_else(|| "null".to_owned(), |version| format!("\"{version}\""));
    let why = match why {
        Gone::Deleted => "deleted",
        Gone::NotFound => "not_found",
    };
    format!(r#"{{"key":{},"version":{version},"reason":"{why}"}}"#, quoted(key))
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is plain data")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn a_row_keeps_every_letter_of_its_json_and_every_digit_of_its_numbers() {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let columns =
            [column("a\"b", ColumnType::Text), column("doc", ColumnType::Json), column("n", ColumnType::Integer)];
        let texts = |text: Option<&str>| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        let written = |doc: Option<&str>| {
            let arrays = [texts(Some("x\n\0")), texts(doc), Arc::new(Int64Array::from(vec![i64::MIN])) as ArrayRef];
            row(columns.iter().zip(&arrays), 0)
        };
        assert_eq!(
            written(Some(" {\"z\": 1.50, \"a\":123456789012345678901234567890} ")),
            r#"{"a\"b":"x\n\u0000","doc":{"z": 1.50, "a":123456789012345678901234567890},"n":-9223372036854775808}"#
        );
        assert!(written(Some("no json")).contains(r#""doc":"no json""#));
        assert!(written(Some("null")).contains(r#""doc":null"#) && written(None).contains(r#""doc":null"#));
    }
}
