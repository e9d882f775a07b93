//! Lines of CSV, as RFC 4180 has them, but for the end of a line, which is `\n` alone.

use std::borrow::Cow;

use sync::cells::Column;

use super::spell;

/// The line of names.
pub(super) fn header<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut line = Vec::new();
    for (index, name) in names.enumerate() {
        if index > 0 {
            line.push(b',');
        }
        write_text(&mut line, name);
    }
    line.push(b'\n');
    line
}

/// Appends a line for each row.
pub(super) fn write(out: &mut Vec<u8>, columns: &[Column<'_>], rows: usize) {
    for row in 0..rows {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            if !column.is_null(row)
                && let Some(text) = spell(column, row, out)
            {
                write_text(out, text);
            }
        }
        out.push(b'\n');
    }
}

/// A text in quotes where it needs them; the empty one does: nothing at all is null.
fn write_text(out: &mut Vec<u8>, text: &str) {
    let needs_quotes = text.is_empty() || text.bytes().any(|byte| matches!(byte, b'"' | b',' | b'\n' | b'\r'));
    if !needs_quotes {
        return out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
    for (index, part) in text.split('"').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\"\"");
        }
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'"');
}

/// The cells of a line.
type Cells<'a> = Vec<Option<Cow<'a, [u8]>>>;

/// The cells of the first line, which are so many, and what follows it; `None`: it is no line of ours.
pub(super) fn record(text: &[u8], columns: usize) -> Option<(Cells<'_>, &[u8])> {
    let mut cells = Vec::with_capacity(columns);
    let mut rest = text;
    loop {
        let (cell, after) = match rest.strip_prefix(b"\"") {
            Some(quoted) => quoted_cell(quoted).map(|(cell, after)| (Some(cell), after))?,
            None => {
                let end = rest.iter().position(|byte| matches!(byte, b',' | b'\n'))?;
                let (cell, after) = rest.split_at(end);
                ((end > 0).then_some(Cow::Borrowed(cell)), after)
            }
        };
        cells.push(cell);
        let (separator, after) = after.split_first()?;
        rest = after;
        match separator {
            b',' if cells.len() < columns => {}
            b'\n' if cells.len() == columns => return Some((cells, rest)),
            _ => return None,
        }
    }
}

/// A cell after its first quote, and what follows its last one.
fn quoted_cell(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut cell = Cow::Borrowed(&text[..0]);
    let mut rest = text;
    loop {
        let end = rest.iter().position(|byte| *byte == b'"')?;
        let (part, after) = rest.split_at(end);
        let after = &after[1..];
        let is_doubled = after.first() == Some(&b'"');
        match (cell.is_empty(), is_doubled) {
            (true, false) => cell = Cow::Borrowed(part),
            (_, _) => cell.to_mut().extend_from_slice(part),
        }
        if !is_doubled {
            return Some((cell, after));
        }
        cell.to_mut().push(b'"');
        rest = &after[1..];
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;
    use proptest::prelude::*;

    use super::*;

    fn cells(line: &str, columns: usize) -> Option<Vec<Option<String>>> {
        let (cells, rest) = record(line.as_bytes(), columns)?;
        let text = |cell: &Cow<'_, [u8]>| String::from_utf8(cell.to_vec()).unwrap();
        assert!(rest.is_empty());
        Some(cells.iter().map(|cell| cell.as_ref().map(text)).collect())
    }

    #[test]
    fn nothing_is_null_and_quotes_are_an_empty_text() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(cells("a,,\"\",\"b\"\"c,\n\"\n", 4), Some(vec![some("a"), None, some(""), some("b\"c,\n")]));
        assert_eq!(cells("\"\"\"\"\n", 1), Some(vec![some("\"")]));
    }

    #[test]
    fn a_line_that_is_none_of_ours_is_told() {
        for line in ["a,b\n", "a\n", "\"a\n", "a,b,\"c\"d\n", "a,b,c", "a,b,c,d\n", ""] {
            assert_eq!(cells(line, 3), None, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn any_texts_come_back(rows in prop::collection::vec((prop::option::of("[a\",\n\r ]{0,6}|\\PC{0,6}"), prop::option::of("\\PC{0,6}")), 1..8)) {
            let one: StringArray = rows.iter().map(|(one, _)| one.as_deref()).collect();
            let other: StringArray = rows.iter().map(|(_, other)| other.as_deref()).collect();
            let mut text = Vec::new();
            write(&mut text, &[Column::Text(&one), Column::Text(&other)], rows.len());
            let mut rest = &text[..];
            for (one, other) in &rows {
                let (cells, after) = record(rest, 2).unwrap();
                let bytes = |text: &Option<String>| text.as_ref().map(|text| Cow::Owned(text.clone().into_bytes()));
                prop_assert_eq!(cells, vec![bytes(one), bytes(other)]);
                rest = after;
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn no_text_panics(text in prop::collection::vec(prop::sample::select(b"a\",\n\r".to_vec()), 0..20), columns in 1..4_usize) {
            let _ = record(&text, columns);
        }
    }
}
