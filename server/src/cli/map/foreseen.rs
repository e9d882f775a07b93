//! Which rows of the vendor's the previewed records would stand for, as people read it.

use destinations::matching::{Change, Filling, Foreseen, Foresight};
use sync::matching::Unmatched;

use crate::{
    app::preview::{MatchedWith, Preview},
    cli::{
        progress::destination_place,
        terminal::{Terminal, counted},
    },
};

/// `In customers: 7 matched, 1 ambiguous, 2 unmatched`, or why nothing is known of that.
pub(super) fn summary(preview: &Preview, matched_with: &MatchedWith, terminal: &Terminal) {
    let MatchedWith { table, destination, error, .. } = matched_with;
    if let Some(error) = error {
        terminal.warning(&format!("which rows of {table} the records stand for cannot be told: {error}"));
        return;
    }
    let foreseen: Vec<&Foreseen> = preview.records.iter().filter_map(|record| record.foreseen.as_ref()).collect();
    let number = |is: fn(&Foresight) -> bool| foreseen.iter().filter(|foreseen| is(&foreseen.outcome)).count();
    let counts = [
        ("matched", number(|outcome| outcome.their_key().is_some())),
        ("ambiguous", number(|outcome| matches!(outcome, Foresight::Ambiguous { .. }))),
        ("unmatched", number(|outcome| matches!(outcome, Foresight::Unmatched))),
        ("ignored", number(|outcome| matches!(outcome, Foresight::Ignored { .. }))),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(_, number)| *number > 0).map(|(what, number)| format!("{number} {what}")).collect();
    let counts = if counts.is_empty() { "nothing to match".to_owned() } else { counts.join(", ") };
    terminal.say(format!("In {table} ({}): {counts}", destination_place(destination)));
    let refuses = |foreseen: &&&Foreseen| matches!(foreseen.filling, Some(Filling::Refused { .. }));
    let refused = foreseen.iter().filter(refuses).count() as u64;
    if refused > 0 {
        terminal.say(format!("A run would stop: {} of {table} would refuse a value", counted(refused, "row")));
    }
}

/// What would become of one record, and of the row that it would stand for.
pub(super) fn show(foreseen: &Foreseen, matched_with: &MatchedWith, terminal: &Terminal) {
    terminal.say(format!("  {}", sentence(&foreseen.outcome, matched_with)));
    match &foreseen.filling {
        None => {}
        Some(Filling::Changes { changes }) if changes.is_empty() => terminal.say("  nothing of the row changes"),
        Some(Filling::Changes { changes }) => {
            let lines = changes.iter().map(|Change { column, was, becomes }| {
                vec![format!("  {column}"), shown(was.as_deref()), shown(becomes.as_deref())]
            });
            terminal.table(&["  its column", "is", "becomes"], &[], lines.collect());
        }
        Some(Filling::ByAnother { filled_by }) => {
            terminal.say(format!("  {filled_by} stands for the row too, changed later, and fills it"));
        }
        Some(Filling::Refused { column, reason }) => {
            let what = column.as_ref().map_or_else(|| "the row".to_owned(), |column| format!("its column {column}"));
            terminal.say(format!("  {what} would refuse the value, and the run would stop: {reason}"));
        }
    }
}

fn sentence(outcome: &Foresight, MatchedWith { table, unmatched, .. }: &MatchedWith) -> String {
    match outcome {
        Foresight::Matched { their_key, by } => {
            format!("stands for row {their_key} of {table}, by {}", by.join(" and "))
        }
        Foresight::Stays { their_key } => format!("stands for row {their_key} of {table}, by a link that stays"),
        Foresight::Linked { their_key, decided_by } => {
            format!("stands for row {their_key} of {table}, decided by {decided_by}")
        }
        Foresight::Ignored { decided_by } => format!("stands for no row of {table}, decided by {decided_by}"),
        Foresight::Ambiguous { candidates, rows } => {
            let more = if *rows > candidates.len() as u64 { ", …" } else { "" };
            let rows = counted(*rows, "row");
            format!("ambiguous: {rows} of {table} fit ({}{more}); waits for a decision", candidates.join(", "))
        }
        Foresight::Unmatched => {
            let then = match unmatched {
                Unmatched::Queue => "waits for a decision",
                Unmatched::Ignore => "is only counted",
            };
            format!("unmatched: no row of {table} fits; {then}")
        }
    }
}

fn shown(value: Option<&str>) -> String {
    value.unwrap_or("null").to_owned()
}
