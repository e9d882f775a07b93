//! What a comparison found, to be kept and shown.

use std::collections::BTreeMap;

use salesforce::Timestamp;
use serde::{Deserialize, Serialize};

use crate::read::ReadMode;

/// What is compared of each record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Every mapped column.
    #[default]
    Content,
    /// Its Id and its stamp: that it is there, in its latest version. A fraction of the bytes; a value that was altered in
    /// the copy, or that changes without moving the stamp, is not noticed.
    Versions,
}

/// A comparison of a copy with its source, from fresh reads of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    pub object: String,
    pub table: String,
    pub depth: Depth,
    /// By the org's clock. What was stamped later has perhaps not been copied yet, and is not compared.
    pub as_of: Timestamp,
    /// How the source was read.
    pub mode: ReadMode,
    /// By the month in which a record changed last, in order.
    pub slices: Vec<Slice>,
    /// Records that have changed since `as_of`.
    pub changed_since: u64,
    /// Records that the mapping rejects: they become no row.
    pub rejected: u64,
    pub differences: Differences,
    /// What was put right before this comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired: Option<Repaired>,
    /// API calls that it took.
    pub api_calls: u64,
}

/// The records of one month on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// `None`: records without a stamp.
    pub month: Option<Month>,
    pub source: Sum,
    pub copy: Sum,
}

impl Slice {
    /// Both sides are the same.
    pub fn is_equal(&self) -> bool {
        self.source == self.copy
    }
}

/// A calendar month in UTC, written `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Month {
    pub year: i32,
    /// From 1.
    pub month: u8,
}

impl Month {
    /// A moment before it began.
    pub(super) fn before(self) -> Timestamp {
        let first = Timestamp::parse(&format!("{}-01T00:00:00.000Z", String::from(self)));
        Timestamp(first.map_or(i64::MIN, |first| first.0 - 1000))
    }
}

impl From<Month> for String {
    fn from(Month { year, month }: Month) -> Self {
        format!("{year:04}-{month:02}")
    }
}

impl TryFrom<String> for Month {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.rsplit_once('-').and_then(|(year, month)| Some((year.parse().ok()?, month.parse().ok()?)));
        match parts {
            Some((year, month @ 1..=12)) => Ok(Self { year, month }),
            Some(_) | None => Err(format!("{text:?} is no month")),
        }
    }
}

/// How many records, and the sum of their digests modulo 2^128: the same whatever order they come in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    pub rows: u64,
    #[serde(serialize_with = "as_hex", deserialize_with = "from_hex")]
    pub checksum: u128,
}

impl Sum {
    pub(super) fn add(&mut self, digest: u128) {
        self.rows += 1;
        self.checksum = self.checksum.wrapping_add(digest);
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.checksum = self.checksum.wrapping_add(other.checksum);
    }
}

fn as_hex<S: serde::Serializer>(value: &u128, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(&format_args!("{value:032x}"))
}

fn from_hex<'de, D: serde::Deserializer<'de>>(input: D) -> Result<u128, D::Error> {
    let text = String::deserialize(input)?;
    u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
}

/// Where the sides differ, each record looked up once more before it was believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differences {
    /// Records without a row.
    pub missing: u64,
    /// Rows without a record.
    pub extra: u64,
    /// Rows that hold something else than their record.
    pub altered: u64,
    /// In how many altered rows each column differs.
    pub columns: BTreeMap<String, u64>,
    /// Some of them.
    pub examples: Vec<Difference>,
    /// Too many to be looked at one by one: only the slices say where.
    #[serde(default)]
    pub too_many: bool,
}

impl Differences {
    /// There are none.
    pub fn is_empty(&self) -> bool {
        !self.too_many && self.count() == 0
    }

    /// How many records or rows differ, unless they are too many.
    pub fn count(&self) -> u64 {
        self.missing + self.extra + self.altered
    }
}

/// One record on which the sides differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub id: String,
    #[serde(flatten)]
    pub kind: DifferenceKind,
}

/// How the sides differ on a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DifferenceKind {
    Missing,
    Extra,
    Altered { columns: Vec<String> },
}

/// What a repair has written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repaired {
    pub missing: u64,
    pub extra: u64,
    pub altered: u64,
}

impl Certificate {
    /// The copy is the source, up to `as_of`.
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.slices.iter().all(Slice::is_equal)
    }

    /// Everything that was compared of the source.
    pub fn source(&self) -> Sum {
        total(self.slices.iter().map(|slice| slice.source))
    }

    /// Everything that was compared of the copy.
    pub fn copy(&self) -> Sum {
        total(self.slices.iter().map(|slice| slice.copy))
    }
}

fn total(sums: impl Iterator<Item = Sum>) -> Sum {
    let mut total = Sum::default();
    sums.for_each(|sum| total.merge(sum));
    total
}
