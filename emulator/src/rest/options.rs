//! What the headers of a request ask of its work.

use std::sync::{Arc, Mutex, PoisonError};

use crate::call::Call;
use crate::database::{Database, Duplicates, Undo};

/// Headers of a request that change what its writes do.
///
/// Source: REST API guide v66, "Headers". `Sforce-Auto-Assign` is accepted: there are no assignment rules. So is
/// `Sforce-Call-Options`: no object has a namespace.
#[derive(Clone, Default)]
pub(crate) struct RequestOptions {
    pub(crate) duplicates: Duplicates,
    pub(crate) recent: Recency,
    /// Where writes are noted that may have to be taken back.
    pub(crate) ledger: Option<Ledger>,
}

/// Whether records that a request reads or writes count as lately used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Recency {
    #[default]
    Ignored,
    Noted,
}

impl RequestOptions {
    pub(super) fn of(call: &Call) -> Self {
        let duplicates = match option(call, "sforce-duplicate-rule-header", "allowSave") {
            Some(true) => Duplicates::Saved,
            _ => Duplicates::Refused,
        };
        let recent = match option(call, "sforce-mru", "updateMru") {
            Some(true) => Recency::Noted,
            _ => Recency::Ignored,
        };
        Self { duplicates, recent, ledger: None }
    }
}

/// A flag in a header such as `allowSave=true; includeRecordDetails=true`.
fn option(call: &Call, header: &'static str, name: &str) -> Option<bool> {
    let options = call.header(header)?.split([';', ',']);
    let mut pairs = options.filter_map(|option| option.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    Some(value.trim().eq_ignore_ascii_case("true"))
}

/// Writes of several requests that stand or fall together.
#[derive(Clone, Default)]
pub(crate) struct Ledger(Arc<Mutex<Vec<Undo>>>);

impl Ledger {
    pub(super) fn note(&self, undo: Undo) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(undo);
    }

    /// Takes everything back, the latest first.
    pub(super) fn take_back(&self, database: &mut Database) {
        let undos = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        undos.into_iter().rev().for_each(|undo| database.take_back(undo));
    }
}
