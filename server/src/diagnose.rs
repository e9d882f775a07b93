//! The setup doctor: [`facts`] asks the org, [`checks`] judges what it said, and neither does the other's part.

pub mod checklist;
pub mod checks;
pub mod facts;

pub use checklist::{Checklist, Quiet, Step};

use serde::Serialize;

use crate::{app::App, error::Error};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Ok,
    Warning,
    Failed,
}

/// What a check found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check's stable name.
    pub check: &'static str,
    pub severity: Severity,
    /// What it is about: an object, a version; empty for the connection itself.
    pub subject: String,
    pub summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl App {
    /// Asks everything that a run will need, and judges the answers.
    ///
    /// # Errors
    /// Only what is wrong here; what is wrong with the org is a finding.
    pub async fn check(&self, connection: &str) -> Result<Vec<Finding>, Error> {
        let facts = self.ask(connection).await?;
        Ok(checks::judge(&facts))
    }
}
