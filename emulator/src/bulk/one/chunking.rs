//! PK chunking: a query is split by ids into queries of so many ids each, deleted ones counted.
//!
//! Source: Bulk API guide v66, "Use PK Chunking to Extract Large Data Sets from Salesforce": chunks of 100,000 unless the
//! header says otherwise, at most 250,000; `WHERE Id >= 001300000000000 AND Id < 00130000000132G`; queries with anything
//! beyond WHERE, or a filter on a field with "id" in its name, are not split; `parent` for shares and histories.

use std::ops::Bound;

use super::wire::Problem;
use crate::database::Snapshot;
use crate::ids::RecordId;
use crate::schema::Object;
use crate::table::{IdRange, Table};

const USUAL_SIZE: u64 = 100_000;
const MAX_SIZE: u64 = 250_000;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of an id behind its key prefix.
const NUMBER: usize = 12;
/// Words that end a query's WHERE, or are something other than it.
const BEYOND: [&str; 9] = ["GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "WITH", "FOR", "USING", "ALL"];

/// What the header `Sforce-Enable-PKChunking` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunking {
    size: u64,
    parent: Option<String>,
    start: Option<RecordId>,
}

/// A query over a part of the ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// As clients see it, with bare ids.
    pub(super) shown: String,
    /// As this org understands it.
    pub(super) query: String,
}

impl Chunking {
    /// Reads the header; `None` when it says no.
    pub(super) fn read(header: &str) -> Result<Option<Self>, Problem> {
        let wrong = |what: &str| Problem::new("ClientInputError", format!("Sforce-Enable-PKChunking: {what}"));
        let mut chunking = Self { size: USUAL_SIZE, parent: None, start: None };
        for part in header.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            match part.split_once('=').map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim())) {
                None if part.eq_ignore_ascii_case("true") => {}
                None if part.eq_ignore_ascii_case("false") => return Ok(None),
                Some((key, size)) if key == "chunksize" => {
                    let size: Option<u64> = size.parse().ok().filter(|size| (1..=MAX_SIZE).contains(size));
                    chunking.size = size.ok_or_else(|| wrong("chunkSize is between 1 and 250000"))?;
                }
                Some((key, parent)) if key == "parent" => chunking.parent = Some(parent.to_owned()),
                Some((key, id)) if key == "startrow" => {
                    // The guide's own sample has a checksum that does not fit.
                    let id = RecordId::parse(id.get(..15).unwrap_or(id));
                    let id = id.map_err(|_| wrong("startRow is no record id"))?;
                    chunking.start = Some(id);
                }
                _ => return Err(wrong(&format!("{part} is not understood"))),
            }
        }
        Ok(Some(chunking))
    }

    /// The parts of a query; `None` when it is not split.
    ///
    /// # Errors
    /// The `stateMessage` of the batch.
    pub(super) fn split(
        &self,
        query: &str,
        object: &Object,
        snapshot: &Snapshot,
    ) -> Result<Option<Vec<Chunk>>, String> {
        let Some(shape) = Shape::of(query) else {
            return Ok(None);
        };
        let (table, field) = self.divided_by(object, snapshot)?;
        let Some((first, last)) = ends(table) else {
            return Ok(None);
        };
        let mut low = number(self.start.unwrap_or(first));
        let (end, prefix) = (number(last) + 1, table.prefix());
        let mut chunks = Vec::new();
        while low < end {
            let high = low.saturating_add(u128::from(self.size));
            let bounds = [low, high].map(|number| format!("{prefix}{}", digits(number)));
            chunks.push(shape.between(&field, &bounds));
            low = high;
        }
        Ok(Some(chunks))
    }

    /// The table whose ids are divided, and the field that holds them: those of the parent for shares and histories.
    fn divided_by<'a>(&self, object: &Object, snapshot: &'a Snapshot) -> Result<(&'a Table, String), String> {
        let is_dependent = object.name.ends_with("Share") || object.name.ends_with("History");
        let wanted = match &self.parent {
            Some(parent) if is_dependent => parent.as_str(),
            None if is_dependent => {
                return Err(format!("InvalidBatch : PK chunking of {} needs its parent in the header", object.name));
            }
            _ => object.name.as_str(),
        };
        let unknown = || format!("InvalidBatch : {wanted} is not the parent of {}", object.name);
        let (index, known) = snapshot.schema().find(wanted).ok_or_else(unknown)?;
        let field = if is_dependent {
            let refers = |field: &&crate::schema::Field| {
                field.reference_to.contains(&known.name)
                    && (field.name.ends_with("ParentId") || field.name.starts_with(wanted))
            };
            object.fields().iter().find(refers).map(|field| field.name.clone()).ok_or_else(unknown)?
        } else {
            "Id".to_owned()
        };
        Ok((snapshot.table(index), field))
    }
}

/// The smallest and the largest id of a table, deleted rows included.
fn ends(table: &Table) -> Option<(RecordId, RecordId)> {
    let first = table.scan(IdRange::ALL).next()?.id();
    let stored = table.last_stored();
    let generated = table.last_generated();
    let last = stored.max(generated)?;
    debug_assert!(table.scan(IdRange { from: Bound::Excluded(last), to: Bound::Unbounded }).next().is_none());
    Some((first, last))
}

/// The id behind its key prefix as a number in base 62.
fn number(id: RecordId) -> u128 {
    let digit = |byte: &u8| DIGITS.iter().position(|known| known == byte).unwrap_or_default() as u128;
    id.short().as_bytes()[15 - NUMBER..].iter().fold(0, |number, byte| number * 62 + digit(byte))
}

fn digits(number: u128) -> String {
    let mut text = [b'0'; NUMBER];
    let mut rest = number;
    for place in text.iter_mut().rev() {
        *place = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    text.iter().copied().map(char::from).collect()
}

/// A query that can be split: what stands before its WHERE, and what behind.
#[derive(Debug, PartialEq, Eq)]
struct Shape<'a> {
    head: &'a str,
    condition: Option<&'a str>,
}

impl<'a> Shape<'a> {
    fn of(query: &'a str) -> Option<Self> {
        let words = words(query);
        let is = |word: &&(usize, &str), name: &str| word.1.eq_ignore_ascii_case(name);
        let from = words.iter().position(|word| is(&word, "FROM"))?;
        let behind = &words[from + 1..];
        let nested = words.iter().filter(|word| is(word, "SELECT")).count() > 1;
        let beyond = behind.iter().any(|word| BEYOND.iter().any(|name| is(&word, name)));
        if nested || beyond {
            return None;
        }
        let Some(filter) = behind.iter().position(|word| is(&word, "WHERE")) else {
            return Some(Self { head: query.trim(), condition: None });
        };
        let filters_ids = behind[filter + 1..].iter().any(|word| word.1.to_ascii_lowercase().contains("id"));
        let at = behind[filter].0;
        let condition = query[at + "WHERE".len()..].trim();
        (!filters_ids).then_some(Self { head: query[..at].trim(), condition: Some(condition) })
    }

    fn between(&self, field: &str, [low, high]: &[String; 2]) -> Chunk {
        let part = |quote: &str| {
            let bounds = format!("{field} >= {quote}{low}{quote} AND {field} < {quote}{high}{quote}");
            match self.condition {
                None => format!("{} WHERE {bounds}", self.head),
                Some(condition) => format!("{} WHERE ({condition}) AND {bounds}", self.head),
            }
        };
        Chunk { shown: part(""), query: part("'") }
    }
}

/// The words of a query outside quotes, with their places.
fn words(query: &str) -> Vec<(usize, &str)> {
    let (mut words, mut start, mut quoted, mut escaped) = (Vec::new(), None, false, false);
    for (at, c) in query.char_indices().chain([(query.len(), ' ')]) {
        let in_word = !quoted && (c.is_alphanumeric() || matches!(c, '_' | '.'));
        match (start, in_word) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                words.push((from, &query[from..at]));
                start = None;
            }
            _ => {}
        }
        if c == '\'' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
    }
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog;
    use crate::database::Database;
    use crate::value::Timestamp;

    fn chunking(header: &str) -> Chunking {
        Chunking::read(header).unwrap().unwrap()
    }

    #[test]
    fn the_header_is_read_in_its_forms() {
        assert_eq!(chunking("TRUE"), Chunking { size: 100_000, parent: None, start: None });
        let full = chunking("chunkSize=50000; startRow=00130000000xEftMGH; parent=Case");
        assert_eq!((full.size, full.parent.as_deref()), (50_000, Some("Case")));
        assert_eq!(Chunking::read("false").unwrap(), None);
        for wrong in ["chunkSize=0", "chunkSize=250001", "startRow=x", "what"] {
            assert_eq!(Chunking::read(wrong).unwrap_err().code, "ClientInputError", "{wrong}");
        }
    }

    #[test]
    fn only_a_plain_query_with_a_plain_filter_is_split() {
        for (query, condition) in [
            ("SELECT Id FROM Account", Some(None)),
            ("select Id from Account where Name = 'order by limit'", Some(Some("Name = 'order by limit'"))),
            ("SELECT Id FROM Account WHERE Name = 'it\\'s id'", Some(Some("Name = 'it\\'s id'"))),
            ("SELECT Id FROM Account LIMIT 5", None),
            ("SELECT Id FROM Account ORDER BY Name", None),
            ("SELECT Id FROM Account WHERE OwnerId != null", None),
            ("SELECT Id, (SELECT Name FROM Contacts) FROM Account", None),
        ] {
            assert_eq!(Shape::of(query).map(|shape| shape.condition), condition, "{query}");
        }
    }

    #[test]
    fn chunks_cover_every_id_once_and_look_like_those_of_the_guide() {
        let mut database = Database::new(catalog::standard(), 7);
        database.generate("Account", 900, Timestamp(1_795_000_000_000)).unwrap();
        let snapshot = database.snapshot();
        let (index, object) = snapshot.schema().find("Account").unwrap();
        let query = "SELECT Id FROM Account WHERE Name != null OR Phone = null";
        let chunks = chunking("chunkSize=250").split(query, object, &snapshot).unwrap().unwrap();
        let rows = snapshot.table(index).scan(IdRange::ALL).count();
        assert_eq!(chunks.len(), rows.div_ceil(250));
        assert_eq!(
            chunks[0].shown,
            "SELECT Id FROM Account WHERE (Name != null OR Phone = null) AND Id >= 001gL0000000001 AND Id < 001gL0000000043"
        );
        assert!(chunks[1].query.contains("Id >= '001gL0000000043' AND Id < '"), "{:?}", chunks[1]);
    }

    #[test]
    fn shares_and_histories_are_divided_by_the_ids_of_their_parent() {
        let mut database = Database::new(catalog::standard(), 7);
        database.generate("Account", 10, Timestamp(1_795_000_000_000)).unwrap();
        let snapshot = database.snapshot();
        for name in ["AccountShare", "AccountHistory"] {
            let (_, object) = snapshot.schema().find(name).unwrap();
            let query = format!("SELECT Id FROM {name}");
            let split = |header: &str| chunking(header).split(&query, object, &snapshot);
            assert!(split("TRUE").unwrap_err().contains("needs its parent"), "{name}");
            assert!(split("parent=Case").unwrap_err().contains("is not the parent"), "{name}");
            let chunks = split("parent=Account").unwrap().unwrap();
            assert!(
                chunks[0].shown.contains(" WHERE AccountId >= 001gL0000000001 AND AccountId < "),
                "{:?}",
                chunks[0]
            );
        }
    }

    proptest! {
        #[test]
        fn ids_and_numbers_are_the_same_thing(ordinal in 0_u64..10_000_000) {
            let id = RecordId::new(crate::ids::KeyPrefix::parse("001").unwrap(), ordinal);
            prop_assert_eq!(format!("001{}", digits(number(id))), id.short());
        }

        #[test]
        fn no_query_makes_it_panic(query in ".{0,60}") {
            let _ = Shape::of(&query);
        }
    }
}
