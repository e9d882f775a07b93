//! Which fields probably belong into which columns: judged by names, labels, types and what a few records hold.
//!
//! [`for_columns`] finds a field for each column that somebody has; [`tidy`] proposes columns where nobody has any.
//! A proposal is for people to read: each has how sure it is, and why.

mod draft;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use salesforce::describe::{FieldDescribe, FieldType, ObjectDescribe};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    catalogue::Catalogue,
    mapping::{ColumnMapping, Target, column_type, is_possible},
    table::ColumnType,
};

pub use draft::Draft;
use words::{likeness, snake, words};

/// From here on a field is proposed.
const TAKEN: f64 = 0.6;
/// From here on it is mentioned.
const MENTIONED: f64 = 0.4;
/// So many other fields are mentioned beside one column.
const OTHERS: usize = 2;

/// A column that somebody has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    /// `None`: the field's own type will do.
    pub kind: Option<ColumnType>,
}

/// What a few records hold, by path.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    records: usize,
    values: BTreeMap<String, Vec<String>>,
}

impl Samples {
    /// Takes records as JSON objects by path.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Map<String, Value>>) -> Self {
        let mut samples = Self::default();
        for record in records {
            samples.records += 1;
            for (path, value) in record {
                let values = samples.values.entry(path.clone()).or_default();
                match value {
                    Value::Null => {}
                    Value::String(text) => values.push(text.clone()),
                    other => values.push(other.to_string()),
                }
            }
        }
        samples
    }

    /// How many records were looked at.
    pub fn records(&self) -> usize {
        self.records
    }

    /// The values of a field that are not null; `None`: it was not looked at.
    fn of_field(&self, path: &str) -> Option<&[String]> {
        self.values.get(path).map(Vec::as_slice).filter(|_| self.records > 0)
    }
}

/// What is proposed for one column.
#[derive(Debug, Clone, Serialize)]
pub struct Suggestion {
    pub column: String,
    /// `None`: nothing fits well enough.
    pub proposed: Option<Proposal>,
    /// What else it may be, the likeliest first.
    pub perhaps: Vec<Proposal>,
}

/// A field, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proposal {
    pub field: String,
    /// The type that it has to be converted to.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// In percent.
    pub confidence: u8,
    pub because: Vec<String>,
}

/// What a value is about, whatever its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Email,
    Phone,
    Web,
    Moment,
    Truth,
}

/// A field that may be chosen.
struct Candidate<'a> {
    path: String,
    field: &'a FieldDescribe,
    /// The words of its name; where there are several ways to say it, each.
    names: Vec<Vec<String>>,
    label: Vec<String>,
    is_parents: bool,
}

/// A candidate for one column.
struct Scored {
    score: f64,
    candidate: usize,
    target: Option<Target>,
    because: Vec<String>,
}

/// Finds a field for each of these columns, each field at most once. Parents that the catalogue has are looked at too.
pub fn for_columns(
    catalogue: &Catalogue,
    object: &ObjectDescribe,
    samples: &Samples,
    wanted: &[Wanted],
) -> Vec<Suggestion> {
    let candidates = candidates(catalogue, object);
    let mut scored: Vec<Vec<Scored>> = wanted.iter().map(|wanted| ranked(wanted, &candidates, samples)).collect();
    let chosen = assigned(&scored);
    let proposal = |scored: &Scored| Proposal {
        field: candidates[scored.candidate].path.clone(),
        target: scored.target,
        confidence: percent(scored.score),
        because: scored.because.clone(),
    };
    let suggestion = |(column, (wanted, ranked)): (usize, (&Wanted, &mut Vec<Scored>))| {
        let proposed = chosen.get(&column).map(|place| proposal(&ranked.remove(*place)));
        let perhaps = ranked.iter().filter(|scored| scored.score >= MENTIONED).take(OTHERS).map(proposal).collect();
        Suggestion { column: wanted.name.clone(), proposed, perhaps }
    };
    wanted.iter().zip(&mut scored).enumerate().map(suggestion).collect()
}

/// A column for each field that says something, with a name in lower case, and the fields that are left out because they
/// are empty in every record that was looked at.
pub fn tidy(object: &ObjectDescribe, samples: &Samples) -> (Vec<ColumnMapping>, Vec<String>) {
    let mut names = BTreeSet::new();
    let mut columns = Vec::new();
    let mut left_out = Vec::new();
    // The flag of deleted rows is a column of its own.
    for field in readable(object).filter(|field| field.name != "IsDeleted") {
        let is_empty = samples.of_field(&field.name).is_some_and(<[String]>::is_empty);
        if is_empty && field.name != "Id" {
            left_out.push(field.name.clone());
            continue;
        }
        let mut name = snake(&field.name);
        while !names.insert(name.clone()) {
            name.push_str(if field.custom { "_c" } else { "_2" });
        }
        columns.push(ColumnMapping { column: Some(name), ..ColumnMapping::field(&field.name) });
    }
    (columns, left_out)
}

/// Gives each column its best field that no column wants more. By column: a place in its ranking.
fn assigned(scored: &[Vec<Scored>]) -> BTreeMap<usize, usize> {
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (column, ranked) in scored.iter().enumerate() {
        let taken = ranked.iter().enumerate().filter(|(_, scored)| scored.score >= TAKEN);
        pairs.extend(taken.map(|(place, scored)| (scored.score, column, place)));
    }
    // Stable: of equals, the earlier column and the better place.
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut chosen = BTreeMap::new();
    let mut used = BTreeSet::new();
    for (_, column, place) in pairs {
        if !chosen.contains_key(&column) && used.insert(scored[column][place].candidate) {
            chosen.insert(column, place);
        }
    }
    chosen
}

fn candidates<'a>(catalogue: &'a Catalogue, object: &'a ObjectDescribe) -> Vec<Candidate<'a>> {
    let own = readable(object).map(|field| Candidate {
        path: field.name.clone(),
        field,
        names: vec![words(&field.name)],
        label: words(&field.label),
        is_parents: false,
    });
    let parents = object.fields.iter().flat_map(|link| of_parent(catalogue, link));
    own.chain(parents).collect()
}

/// The fields of a parent that people read: its name, and texts.
fn of_parent<'a>(catalogue: &'a Catalogue, link: &'a FieldDescribe) -> Vec<Candidate<'a>> {
    let (Some(relationship), [parent]) = (&link.relationship_name, link.reference_to.as_slice()) else {
        return Vec::new();
    };
    let Some(parent) = catalogue.object(parent) else { return Vec::new() };
    let is_text = |field: &&FieldDescribe| {
        use FieldType as T;
        field.name_field || matches!(field.kind, T::String | T::Email | T::Phone | T::Url | T::Picklist)
    };
    let candidate = |field: &'a FieldDescribe| {
        let link_words = words(relationship);
        let whole = [link_words.as_slice(), &words(&field.name)].concat();
        let label = [words(link.label.trim_end_matches(" ID")).as_slice(), &words(&field.label)].concat();
        // `account` asks for the account's name.
        let short = field.name_field.then_some(link_words);
        Candidate {
            path: format!("{relationship}.{}", field.name),
            field,
            names: [whole].into_iter().chain(short).collect(),
            label,
            is_parents: true,
        }
    };
    readable(parent).filter(is_text).map(candidate).collect()
}

/// The same fields that a mapping without columns takes.
fn readable(object: &ObjectDescribe) -> impl Iterator<Item = &FieldDescribe> {
    let is_whole = |kind: &FieldType| matches!(kind, FieldType::Address | FieldType::Location | FieldType::Base64);
    object.fields.iter().filter(move |field| !is_whole(&field.kind))
}

/// The candidates for a column that are worth a word, the likeliest first.
fn ranked(wanted: &Wanted, candidates: &[Candidate<'_>], samples: &Samples) -> Vec<Scored> {
    let name = words(&wanted.name);
    let meaning = Meaning::of(&name, wanted.kind);
    let score = |(index, candidate): (usize, &Candidate<'_>)| {
        let judge = Judge { wanted, name: &name, meaning, candidate, samples };
        judge.score().map(|(score, target, because)| Scored { score, candidate: index, target, because })
    };
    let mut ranked: Vec<Scored> = candidates.iter().enumerate().filter_map(score).collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    ranked.retain(|scored| scored.score >= MENTIONED);
    ranked
}

/// One column beside one field.
struct Judge<'a> {
    wanted: &'a Wanted,
    name: &'a [String],
    meaning: Option<Meaning>,
    candidate: &'a Candidate<'a>,
    samples: &'a Samples,
}

impl Judge<'_> {
    fn score(&self) -> Option<(f64, Option<Target>, Vec<String>)> {
        let mut because = Vec::new();
        let by_name = self.candidate.names.iter().map(|name| likeness(self.name, name)).fold(0.0, f64::max);
        let by_label = likeness(self.name, &self.candidate.label) * 0.97;
        let mut score = by_name.max(by_label);
        if score < 0.3 {
            return None;
        }
        because.push(match (by_name >= by_label, by_name.max(by_label) >= 0.95) {
            (true, true) => "the same name".to_owned(),
            (true, false) => "a similar name".to_owned(),
            (false, true) => format!("the same label {:?}", self.candidate.field.label),
            (false, false) => format!("a similar label {:?}", self.candidate.field.label),
        });
        let (kind, target) = self.kind(&mut because)?;
        score += kind + self.meant(&mut because) + self.filled(&mut because);
        // A field of the object's own is the simpler guess.
        score -= if self.candidate.is_parents { 0.04 } else { 0.0 };
        Some((score.clamp(0.0, 0.99), target, because))
    }

    /// `None`: the column's type cannot hold the field's values.
    fn kind(&self, because: &mut Vec<String>) -> Option<(f64, Option<Target>)> {
        let own = column_type(&self.candidate.field.kind);
        match self.wanted.kind {
            None => Some((0.0, None)),
            Some(kind) if kind == own => {
                because.push(format!("the same type, {}", spelt(kind)));
                Some((0.05, None))
            }
            Some(kind) if is_possible(own, Target::from(kind)) && self.may_become(kind) => {
                because.push(format!("{} becomes {}", spelt(own), spelt(kind)));
                let is_doubtful = own == ColumnType::Text;
                Some((if is_doubtful { -0.08 } else { -0.02 }, Some(Target::from(kind))))
            }
            Some(_) => None,
        }
    }

    /// Ids are no numbers or dates whatever they look like, and texts are what the records show.
    fn may_become(&self, kind: ColumnType) -> bool {
        if column_type(&self.candidate.field.kind) != ColumnType::Text || kind == ColumnType::Json {
            return true;
        }
        let is_id = matches!(self.candidate.field.kind, FieldType::Id | FieldType::Reference);
        let values = self.samples.of_field(&self.candidate.path).unwrap_or_default();
        !is_id && values.iter().all(|value| looks_like(kind, value.trim()))
    }

    /// Whether the field holds what the column's name speaks of.
    fn meant(&self, because: &mut Vec<String>) -> f64 {
        let Some(meaning) = self.meaning else { return 0.0 };
        if meaning.is_of(&self.candidate.field.kind) {
            because.push(format!("a field for {}", meaning.plural()));
            return 0.08;
        }
        let values = self.samples.of_field(&self.candidate.path).unwrap_or_default();
        let fitting = values.iter().filter(|value| meaning.fits(value)).count();
        if !values.is_empty() && fitting * 5 >= values.len() * 4 {
            because.push(format!("it holds {}", meaning.plural()));
            return 0.06;
        }
        -0.15
    }

    /// How many records have a value.
    fn filled(&self, because: &mut Vec<String>) -> f64 {
        let Some(values) = self.samples.of_field(&self.candidate.path) else { return 0.0 };
        let records = self.samples.records();
        if values.is_empty() {
            because.push(format!("empty in all {records} records"));
            return -0.12;
        }
        because.push(format!("{} of {records} records have it", values.len()));
        let share = values.len() as f64 / records as f64;
        share * 0.04
    }
}

impl Meaning {
    /// What a column's name speaks of.
    fn of(name: &[String], kind: Option<ColumnType>) -> Option<Self> {
        let has = |word: &str| name.iter().any(|known| known == word);
        let first = name.first().map(String::as_str);
        if has("email") {
            Some(Self::Email)
        } else if has("phone") || has("fax") {
            Some(Self::Phone)
        } else if has("website") || has("link") {
            Some(Self::Web)
        } else if has("date") || has("birthdate") || matches!(kind, Some(ColumnType::Date | ColumnType::Timestamp)) {
            Some(Self::Moment)
        } else if matches!(first, Some("is" | "has")) || kind == Some(ColumnType::Boolean) {
            Some(Self::Truth)
        } else {
            None
        }
    }

    fn is_of(self, kind: &FieldType) -> bool {
        match self {
            Self::Email => *kind == FieldType::Email,
            Self::Phone => *kind == FieldType::Phone,
            Self::Web => *kind == FieldType::Url,
            Self::Moment => matches!(kind, FieldType::Date | FieldType::Datetime),
            Self::Truth => *kind == FieldType::Boolean,
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Email => "e-mail addresses",
            Self::Phone => "phone numbers",
            Self::Web => "web addresses",
            Self::Moment => "dates",
            Self::Truth => "yes or no",
        }
    }

    fn fits(self, value: &str) -> bool {
        let digits = value.chars().filter(char::is_ascii_digit).count();
        match self {
            Self::Email => value.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.')),
            Self::Phone => digits >= 5 && value.chars().all(|sign| sign.is_ascii_digit() || " +-()/.x".contains(sign)),
            Self::Web => value.starts_with("http") || value.starts_with("www."),
            Self::Moment => {
                let day = value.get(..10).unwrap_or_default();
                day.len() == 10
                    && day.chars().enumerate().all(|(at, sign)| match at {
                        4 | 7 => sign == '-',
                        _ => sign.is_ascii_digit(),
                    })
            }
            Self::Truth => {
                matches!(value.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no" | "y" | "n" | "0" | "1")
            }
        }
    }
}

fn looks_like(kind: ColumnType, value: &str) -> bool {
    match kind {
        ColumnType::Text | ColumnType::Json => true,
        ColumnType::Integer => value.parse::<i64>().is_ok(),
        ColumnType::Decimal => value.parse::<f64>().is_ok(),
        ColumnType::Boolean => Meaning::Truth.fits(value),
        ColumnType::Date | ColumnType::Timestamp => Meaning::Moment.fits(value),
        ColumnType::Time => value.contains(':'),
    }
}

/// As a mapping spells it.
fn spelt(kind: ColumnType) -> &'static str {
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

fn percent(score: f64) -> u8 {
    (score * 100.0).round() as u8
}

#[cfg(test)]
mod tests;
