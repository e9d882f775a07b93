//! The reference page of all findings, `docs/errors.md`, made from the catalogue.

use std::fmt::Write;

use super::{
    catalogue::{self, Entry},
    finding::{Layer, Passing, Severity, Who},
};

const HEAD: &str = "\
# Findings

What `orgtide check` and `orgtide connect` can find, and what to do about it. The codes are stable: the command line, its
JSON, the log and the console use the same ones. `orgtide explain <code>` shows one entry. This page is made from the
program's own table (`server/src/diagnose/catalogue.rs`); a test keeps the two alike.

What is marked *may be propagation* is also what a right setting looks like in the two to ten minutes after it was made;
`--wait` tries again until then. *Keeps from saving*: while this is so, `orgtide connect` saves nothing.
";

/// The whole page: a table for each layer.
pub fn page() -> String {
    let all = catalogue::all();
    let mut page = HEAD.to_owned();
    for layer in Layer::ALL {
        let of_layer = || all.iter().filter(move |entry| entry.layer == layer);
        let _ = write!(page, "\n## {}\n\n| code | | why | what to do | who |\n|---|---|---|---|---|\n", layer.title());
        for entry in of_layer().filter(|entry| entry.severity != Severity::Ok) {
            page.push_str(&row(entry));
        }
        let well = of_layer().filter(|entry| entry.severity == Severity::Ok);
        let well: Vec<String> = well.map(|entry| format!("`{}`", entry.code())).collect();
        if !well.is_empty() {
            let _ = write!(page, "\nWhen nothing is wrong: {}.\n", well.join(", "));
        }
    }
    page
}

fn row(entry: &Entry) -> String {
    let code = entry.code();
    let Entry { cause, remedy, who, .. } = entry;
    let who = if *who == Who::Nobody { String::new() } else { who.to_string() };
    format!("| `{code}` | {} | {} | {} | {who} |\n", marks(entry), cell(cause), cell(remedy))
}

/// How bad it is, and what else there is to know.
fn marks(entry: &Entry) -> String {
    let mut marks = vec![match entry.severity {
        Severity::Ok => "ok",
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Failed => "failed",
    }];
    marks.extend(entry.may_pass.map(|passing| match passing {
        Passing::Propagation => "may be propagation",
        Passing::Later => "passes by itself",
    }));
    marks.extend(entry.is_essential.then_some("keeps from saving"));
    marks.join(", ")
}

/// A sentence in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
