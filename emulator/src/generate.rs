//! Rows that are computed from (seed, ordinal) whenever they are read; nothing is stored.
//!
//! The data is made to break careless readers: several scripts, quotes, both line breaks, texts that look like null,
//! numbers beyond 2⁵³, dates at both ends of what Salesforce allows, and tens of thousands of rows in one second.
//! NUL characters are left out, because command-line tools stop at them; tests store them by themselves.

mod hash;
mod recipe;
mod targets;
#[cfg(test)]
mod tests;
mod words;

use std::ops::Range;
use std::sync::LazyLock;

use hash::{below, choose, mix};
use recipe::{Nulls, PlacePart, Recipe};
pub use targets::Targets;

use crate::ids::{KeyPrefix, RecordId};
use crate::schema::{Field, FieldIndex, Object};
use crate::value::{Cell, Date, Decimal, TimeOfDay, Timestamp, Value, converted};

/// Of this many generated rows one is in the recycle bin.
const DELETED_EVERY: u64 = 500;
/// Rows are created over this time before now.
const CREATED_OVER_SECONDS: i64 = 5 * 365 * 86_400;
/// A mass update touched at most so many rows in one second.
const MASS_UPDATE_ROWS: u64 = 40_000;
/// How long before now the mass update was.
const MASS_UPDATE_AGE_SECONDS: i64 = 30 * 86_400;
/// Activities are archived after about a year.
const ARCHIVED_AFTER_SECONDS: i64 = 365 * 86_400;
/// One of this many long texts fills its field.
const VERY_LONG_ONE_IN: u64 = 4096;

/// Computes the rows of one object.
#[derive(Clone, Debug)]
pub struct Generator {
    prefix: KeyPrefix,
    ordinals: Range<u64>,
    seed: u64,
    now_seconds: i64,
    has_recycle_bin: bool,
    /// Ranks that share one second of their stamps.
    mass_updated: Range<u64>,
    columns: Vec<Column>,
}

/// A field's values, which stay what they are when fields before it come and go.
#[derive(Clone, Debug)]
struct Column {
    salt: u64,
    recipe: Recipe,
}

impl Generator {
    pub(crate) fn new(
        object: &Object,
        prefix: KeyPrefix,
        ordinals: Range<u64>,
        seed: u64,
        now: Timestamp,
        mut targets: Targets,
    ) -> Self {
        let fields = object.fields().iter().enumerate();
        let column = |(index, field)| Column {
            salt: index as u64 + 1,
            recipe: recipe::of(object, index, field, targets.take(index)),
        };
        let columns = fields.map(column).collect();
        let rows = ordinals.end - ordinals.start;
        let mass_start = rows / 5 * 2;
        Self {
            prefix,
            ordinals,
            seed: object.name.bytes().fold(mix(seed), |seed, byte| mix(seed ^ u64::from(byte))),
            now_seconds: now.0.div_euclid(1000),
            has_recycle_bin: object.has_recycle_bin(),
            mass_updated: mass_start..mass_start + (rows / 20).min(MASS_UPDATE_ROWS),
            columns,
        }
    }

    /// How many rows there are in all when `live` of them are outside the recycle bin.
    pub(crate) fn rows_with_bin(object: &Object, live: u64) -> u64 {
        if object.has_recycle_bin() { live + live.saturating_sub(1) / (DELETED_EVERY - 1) } else { live }
    }

    pub(crate) fn first_ordinal(&self) -> u64 {
        self.ordinals.start
    }

    pub(crate) fn end_ordinal(&self) -> u64 {
        self.ordinals.end
    }

    pub(crate) fn rows(&self) -> u64 {
        self.ordinals.end - self.ordinals.start
    }

    pub(crate) fn deletes_every(&self) -> Option<u64> {
        self.has_recycle_bin.then_some(DELETED_EVERY)
    }

    pub(crate) fn deleted_rows(&self) -> u64 {
        self.deletes_every().map_or(0, |every| self.rows() / every)
    }

    pub(crate) fn is_deleted(&self, rank: u64) -> bool {
        self.has_recycle_bin && rank % DELETED_EVERY == DELETED_EVERY - 1
    }

    /// The position of an id among the generated rows.
    pub(crate) fn rank(&self, id: RecordId) -> Option<u64> {
        let ordinal = id.ordinal().filter(|ordinal| id.prefix() == self.prefix && self.ordinals.contains(ordinal))?;
        Some(ordinal - self.ordinals.start)
    }

    /// The number of generated rows with a smaller id.
    pub(crate) fn rows_before(&self, id: RecordId) -> u64 {
        if id.prefix() == self.prefix
            && let Some(ordinal) = id.ordinal()
        {
            return ordinal.clamp(self.ordinals.start, self.ordinals.end) - self.ordinals.start;
        }
        if id < self.id(0) { 0 } else { self.rows() }
    }

    pub(crate) fn id(&self, rank: u64) -> RecordId {
        RecordId::new(self.prefix, self.ordinals.start + rank)
    }

    /// The value of a field, put together in `scratch` where it is not a ready text.
    pub(crate) fn cell<'s>(&'s self, rank: u64, field: FieldIndex, scratch: &'s mut String) -> Cell<'s> {
        let Some(column) = self.columns.get(field) else { return Cell::Null };
        let row = mix(self.seed ^ rank.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let hash = salted(row, column.salt);
        let compose = Compose { generator: self, rank, row, hash };
        compose.cell(&column.recipe, scratch)
    }

    /// Whether rows have a value of their own in a field; those that were added later have none.
    pub(crate) fn fills(&self, field: FieldIndex) -> bool {
        field < self.columns.len()
    }

    /// Forgets fields, so that those behind them move up.
    pub(crate) fn remove_fields(&mut self, fields: Range<FieldIndex>) {
        let known = self.columns.len();
        self.columns.drain(fields.start.min(known)..fields.end.min(known));
    }

    /// Goes on with the same values as another type holds them.
    pub(crate) fn retype_field(&mut self, index: FieldIndex, field: &Field) {
        if let Some(column) = self.columns.get_mut(index) {
            let was = std::mem::replace(&mut column.recipe, Recipe::Null);
            column.recipe = Recipe::Retyped { was: Box::new(was), field: Box::new(field.clone()) };
        }
    }

    fn created(&self, rank: u64, row: u64) -> i64 {
        let age = CREATED_OVER_SECONDS - CREATED_OVER_SECONDS * rank as i64 / self.rows().max(1) as i64;
        let jitter = below(salted(row, SALT_CREATED), 86_400) as i64;
        let created = self.now_seconds - age.max(600) - jitter;
        if self.mass_updated.contains(&rank) { created.min(self.mass_update_time()) } else { created }
    }

    fn modified(&self, rank: u64, row: u64) -> i64 {
        if self.mass_updated.contains(&rank) {
            return self.mass_update_time();
        }
        let created = self.created(rank, row);
        let hash = salted(row, SALT_MODIFIED);
        if hash & 1 == 0 {
            return created;
        }
        created + below(hash, (self.now_seconds - created - 300).max(1) as u64) as i64
    }

    /// Never before `modified`: the system touches some rows later.
    fn stamp(&self, rank: u64, row: u64) -> i64 {
        let modified = self.modified(rank, row);
        let hash = salted(row, SALT_STAMP);
        let room = (self.now_seconds - modified - 60).max(1) as u64;
        if self.is_deleted(rank) {
            return modified + below(hash, room) as i64;
        }
        let touched = hash & 15 == 0 && !self.mass_updated.contains(&rank);
        if touched { modified + below(hash, room.min(3600)) as i64 } else { modified }
    }

    /// Some of what has not changed for a year.
    fn is_archived(&self, rank: u64, row: u64) -> bool {
        let age = self.now_seconds - self.modified(rank, row);
        age > ARCHIVED_AFTER_SECONDS && salted(row, SALT_ARCHIVED) & 3 == 0
    }

    fn mass_update_time(&self) -> i64 {
        self.now_seconds - MASS_UPDATE_AGE_SECONDS
    }
}

const SALT_CREATED: u64 = 0x1001;
const SALT_MODIFIED: u64 = 0x1002;
const SALT_STAMP: u64 = 0x1003;
const SALT_ARCHIVED: u64 = 0x1004;

fn salted(row: u64, salt: u64) -> u64 {
    mix(row ^ salt.wrapping_mul(0xa076_1d64_78bd_642f))
}

/// One cell in the making.
struct Compose<'g> {
    generator: &'g Generator,
    rank: u64,
    /// The same for all fields of the row.
    row: u64,
    hash: u64,
}

impl<'g> Compose<'g> {
    fn cell<'s>(&self, recipe: &'g Recipe, scratch: &'s mut String) -> Cell<'s>
    where
        'g: 's,
    {
        let (generator, rank, row, hash) = (self.generator, self.rank, self.row, self.hash);
        match recipe {
            Recipe::Null => Cell::Null,
            Recipe::Id => Cell::Id(generator.id(rank)),
            Recipe::IsDeleted => Cell::Bool(generator.is_deleted(rank)),
            Recipe::Archived => Cell::Bool(generator.is_archived(rank, row)),
            Recipe::Created => seconds(generator.created(rank, row)),
            Recipe::Modified => seconds(generator.modified(rank, row)),
            Recipe::Stamp => seconds(generator.stamp(rank, row)),
            Recipe::FirstName => Cell::Text(choose(hash, words::script(row).first)),
            Recipe::LastName => Cell::Text(choose(hash, words::script(row).last)),
            Recipe::Company => self.company(scratch),
            Recipe::Deal => self.deal(scratch),
            Recipe::False => Cell::Bool(false),
            Recipe::Bool => Cell::Bool(hash & 3 == 0),
            Recipe::Int => Cell::Int(self.integer()),
            Recipe::Coordinate { limit, salt } => coordinate(salted(row, *salt) ^ *limit as u64, *limit),
            Recipe::Birthdate => self.birthdate(),
            Recipe::Place { part, salt } => self.place(*part, salted(row, *salt), scratch),
            Recipe::Numbered { head, width, tail } => self.numbered(head, *width, tail, scratch),
            Recipe::Blob => Cell::Bytes(choose(hash, words::BLOBS)),
            Recipe::Any => self.any(),
            Recipe::Retyped { was, field } => self.retyped(was, field, scratch),
            _ => self.nullable(recipe, scratch),
        }
    }

    fn nullable<'s>(&self, recipe: &'g Recipe, scratch: &'s mut String) -> Cell<'s>
    where
        'g: 's,
    {
        let hash = self.hash;
        match recipe {
            Recipe::Reference { target, nulls } => match target.pick(hash) {
                Some(id) if !self.is_null(*nulls) => Cell::Id(id),
                _ => Cell::Null,
            },
            Recipe::Email { nulls } if !self.is_null(*nulls) => self.email(scratch),
            Recipe::Phone { nulls } if !self.is_null(*nulls) => self.phone(scratch),
            Recipe::Pick { values, nulls } if !self.is_null(*nulls) => {
                Cell::Text(&values[below(hash, values.len() as u64) as usize])
            }
            Recipe::Static { values, nulls } if !self.is_null(*nulls) => Cell::Text(choose(hash, values)),
            Recipe::RawJson { values, nulls } if !self.is_null(*nulls) => Cell::Json(choose(hash, values)),
            Recipe::Phrase { length, nulls } if !self.is_null(*nulls) => {
                Cell::Text(shortened(choose(hash, words::PHRASES), *length))
            }
            Recipe::Paragraph { length, nulls } if !self.is_null(*nulls) => self.paragraph(*length),
            Recipe::Long { nulls } if !self.is_null(*nulls) => Cell::Int(self.long()),
            Recipe::Decimal { precision, scale, nulls } if !self.is_null(*nulls) => self.decimal(*precision, *scale),
            Recipe::Date { nulls } if !self.is_null(*nulls) => self.date(),
            Recipe::DateTime { nulls } if !self.is_null(*nulls) => match self.date() {
                Cell::Date(date) => seconds(date.start().0 / 1000 + below(mix(hash), 86_400) as i64),
                other => other,
            },
            Recipe::Time { nulls } if !self.is_null(*nulls) => Cell::Time(TimeOfDay(below(hash, 86_400_000) as u32)),
            _ => Cell::Null,
        }
    }

    fn retyped<'s>(&self, was: &'g Recipe, field: &Field, scratch: &'s mut String) -> Cell<'s> {
        let value = converted(self.cell(was, &mut String::new()), field);
        match value {
            Value::Text(text) => {
                scratch.clear();
                scratch.push_str(&text);
                Cell::Text(scratch)
            }
            Value::Bool(value) => Cell::Bool(value),
            Value::Int(value) => Cell::Int(value),
            Value::Decimal(value) => Cell::Decimal(value),
            Value::Id(value) => Cell::Id(value),
            Value::Date(value) => Cell::Date(value),
            Value::DateTime(value) => Cell::DateTime(value),
            Value::Time(value) => Cell::Time(value),
            Value::Null | Value::Bytes(_) | Value::Json(_) => Cell::Null,
        }
    }

    fn is_null(&self, nulls: Nulls) -> bool {
        self.hash & 63 < nulls.0
    }

    /// One row in `n`, decided by bits that choose nothing else.
    fn one_in(&self, n: u64) -> bool {
        mix(self.hash).is_multiple_of(n)
    }

    fn company<'s>(&self, scratch: &'s mut String) -> Cell<'s> {
        scratch.clear();
        scratch.push_str(choose(self.hash, words::COMPANY_HEADS));
        scratch.push(' ');
        scratch.push_str(choose(mix(self.hash), words::COMPANY_CORES));
        scratch.push(' ');
        scratch.push_str(choose(mix(self.hash ^ 1), words::COMPANY_TAILS));
        Cell::Text(scratch)
    }

    fn deal<'s>(&self, scratch: &'s mut String) -> Cell<'s> {
        scratch.clear();
        scratch.push_str(choose(self.hash, words::COMPANY_HEADS));
        scratch.push_str(" - ");
        scratch.push_str(choose(mix(self.hash), words::DEALS));
        Cell::Text(scratch)
    }

    /// Unique by its number.
    fn email<'s>(&self, scratch: &'s mut String) -> Cell<'s> {
        scratch.clear();
        scratch.push_str(choose(self.hash, words::EMAIL_NAMES));
        scratch.push('.');
        push_number(scratch, self.generator.ordinals.start + self.rank, 0);
        scratch.push('@');
        scratch.push_str(choose(mix(self.hash), words::EMAIL_DOMAINS));
        Cell::Text(scratch)
    }

    fn phone<'s>(&self, scratch: &'s mut String) -> Cell<'s> {
        scratch.clear();
        scratch.push_str(choose(self.hash, &["+1 (415) ", "+49 30 ", "+81-3-", "0", "(020) "]));
        push_number(scratch, below(mix(self.hash), 10_000_000), 7);
        Cell::Text(scratch)
    }

    fn numbered<'s>(&self, head: &str, width: usize, tail: &str, scratch: &'s mut String) -> Cell<'s> {
        scratch.clear();
        scratch.push_str(head);
        push_number(scratch, self.generator.ordinals.start + self.rank, width);
        scratch.push_str(tail);
        Cell::Text(scratch)
    }

    fn place<'s>(&self, part: PlacePart, salted: u64, scratch: &'s mut String) -> Cell<'s> {
        if salted & 7 == 0 {
            return Cell::Null;
        }
        let place = choose(salted, words::script(self.row).places);
        match part {
            PlacePart::Street => {
                scratch.clear();
                scratch.push_str(place.street);
                scratch.push(' ');
                push_number(scratch, 1 + below(mix(salted), 250), 0);
                Cell::Text(scratch)
            }
            PlacePart::City => Cell::Text(place.city),
            PlacePart::State => Cell::Text(place.state),
            PlacePart::PostalCode => Cell::Text(place.postal_code),
            PlacePart::Country => Cell::Text(place.country),
        }
    }

    fn paragraph(&self, length: u32) -> Cell<'static> {
        if length >= 32_000 && self.one_in(VERY_LONG_ONE_IN) {
            return Cell::Text(shortened(&VERY_LONG, length));
        }
        Cell::Text(shortened(choose(self.hash, words::PARAGRAPHS), length))
    }

    fn integer(&self) -> i64 {
        if self.one_in(128) {
            return choose(self.hash, &[0, -1, i64::from(i32::MAX), i64::from(i32::MIN)]);
        }
        below(self.hash, 10_000) as i64
    }

    fn long(&self) -> i64 {
        if self.one_in(32) {
            return choose(self.hash, &[9_007_199_254_740_993, -9_007_199_254_740_993, 999_999_999_999_999_999, 0]);
        }
        below(self.hash, 1 << 40) as i64
    }

    fn decimal(&self, precision: u8, scale: u8) -> Cell<'static> {
        let limit = 10_i128.pow(u32::from(precision.min(18)));
        let unscaled = match below(mix(self.hash), 64) {
            0 => limit - 1,
            1 => 1 - limit,
            2 => 9_007_199_254_740_993 % limit,
            3 => 0,
            4 => 1,
            5..16 => i128::from(below(self.hash, 1 << 40)) % limit,
            _ => i128::from(below(self.hash, 5_000_000)) % limit,
        };
        Cell::Decimal(Decimal::new(unscaled, scale))
    }

    fn birthdate(&self) -> Cell<'static> {
        match below(mix(self.hash), 256) {
            0 => Cell::Date(Date::MIN),
            1 => Cell::Date(Date::MAX),
            2 => Cell::Date(Date::from_civil(1904, 2, 29)),
            3..64 => Cell::Null,
            _ => Cell::Date(Date(-11_000 + below(self.hash, 25_000) as i32)),
        }
    }

    fn date(&self) -> Cell<'static> {
        match below(mix(self.hash), 512) {
            0 => Cell::Date(Date::MIN),
            1 => Cell::Date(Date::MAX),
            2 => Cell::Date(Date::from_civil(2000, 2, 29)),
            _ => {
                let today = Timestamp(self.generator.now_seconds * 1000).date();
                Cell::Date(Date(today.0 - 1800 + below(self.hash, 2000) as i32))
            }
        }
    }

    fn any(&self) -> Cell<'static> {
        match self.hash & 3 {
            0 => Cell::Text(choose(self.hash, words::PHRASES)),
            1 => Cell::Decimal(Decimal::new(i128::from(below(self.hash, 100_000)), 2)),
            2 => Cell::Bool(self.hash & 4 == 0),
            _ => Cell::Null,
        }
    }
}

/// As long as the longest text area.
static VERY_LONG: LazyLock<String> = LazyLock::new(|| {
    let text = words::PARAGRAPHS.join("\n\n");
    text.repeat(131_072 / text.len() + 1)
});

fn seconds(seconds: i64) -> Cell<'static> {
    Cell::DateTime(Timestamp(seconds * 1000))
}

/// Degrees with six decimals.
fn coordinate(hash: u64, limit: i64) -> Cell<'static> {
    let millionths = below(hash, 2 * limit as u64 * 1_000_000) as i128 - i128::from(limit) * 1_000_000;
    Cell::Decimal(Decimal::new(millionths, 6))
}

/// At most `length` bytes, and so at most as many characters.
fn shortened(text: &str, length: u32) -> &str {
    let length = length as usize;
    if text.len() <= length {
        return text;
    }
    let end = (0..=length).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    &text[..end]
}

fn push_number(text: &mut String, number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    let mut rest = number;
    while rest > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let start = at.min(digits.len().saturating_sub(width.min(digits.len())));
    text.push_str(std::str::from_utf8(&digits[start..]).expect("digits are ASCII"));
}
