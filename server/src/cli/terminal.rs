//! What is printed: results on standard output, for people or as one JSON document; the rest on standard error.

use std::io::{IsTerminal, Write};

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use salesforce::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::findings;
pub(super) use crate::counts::{counted, grouped};
use crate::error::Error;

/// Where a command prints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    json: bool,
}

impl Terminal {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result for people; nothing when JSON is wanted.
    pub(super) fn say(self, line: impl AsRef<str>) {
        if !self.json {
            self.text(&format!("{}\n", line.as_ref()));
        }
    }

    /// Prints a text as it is. A reader that has gone away is no error: `orgtide status | head`.
    pub(super) fn text(self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Prints the one document of a command; nothing when text is wanted.
    pub(super) fn document(self, document: &impl Serialize) {
        if self.json {
            let text = serde_json::to_string(document).expect("documents are plain data");
            self.text(&format!("{text}\n"));
        }
    }

    /// Tells something beside the result, on standard error.
    pub(super) fn notice(self, line: &str) {
        if !self.json {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    pub(super) fn warning(self, line: &str) {
        self.notice(&format!("warning: {line}"));
    }

    /// Tells why a command failed, and what to do.
    pub(super) fn error(self, error: &Error) {
        if self.json {
            self.document(&json!({ "error": error_document(error) }));
            return;
        }
        let mut text = format!("error: {error}\n");
        match error.finding() {
            Some(finding) => {
                let said = error.to_string();
                let details = findings::details(&finding).into_iter().filter(|(_, detail)| !said.contains(detail));
                details.for_each(|(label, detail)| text.push_str(&format!("  {label}: {detail}\n")));
            }
            None => {
                if let Some(remedy) = error.remedy() {
                    text.push_str(&format!("  what to do: {remedy}\n"));
                }
            }
        }
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// Prints a table with a header; on a terminal it fits the width.
    pub(super) fn table(self, header: &[&str], right: &[usize], rows: Vec<Vec<String>>) {
        if self.json {
            return;
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let fits = std::io::stdout().is_terminal();
        table.set_content_arrangement(if fits { ContentArrangement::Dynamic } else { ContentArrangement::Disabled });
        table.set_header(header.iter().map(|name| Cell::new(name.to_uppercase())));
        table.add_rows(rows);
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding(if index == 0 { (0, 1) } else { (1, 1) });
            if right.contains(&index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let text: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        self.text(&text);
    }
}

/// An error as every document shows it.
pub(super) fn error_document(error: &Error) -> serde_json::Value {
    json!({
        "code": error.code(),
        "message": error.to_string(),
        "remedy": error.remedy(),
        "finding": error.finding(),
        "exit_code": error.exit() as u8,
    })
}

/// To the second: `2026-11-21 09:00:00Z`.
pub(super) fn short(moment: Timestamp) -> String {
    let text = moment.to_string();
    let seconds = text.get(..19).unwrap_or(&text);
    format!("{}Z", seconds.replacen('T', " ", 1))
}
