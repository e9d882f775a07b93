//! What the files of a table are.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A format of files, by which their names end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileFormat {
    #[default]
    Parquet,
    /// RFC 4180 with a line of names and `\n` at the end of each line. Nothing is null, and `""` an empty text.
    Csv(Packing),
    /// An object a line.
    Jsonl(Packing),
}

/// How a file of text is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    #[default]
    Plain,
    /// Members after each other, which every reader of gzip takes for one.
    Gzip,
}

impl FileFormat {
    const ALL: [Self; 5] = [
        Self::Parquet,
        Self::Csv(Packing::Plain),
        Self::Csv(Packing::Gzip),
        Self::Jsonl(Packing::Plain),
        Self::Jsonl(Packing::Gzip),
    ];

    /// What the names of files end in, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv(Packing::Plain) => "csv",
            Self::Csv(Packing::Gzip) => "csv.gz",
            Self::Jsonl(Packing::Plain) => "jsonl",
            Self::Jsonl(Packing::Gzip) => "jsonl.gz",
        }
    }

    /// What an address calls it: its scheme, or `format=`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv(_) => "csv",
            Self::Jsonl(_) => "jsonl",
        }
    }

    /// What messages call it, however it is packed.
    pub(super) fn family(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::Csv(_) => "CSV",
            Self::Jsonl(_) => "JSON Lines",
        }
    }

    pub(super) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }

    /// The same packed otherwise; `None`: it cannot be.
    pub(super) fn packed(self, packing: Packing) -> Option<Self> {
        match self {
            Self::Parquet => None,
            Self::Csv(_) => Some(Self::Csv(packing)),
            Self::Jsonl(_) => Some(Self::Jsonl(packing)),
        }
    }

    pub(super) fn packing(self) -> Packing {
        match self {
            Self::Parquet => Packing::Plain,
            Self::Csv(packing) | Self::Jsonl(packing) => packing,
        }
    }

    fn of_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.extension() == extension)
    }

    /// The format of a data file of ours; Parquet, which says by itself when it is none, for what has no such name.
    pub(super) fn of_file(name: &str) -> Self {
        name.split_once('.').and_then(|(_, extension)| Self::of_extension(extension)).unwrap_or_default()
    }

    /// A name without what our files' names end in, also while they are written.
    pub(super) fn stem(name: &str) -> Option<&str> {
        let (stem, rest) = name.split_once('.')?;
        let whole = |rest: &str| Self::of_extension(rest).is_some();
        let unfinished = rest.strip_suffix(".unfinished").and_then(|rest| rest.rsplit_once('-'));
        (whole(rest) || unfinished.is_some_and(|(rest, _)| whole(rest))).then_some(stem)
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packed = if self.packing() == Packing::Gzip { " by gzip" } else { "" };
        write!(out, "{}{packed}", self.family())
    }
}

impl Serialize for FileFormat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.extension())
    }
}

impl<'de> Deserialize<'de> for FileFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::of_extension(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is no format of files")))
    }
}
