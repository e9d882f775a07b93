//! Open cursors: results of queries that did not fit on one page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::ids::RecordId;
use crate::org::random_text;
use crate::soql::ResultSet;

/// App limits cheat sheet, "API Query Cursor Limits".
const LIFE: TimeDelta = TimeDelta::days(2);
const PREFIX: &str = "0r8";
const RANDOM_CHARACTERS: usize = 15;

/// One result set and who may page through it.
#[derive(Clone)]
pub(crate) struct Cursor {
    pub(crate) id: String,
    pub(crate) results: Arc<ResultSet>,
    owner: RecordId,
    opened: DateTime<Utc>,
}

/// The cursors of an org. There is no cap on their number, as in today's orgs.
#[derive(Default)]
pub(crate) struct Cursors {
    open: Mutex<HashMap<String, Cursor>>,
}

impl Cursors {
    /// Opens a cursor and returns its id. Cursors past their life are dropped.
    pub(crate) fn open(&self, results: Arc<ResultSet>, owner: RecordId, now: DateTime<Utc>) -> String {
        let id = format!("{PREFIX}{}", random_text(RANDOM_CHARACTERS));
        let cursor = Cursor { id: id.clone(), results, owner, opened: now };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, cursor| cursor.lives(now));
        open.insert(id.clone(), cursor);
        id
    }

    /// Ends the cursor of a locator.
    pub(crate) fn close(&self, locator: &str) {
        let id = locator.rsplit_once('-').map_or(locator, |(id, _)| id);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// The cursor and the offset of a locator `<cursor>-<offset>`, for its owner.
    pub(crate) fn find(&self, locator: &str, user: RecordId, now: DateTime<Utc>) -> Option<(Cursor, u64)> {
        let (id, offset) = locator.rsplit_once('-')?;
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let cursor = open.get(id).filter(|cursor| cursor.lives(now) && cursor.owner == user)?;
        Some((cursor.clone(), offset.parse().ok()?))
    }
}

impl Cursor {
    fn lives(&self, now: DateTime<Utc>) -> bool {
        now - self.opened < LIFE
    }
}
