//! Attempts: what goes on behind a page while its person watches, such as Save & Check.
//!
//! An attempt lives in the process that began it, and is kept for an hour. What it comes to is in the store.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use salesforce::Timestamp;

use super::{connect_form::ConnectForm, findings::FindingView, words::Badge};
use crate::{
    app::connect::Connected,
    auth::Token,
    diagnose::{Checklist, Step, patience::PROPAGATION},
    error::Error,
};

const KEPT_MILLIS: i64 = 60 * 60 * 1000;

/// All attempts of this process.
#[derive(Default)]
pub(super) struct Attempts {
    all: Mutex<HashMap<String, Arc<Attempt>>>,
    /// What somebody typed before going to Salesforce, by the browser session.
    forms: Mutex<HashMap<String, (Timestamp, ConnectForm)>>,
    /// What the last check of a connection has found, and when.
    checks: Mutex<HashMap<String, (Timestamp, Vec<FindingView>)>>,
}

/// What an attempt is about.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    /// To connect with what was typed.
    Connect(ConnectForm),
    /// To end a sign-in from which somebody has come back.
    Callback { form: Option<ConnectForm> },
    /// To look at a connection again.
    Check { connection: String },
}

/// What a person does on another device.
#[derive(Debug, Clone)]
pub(super) struct DeviceCode {
    pub(super) user_code: String,
    pub(super) address: String,
    pub(super) prefilled: String,
    pub(super) expires_at: Timestamp,
}

/// Something that goes on.
pub(super) struct Attempt {
    pub(super) id: String,
    /// The user who began it; nobody else sees it.
    pub(super) user_id: String,
    pub(super) subject: Subject,
    pub(super) device: Option<DeviceCode>,
    begun_at: Timestamp,
    now: Mutex<Now>,
    stopped: AtomicBool,
}

/// How far it has come.
#[derive(Default)]
pub(super) struct Now {
    /// Counts the changes, so that a page that shows the newest is not sent again.
    pub(super) version: u64,
    pub(super) lines: Vec<Line>,
    /// What is waited for.
    pub(super) waiting: Option<Waiting>,
    pub(super) outcome: Option<Outcome>,
}

/// One line of the checklist.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) badge: Badge,
    pub(super) text: String,
    pub(super) hint: String,
}

/// A pause, because what was refused may pass by itself.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub(super) finding: FindingView,
    pub(super) seconds: u64,
}

/// What it came to.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Connected {
        connection: String,
        org: String,
        username: String,
        again: bool,
        warnings: Vec<String>,
        findings: Vec<FindingView>,
    },
    Checked,
    Failed(Vec<FindingView>),
    /// The person did not want to wait.
    Stopped,
}

impl Attempts {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Attempt>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(
        &self,
        user_id: &str,
        subject: Subject,
        device: Option<DeviceCode>,
        now: Timestamp,
    ) -> Arc<Attempt> {
        let attempt = Arc::new(Attempt {
            id: Token::fresh().expose().chars().take(22).collect(),
            user_id: user_id.to_owned(),
            subject,
            device,
            begun_at: now,
            now: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let mut all = self.all();
        all.retain(|_, attempt| now.0 - attempt.begun_at.0 < KEPT_MILLIS);
        all.insert(attempt.id.clone(), Arc::clone(&attempt));
        attempt
    }

    /// Keeps a form while its person is at Salesforce.
    pub(super) fn remember_form(&self, binding: &str, form: ConnectForm, now: Timestamp) {
        let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        forms.retain(|_, (at, _)| now.0 - at.0 < KEPT_MILLIS);
        forms.insert(binding.to_owned(), (now, form));
    }

    /// Keeps what a check has found.
    pub(super) fn remember_check(&self, connection: &str, now: Timestamp, findings: Vec<FindingView>) {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.insert(connection.to_owned(), (now, findings));
    }

    /// What the last check has found.
    pub(super) fn last_check(&self, connection: &str) -> Option<(Timestamp, Vec<FindingView>)> {
        self.checks.lock().unwrap_or_else(PoisonError::into_inner).get(connection).cloned()
    }

    /// The form of whoever has come back.
    pub(super) fn take_form(&self, binding: &str) -> Option<ConnectForm> {
        self.forms.lock().unwrap_or_else(PoisonError::into_inner).remove(binding).map(|(_, form)| form)
    }

    /// The attempt of that id, for the user who began it.
    pub(super) fn find(&self, id: &str, user_id: &str) -> Option<Arc<Attempt>> {
        self.all().get(id).filter(|attempt| attempt.user_id == user_id).cloned()
    }
}

impl Attempt {
    pub(super) fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Now)) {
        let mut now = self.now();
        change(&mut now);
        now.version += 1;
    }

    /// The person does not want to wait any more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(super) fn end(&self, outcome: Outcome) {
        self.change(|now| {
            now.waiting = None;
            now.lines.retain(|line| line.badge.kind != "busy");
            now.outcome = Some(outcome);
        });
    }

    /// Ends with what connecting came to.
    pub(super) fn concluded(&self, concluded: Result<Connected, Error>) {
        self.end(match concluded {
            Ok(connected) => Outcome::Connected {
                org: connected.connection.instance.host().to_owned(),
                connection: connected.connection.name,
                username: connected.user.preferred_username,
                again: connected.again,
                warnings: connected.warnings,
                findings: connected.findings.iter().map(FindingView::of).collect(),
            },
            Err(error) => Outcome::Failed(FindingView::of_error(&error)),
        });
    }
}

impl Checklist for Attempt {
    fn note(&self, step: Step<'_>) {
        self.change(|now| match step {
            Step::Begins(layer) => {
                now.waiting = None;
                now.begin(layer.title().to_owned());
            }
            Step::Again => {
                now.waiting = None;
                now.lines.clear();
            }
            Step::Found(finding) => {
                let view = FindingView::of(finding);
                let about = if view.subject.is_empty() { String::new() } else { format!("{}: ", view.subject) };
                now.found(Line { badge: view.badge, text: format!("{about}{}", view.seen), hint: view.remedy });
            }
            Step::Waiting { finding, again_in, .. } => {
                now.waiting = Some(Waiting { finding: FindingView::of(finding), seconds: again_in.as_secs() });
            }
        });
    }

    /// Who connects has come from Setup, and who checks a connection again wants to know how it stands now.
    fn patience(&self) -> Duration {
        match self.subject {
            Subject::Connect(_) | Subject::Callback { .. } => PROPAGATION,
            Subject::Check { .. } => Duration::ZERO,
        }
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped()
    }
}

impl Now {
    /// The line of what is done now stands last.
    fn begin(&mut self, text: String) {
        self.lines.retain(|line| line.badge.kind != "busy");
        self.lines.push(Line { badge: super::words::BUSY, text, hint: String::new() });
    }

    fn found(&mut self, line: Line) {
        let at = self.lines.iter().position(|line| line.badge.kind == "busy").unwrap_or(self.lines.len());
        self.lines.insert(at, line);
    }
}
