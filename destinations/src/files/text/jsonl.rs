//! Lines of JSON: an object a line, with every column in its order.
//!
//! Numbers that are decimals are texts, as everywhere in Orgtide's JSON, so that no reader takes them for floats. A column of
//! JSON has objects and arrays as they are, and everything else as text.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sync::cells::Column;

use super::spell;
use crate::held::Cell;

/// Appends a line for each row.
pub(super) fn write<'a>(out: &mut Vec<u8>, names: impl Iterator<Item = &'a str>, columns: &[Column<'_>], rows: usize) {
    let names: Vec<Vec<u8>> = names.map(quoted).collect();
    for row in 0..rows {
        for (index, (name, column)) in names.iter().zip(columns).enumerate() {
            out.push(if index == 0 { b'{' } else { b',' });
            out.extend_from_slice(name);
            out.push(b':');
            write_cell(out, column, row);
        }
        out.extend_from_slice(b"}\n");
    }
}

fn write_cell(out: &mut Vec<u8>, column: &Column<'_>, row: usize) {
    if column.is_null(row) {
        return out.extend_from_slice(b"null");
    }
    match column {
        Column::Json(array) if is_structure(array.value(row)) => out.extend_from_slice(array.value(row).as_bytes()),
        Column::Text(array) | Column::Json(array) => out.extend(quoted(array.value(row))),
        Column::Boolean(_) | Column::Integer(_) => {
            spell(column, row, out);
        }
        Column::Decimal(_) | Column::Date(_) | Column::Timestamp(_) | Column::Time(_) => {
            out.push(b'"');
            spell(column, row, out);
            out.push(b'"');
        }
    }
}

fn quoted(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).expect("a text is JSON")
}

/// An object or an array on one line.
fn is_structure(text: &str) -> bool {
    text.starts_with(['{', '[']) && !text.contains(['\n', '\r']) && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// The members of a line, as they stand there.
pub(super) struct Record<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// The first line, and what follows it; `None`: it is no object.
pub(super) fn record(text: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = (&text[..end], &text[end + 1..]);
    let record = serde_json::from_str(std::str::from_utf8(line).ok()?).ok()?;
    Some((record, rest))
}

impl Record<'_> {
    /// Tells a cell; `None`: what stands there is none.
    pub(super) fn cell(&self, name: &str, tell: &mut dyn FnMut(Cell<'_>)) -> Option<()> {
        let (_, value) = self.0.iter().find(|(found, _)| found == name)?;
        let text = value.get();
        match text.as_bytes().first()? {
            b'n' => tell(Cell::Null),
            b'"' => tell(Cell::Text(serde_json::from_str::<String>(text).ok()?.as_bytes())),
            _ => tell(Cell::Text(text.as_bytes())),
        }
        Some(())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((name, value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Record)
    }
}

/// A member's name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn cell(record: &Record<'_>, name: &str) -> Option<String> {
        let mut found = None;
        record.cell(name, &mut |cell| {
            if let Cell::Text(text) = cell {
                found = Some(String::from_utf8(text.to_vec()).unwrap());
            }
        })?;
        found
    }

    #[test]
    fn structures_stand_as_they_are_and_every_other_text_comes_back_as_well() {
        let texts = ["{\"a\":[1.50]}", "[]", "\"x\"", "1", "null", "no JSON", "{\n}", "{", ""];
        let array = StringArray::from(texts.to_vec());
        let mut out = Vec::new();
        write(&mut out, ["j"].into_iter(), &[Column::Json(&array)], texts.len());
        assert!(out.starts_with(b"{\"j\":{\"a\":[1.50]}}\n{\"j\":[]}\n{\"j\":\"\\\"x\\\"\"}\n"));
        let mut rest = &out[..];
        for text in texts {
            let (found, after) = record(rest).unwrap();
            assert_eq!(cell(&found, "j").as_deref(), Some(text));
            rest = after;
        }
    }

    #[test]
    fn what_is_no_line_of_ours_is_told() {
        for line in ["", "{}", "[1]\n", "{\"a\":1\n", "x\n"] {
            assert!(record(line.as_bytes()).is_none(), "{line:?}");
        }
        let (found, _) = record(b"{\"a\":1}\n").unwrap();
        assert!(found.cell("b", &mut |_| panic!("there is none")).is_none());
    }

    proptest! {
        #[test]
        fn any_texts_and_names_come_back(name in "\\PC{0,6}|[\"\\\\\n]{1,3}", texts in prop::collection::vec(prop::option::of("\\PC{0,8}|[\"\\\\\n\r]{0,4}"), 1..6)) {
            let array: StringArray = texts.iter().map(|text| text.as_deref()).collect();
            let numbers: Int64Array = (0..texts.len() as i64).map(|number| Some(i64::MIN + number)).collect();
            let mut out = Vec::new();
            let other = format!("{name}2");
            write(&mut out, [name.as_str(), other.as_str()].into_iter(), &[Column::Text(&array), Column::Integer(&numbers)], texts.len());
            let mut rest = &out[..];
            for (row, text) in texts.iter().enumerate() {
                let (found, after) = record(rest).unwrap();
                prop_assert_eq!(&cell(&found, &name), text);
                prop_assert_eq!(cell(&found, &other), Some((i64::MIN + row as i64).to_string()));
                rest = after;
            }
            prop_assert!(rest.is_empty());
        }
    }
}
