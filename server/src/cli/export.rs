//! Writes records that are personal data into a file that only its owner may read.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Write},
    path::Path,
};

use serde_json::{Map, Value, json};

use super::terminal::{Terminal, counted};
use crate::error::Error;

/// A record with what there is to say of it.
pub(super) struct Exported<'a> {
    pub(super) object: &'a str,
    pub(super) record_id: &'a str,
    pub(super) state: &'a str,
    pub(super) reasons: String,
    /// A JSON object; `None`: expired.
    pub(super) fields: Option<&'a Value>,
}

impl Exported<'_> {
    fn fields(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.fields.and_then(Value::as_object).into_iter().flat_map(Map::iter)
    }
}

/// What a file is to hold, by its name.
enum Format {
    Csv,
    JsonLines,
}

/// Writes all records into a file that does not exist yet, and says what it is.
pub(super) fn write(path: &Path, records: &[Exported<'_>], terminal: &Terminal) -> Result<(), Error> {
    let cannot = |reason: String| Error::Unwritable { path: path.to_owned(), reason };
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Format::Csv,
        Some("jsonl") => Format::JsonLines,
        Some(_) | None => return Err(cannot("its name ends neither with .csv nor with .jsonl".to_owned())),
    };
    let written = private_file(path).and_then(|file| {
        let mut out = BufWriter::new(file);
        match format {
            Format::Csv => write_csv(&mut out, records)?,
            Format::JsonLines => write_json_lines(&mut out, records)?,
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => cannot("it is there already; name a file that is not".to_owned()),
        _ => cannot(error.to_string()),
    })?;
    terminal.document(&json!({ "file": path, "records": records.len() }));
    terminal.say(format!("{} in {}", counted(records.len() as u64, "record"), path.display()));
    terminal.warning("the file holds personal data: only you may read it, and nobody deletes it but you");
    Ok(())
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn write_json_lines(out: &mut impl Write, records: &[Exported<'_>]) -> io::Result<()> {
    for record in records {
        let document = json!({
            "object": record.object,
            "record_id": record.record_id,
            "state": record.state,
            "reasons": record.reasons,
            "fields": record.fields,
        });
        writeln!(out, "{document}")?;
    }
    Ok(())
}

/// A column a field, in the order in which the records name them.
fn write_csv(out: &mut impl Write, records: &[Exported<'_>]) -> io::Result<()> {
    let mut fields: Vec<&String> = Vec::new();
    for record in records {
        for (field, _) in record.fields() {
            if !fields.contains(&field) {
                fields.push(field);
            }
        }
    }
    let known = ["object", "record_id", "state", "reasons"].map(str::to_owned);
    write_line(out, known.into_iter().chain(fields.iter().map(|field| (*field).clone())))?;
    for record in records {
        let known = [record.object, record.record_id, record.state, &record.reasons].map(str::to_owned);
        let value = |field: &&String| record.fields().find(|(name, _)| name == field).map(|(_, value)| text(value));
        write_line(out, known.into_iter().chain(fields.iter().map(|field| value(field).unwrap_or_default())))?;
    }
    Ok(())
}

/// By RFC 4180: every value in quotes, lines end with CR LF.
fn write_line(out: &mut impl Write, values: impl Iterator<Item = String>) -> io::Result<()> {
    for (index, value) in values.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(out, "{comma}\"{}\"", value.replace('"', "\"\""))?;
    }
    write!(out, "\r\n")
}

/// A value for people: texts as they are, nothing for null.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_file_has_a_column_for_each_field_and_keeps_quotes_commas_and_lines() {
        let (first, second) = (json!({"Name": "A \"b\", c"}), json!({"Email": "x\ny", "Age": 3, "Name": null}));
        let record = |record_id, fields| Exported {
            object: "Contact",
            record_id,
            state: "rejected",
            reasons: "email: no".to_owned(),
            fields: Some(fields),
        };
        let mut out = Vec::new();
        write_csv(&mut out, &[record("1", &first), record("2", &second)]).unwrap();
        let header = "\"object\",\"record_id\",\"state\",\"reasons\",\"Name\",\"Age\",\"Email\"\r\n";
        let rows = "\"Contact\",\"1\",\"rejected\",\"email: no\",\"A \"\"b\"\", c\",\"\",\"\"\r\n\
                    \"Contact\",\"2\",\"rejected\",\"email: no\",\"\",\"3\",\"x\ny\"\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), format!("{header}{rows}"));
    }
}
