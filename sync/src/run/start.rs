//! Where a run begins: in the middle of the last one, after it, or with everything.

use std::{collections::BTreeSet, time::Duration};

use salesforce::{ApiVersion, Timestamp};

use super::{RunOptions, is_start};
use crate::{
    checkpoint::{Asked, Backfill, Checkpoint, Epoch, Position, Window},
    mapping::CompiledMapping,
    read::Span,
    strategy,
};

/// The first window after a first load begins this much earlier: nobody has heard yet how long the org's transactions
/// are. getDeleted tells from then on.
const FIRST_OVERLAP: Duration = Duration::from_secs(3600);

/// getDeleted answers in whole minutes.
const MINUTE: Duration = Duration::from_secs(60);

/// A decision that nothing has come of yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// The window's end is a guess until the first page has come, unless the window is gone on with.
    pub(super) checkpoint: Checkpoint,
    /// An earlier run has written part of this window.
    pub(super) is_resumed: bool,
    /// Deletions are asked for as well.
    pub(super) deletions: Option<Span>,
}

impl Start {
    /// What follows `stored`. `now` is the org's clock, and decides nothing but what is due.
    pub(super) fn after(
        stored: Option<Checkpoint>,
        mapping: &CompiledMapping,
        options: &RunOptions,
        epoch: Epoch,
        api: ApiVersion,
        now: Timestamp,
    ) -> Self {
        let next = Next { mapping, options, epoch, api, now };
        let Some(stored) = stored else { return next.everything(None) };
        let is_incremental = stored.window.from.is_some();
        let is_whole_anew = options.full && (is_incremental || stored.at == Position::Complete);
        let changed = changed(&stored.asked, &mapping.asked);
        let is_sample = mapping.limit.is_some();
        if stored.asked.scope != mapping.asked.scope || is_whole_anew || (is_sample && !changed.is_empty()) {
            return next.everything(Some(stored));
        }
        if stored.at != Position::Complete {
            return next.going_on(stored, changed);
        }
        if mapping.cursor.is_none() || is_sample {
            return next.everything(Some(stored));
        }
        next.window_after(stored, changed)
    }
}

/// What the decision rests on, beside the stored checkpoint.
struct Next<'a> {
    mapping: &'a CompiledMapping,
    options: &'a RunOptions,
    epoch: Epoch,
    api: ApiVersion,
    now: Timestamp,
}

impl Next<'_> {
    /// Everything there is. Of rows that are there already, those that are not named any more go, unless this is a
    /// sample, in which deleted records would take the place of others.
    fn everything(&self, stored: Option<Checkpoint>) -> Start {
        let is_sample = self.mapping.limit.is_some();
        let sweep = stored.as_ref().filter(|_| !is_sample).map(|stored| {
            let used = stored.sweep.map_or(0, |generation| generation.saturating_add(1));
            used.max(self.epoch.0)
        });
        let is_archived = strategy::is_archived(&self.mapping.object);
        let window = Window { from: None, until: self.now };
        let begun = Checkpoint::new(window, self.mapping.asked.clone(), self.api, Position::Start);
        let checkpoint = Checkpoint {
            with_deleted: !is_sample && (stored.is_some() || is_archived),
            sweep,
            settled: stored.and_then(|stored| stored.settled),
            ..begun
        };
        Start { checkpoint, is_resumed: false, deletions: None }
    }

    /// The same window, behind what is written of it. Columns that have changed meanwhile lack in what is written.
    fn going_on(&self, stored: Checkpoint, changed: BTreeSet<String>) -> Start {
        let is_other = stored.asked.columns != self.mapping.asked.columns;
        // A job has the columns that it was made with.
        let is_lost = is_other && matches!(stored.at, Position::Bulk { .. });
        let at = if is_lost { Position::Start } else { stored.at.clone() };
        let is_resumed = !is_start(&stored.at);
        // Where this reading names every row from its beginning on, no column is left to fill.
        let backfill = match is_start(&at) && stored.window.from.is_none() {
            true => None,
            false => merged(stored.backfill.clone(), changed, &self.mapping.asked, self.now),
        };
        let deletions = self.deletions_after(&stored).filter(|_| is_start(&at) && stored.window.from.is_some());
        let checkpoint = Checkpoint { at, api: self.api, asked: self.mapping.asked.clone(), backfill, ..stored };
        Start { checkpoint, is_resumed, deletions }
    }

    /// What has changed since the last window, less the overlap; from the last moment on that is known to be settled
    /// when deletions are due, which tell of a later one.
    fn window_after(&self, stored: Checkpoint, changed: BTreeSet<String>) -> Start {
        let deletions = self.deletions_after(&stored);
        let overlapping = before(stored.window.until, self.options.overlap);
        let from = match (deletions, stored.settled) {
            (None, _) => overlapping,
            (Some(_), None) => overlapping.min(before(stored.window.until, FIRST_OVERLAP)),
            (Some(_), Some(settled)) => overlapping.min(before(settled, MINUTE)),
        };
        let checkpoint = Checkpoint {
            window: Window { from: Some(from), until: self.now },
            with_deleted: true,
            asked: self.mapping.asked.clone(),
            api: self.api,
            at: Position::Start,
            sweep: None,
            settled: stored.settled.or_else(|| deletions_are_known(self.mapping).then(|| heard_until(&stored))),
            backfill: merged(stored.backfill, changed, &self.mapping.asked, self.now),
            refreshed: stored.refreshed,
            id_sweep: stored.id_sweep,
            swept: stored.swept,
        };
        Start { checkpoint, is_resumed: false, deletions }
    }

    /// The time to ask deletions for, when they are due.
    fn deletions_after(&self, stored: &Checkpoint) -> Option<Span> {
        let begun = heard_until(stored);
        let since = match (stored.settled, stored.window.from) {
            (Some(settled), Some(_)) => settled,
            // A whole reading shows what was deleted before it, so that no log has to reach back further.
            (Some(settled), None) => settled.max(begun),
            (None, _) => begun,
        };
        let age = |settled: Timestamp| u128::try_from(self.now.0.saturating_sub(settled.0)).unwrap_or(0);
        let is_due = stored.settled.is_none_or(|settled| age(settled) >= self.options.deletions_every.as_millis());
        (is_due && deletions_are_known(self.mapping)).then_some(Span { since, now: self.now })
    }
}

/// Deletions before this moment are known, where nobody has asked for any yet: a whole reading showed them. It has to be
/// remembered from the first window on: later ones begin later, and may die before they have asked.
fn heard_until(stored: &Checkpoint) -> Timestamp {
    before(stored.window.from.unwrap_or(stored.window.until), FIRST_OVERLAP)
}

/// True when the org tells which rows are gone for good.
pub(super) fn deletions_are_known(mapping: &CompiledMapping) -> bool {
    mapping.replicateable && mapping.cursor.is_some() && mapping.limit.is_none() && mapping.is_keyed_by_record()
}

/// Why nobody can say which records are gone for good, in an incremental reading.
pub(super) fn why_unknown(mapping: &CompiledMapping) -> String {
    let object = &mapping.object;
    match (mapping.limit.is_some(), mapping.is_keyed_by_record()) {
        (true, _) => format!("only a part of {object} is read"),
        (false, false) => format!("the rows of this table have another key than the Ids of {object}"),
        (false, true) => format!("{object} keeps no log of its deletions"),
    }
}

/// Columns that are new, or made otherwise.
fn changed(stored: &Asked, asked: &Asked) -> BTreeSet<String> {
    let is_other = |(name, print): &(&String, &String)| stored.columns.get(*name) != Some(*print);
    asked.columns.iter().filter(is_other).map(|(name, _)| name.clone()).collect()
}

/// What is left to fill: what was being filled, and what has changed, as far as it is still mapped. A further column
/// begins the filling anew.
fn merged(under_way: Option<Backfill>, changed: BTreeSet<String>, asked: &Asked, now: Timestamp) -> Option<Backfill> {
    let before: BTreeSet<String> = under_way.iter().flat_map(|fill| fill.columns.iter().cloned()).collect();
    let columns: BTreeSet<String> =
        before.union(&changed).filter(|name| asked.columns.contains_key(*name)).cloned().collect();
    if columns.is_empty() {
        return None;
    }
    let (at, began) = match under_way {
        Some(fill) if columns == before && changed.is_empty() => (fill.at, fill.began),
        _ => (Position::Start, Some(now)),
    };
    Some(Backfill { columns: columns.into_iter().collect(), at, began })
}

fn before(moment: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(moment.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
}
