//! What surrounds every page: title, who is signed in, where the page stands, and what was just done.

use crate::{app::accounts::Caller, auth::Role};

/// The layout's part of a page.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) who: Option<Who>,
    /// From the first page to the one above this, each with its address.
    pub(super) above: Vec<(String, String)>,
    pub(super) notice: Option<&'static str>,
    pub(super) form_token: String,
}

/// Who is signed in, as pages show it.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) email: String,
    pub(super) role: Role,
}

impl Who {
    pub(super) fn is_admin(&self) -> bool {
        self.role >= Role::Admin
    }
}

/// What was done, by the word that the address of the next page carries.
const NOTICES: &[(&str, &str)] = &[
    ("password", "Your password is changed. Other browsers are signed out."),
    ("role", "The role is changed."),
    ("removed", "The account is removed, and its sessions have ended."),
    ("withdrawn", "The link no longer works."),
    ("signed-out", "You are signed out."),
    ("signed-out-everywhere", "You are signed out in every browser."),
    ("checked", "The connection was checked again."),
    ("promoted", "The settings are copied. What is new is imported by the next run."),
    ("scheduled", "The schedule is changed."),
    ("wanted", "It runs as soon as a worker is free."),
    ("certificate", "A key and its certificate are made. Upload the certificate to the app in Setup."),
];

impl Frame {
    pub(super) fn of(caller: Option<&Caller>, title: String, done: &str) -> Self {
        Self {
            title,
            who: caller.map(|caller| Who { email: caller.user.email.clone(), role: caller.user.role }),
            above: Vec::new(),
            notice: NOTICES.iter().find(|(word, _)| *word == done).map(|(_, text)| *text),
            form_token: caller.map(|caller| caller.session.form_token()).unwrap_or_default(),
        }
    }

    /// The page stands below another one.
    pub(super) fn below(mut self, title: impl Into<String>, address: impl Into<String>) -> Self {
        self.above.push((title.into(), address.into()));
        self
    }

    /// Whether an entry of the menu leads here or to a page above.
    pub(super) fn is_under(&self, entry: &str) -> bool {
        self.title == entry || self.above.iter().any(|(title, _)| title == entry)
    }

    /// For `aria-current`.
    pub(super) fn currency(&self, entry: &str) -> &'static str {
        if self.title == entry { "page" } else { "true" }
    }

    pub(super) fn is_admin(&self) -> bool {
        self.who.as_ref().is_some_and(Who::is_admin)
    }
}
