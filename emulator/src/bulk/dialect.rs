//! How a job's CSV is written: what separates columns and what ends a row (Bulk API 2.0 guide v66, "Create a Job").

use serde::{Deserialize, Serialize};

use crate::value::{CsvDialect, LineEnding};

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(in crate::bulk) enum ColumnDelimiter {
    Backquote,
    Caret,
    #[default]
    Comma,
    Pipe,
    Semicolon,
    Tab,
}

impl ColumnDelimiter {
    pub(in crate::bulk) fn byte(self) -> u8 {
        match self {
            Self::Backquote => b'`',
            Self::Caret => b'^',
            Self::Comma => b',',
            Self::Pipe => b'|',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub(in crate::bulk) enum LineEnd {
    #[default]
    Lf,
    Crlf,
}

impl LineEnd {
    pub(in crate::bulk) fn name(self) -> &'static str {
        match self {
            Self::Lf => "LF",
            Self::Crlf => "CRLF",
        }
    }
}

/// The choices of a job about its CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bulk) struct Format {
    pub(in crate::bulk) delimiter: ColumnDelimiter,
    pub(in crate::bulk) line_ending: LineEnd,
}

impl Format {
    pub(in crate::bulk) fn dialect(self) -> CsvDialect {
        let line_ending = match self.line_ending {
            LineEnd::Lf => LineEnding::Lf,
            LineEnd::Crlf => LineEnding::CrLf,
        };
        CsvDialect { delimiter: self.delimiter.byte(), line_ending }
    }
}

/// The format of a job's rows: CSV and nothing else.
#[derive(Default, Deserialize)]
pub(in crate::bulk) enum ContentType {
    #[default]
    #[serde(rename = "CSV")]
    Csv,
}
