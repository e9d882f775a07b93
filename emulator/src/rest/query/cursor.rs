//! Open cursors: results of queries that did not fit on one page.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::database::Snapshot;
use crate::ids::RecordId;
use crate::org::random_text;
use crate::soql::{ChildList, ResultSet};

/// App limits cheat sheet, "API Query Cursor Limits".
const LIFE: TimeDelta = TimeDelta::days(2);
const PREFIX: &str = "0r8";
const RANDOM_CHARACTERS: usize = 15;

/// What a cursor pages through.
#[derive(Clone)]
pub(super) enum Content {
    Found(Arc<ResultSet>),
    /// Children of one record, which nobody may ever ask for: found when somebody does.
    Children(Arc<Children>),
}

pub(super) struct Children {
    list: ChildList,
    snapshot: Snapshot,
    found: OnceLock<Arc<ResultSet>>,
}

impl Content {
    pub(super) fn found(results: Arc<ResultSet>) -> Self {
        Self::Found(results)
    }

    pub(super) fn children(list: ChildList, snapshot: Snapshot) -> Self {
        Self::Children(Arc::new(Children { list, snapshot, found: OnceLock::new() }))
    }
}

/// One result set and who may page through it.
#[derive(Clone)]
pub(crate) struct Cursor {
    pub(super) id: String,
    content: Content,
    owner: RecordId,
    opened: DateTime<Utc>,
}

/// The cursors of an org. There is no cap on their number, as in today's orgs.
#[derive(Default)]
pub(crate) struct Cursors {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    by_id: HashMap<String, Cursor>,
    /// Their ids, the oldest first.
    by_age: VecDeque<String>,
}

impl Cursors {
    /// Opens a cursor and returns its id. Cursors past their life are dropped.
    pub(super) fn open(&self, content: Content, owner: RecordId, now: DateTime<Utc>) -> String {
        let id = format!("{PREFIX}{}", random_text(RANDOM_CHARACTERS));
        let cursor = Cursor { id: id.clone(), content, owner, opened: now };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        while open.by_age.front().is_some_and(|oldest| open.by_id.get(oldest).is_none_or(|cursor| !cursor.lives(now))) {
            let oldest = open.by_age.pop_front().unwrap_or_default();
            open.by_id.remove(&oldest);
        }
        open.by_age.push_back(id.clone());
        open.by_id.insert(id.clone(), cursor);
        id
    }

    /// Ends the cursor of a locator.
    pub(crate) fn close(&self, locator: &str) {
        let id = locator.rsplit_once('-').map_or(locator, |(id, _)| id);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).by_id.remove(id);
    }

    /// The cursor and the offset of a locator `<cursor>-<offset>`, for its owner.
    pub(super) fn find(&self, locator: &str, user: RecordId, now: DateTime<Utc>) -> Option<(Cursor, u64)> {
        let (id, offset) = locator.rsplit_once('-')?;
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let cursor = open.by_id.get(id).filter(|cursor| cursor.lives(now) && cursor.owner == user)?;
        Some((cursor.clone(), offset.parse().ok()?))
    }
}

impl Cursor {
    /// The rows; those of a list of children are found at the first call.
    pub(super) fn results(&self) -> Arc<ResultSet> {
        match &self.content {
            Content::Found(results) => Arc::clone(results),
            Content::Children(children) => {
                let find = || Arc::new(children.list.find(children.snapshot.clone()));
                Arc::clone(children.found.get_or_init(find))
            }
        }
    }

    fn lives(&self, now: DateTime<Utc>) -> bool {
        now - self.opened < LIFE
    }
}
