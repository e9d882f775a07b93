//! The guide that writes itself: what a customer's admin does in Setup, for one org and one way to connect.
//!
//! [`Guide::of`] is pure: a [`GuideRequest`] becomes titled, numbered steps with the place in Setup, what to enter, what
//! goes wrong there, and how to see that it worked. [`markdown`] and [`html`] render it, and it serialises as it is.
//! [`package`] writes the same app as files for `sf project deploy start`.
//!
//! Labels are those of Setup in 2026. Sources: Salesforce Help, "Create an External Client App", "Configure the External
//! Client App OAuth Settings", "Enable OAuth Settings for API Integration" (Connected Apps); hosted MCP servers guide,
//! "Create an External Client App"; each flow's own help page, as [`Flow`] names it.

pub mod access;
mod connected_app;
mod external_client_app;
mod flows;
pub mod html;
pub mod markdown;
pub mod names;
pub mod package;
mod place;
mod shared;

use salesforce::{host::OrgUrl, oauth::Flow};
use serde::Serialize;

use access::Access;
use names::{Refused, check};
pub use place::Place;

/// What a guide is written for.
#[derive(Debug, Clone)]
pub struct GuideRequest {
    /// The org's address; without it, the guide names no links.
    pub org: Option<OrgUrl>,
    pub flow: Flow,
    /// Writes for an org that still has a Connected App.
    pub connected_app: bool,
    /// Without a secret: a public client. For flows of people alone.
    pub public_client: bool,
    /// As people see it; its API name follows from it.
    pub app_name: String,
    pub contact_email: Option<String>,
    /// Where browsers come back to; at least one.
    pub callback_urls: Vec<String>,
    /// The user that the integration runs as.
    pub integration_user: Option<String>,
    /// What is going to be read.
    pub access: Access,
}

impl GuideRequest {
    /// A request with the usual answers.
    pub fn new(flow: Flow, callback_url: impl Into<String>) -> Self {
        Self {
            org: None,
            flow,
            connected_app: false,
            public_client: false,
            app_name: "Orgtide".to_owned(),
            contact_email: None,
            callback_urls: vec![callback_url.into()],
            integration_user: None,
            access: Access::default(),
        }
    }

    /// Checks what was given against what the platform accepts.
    ///
    /// # Errors
    /// The first thing that it would refuse.
    pub fn check(&self) -> Result<(), Refused> {
        check("name of an app", &self.app_name, names::check_label)?;
        names::check_callbacks(&self.callback_urls)?;
        if let Some(email) = &self.contact_email {
            check("contact e-mail address", email, names::check_email)?;
        }
        match &self.integration_user {
            Some(user) => check("integration user", user, names::check_username),
            None => Ok(()),
        }
    }

    /// Which kind of client app the guide sets up.
    pub fn app_kind(&self) -> AppKind {
        match self.flow {
            Flow::SoapLogin => AppKind::None,
            Flow::Password => AppKind::ConnectedApp,
            _ if self.connected_app => AppKind::ConnectedApp,
            _ => AppKind::ExternalClientApp,
        }
    }

    pub(crate) fn api_name(&self) -> String {
        names::api_name(&self.app_name)
    }

    pub(crate) fn permission_set(&self) -> String {
        format!("{} Read", self.app_name)
    }

    pub(crate) fn org_words(&self) -> String {
        self.org.as_ref().map_or_else(|| "the org".to_owned(), |org| org.host().to_owned())
    }
}

/// What the org knows the client by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppKind {
    ExternalClientApp,
    ConnectedApp,
    /// The way needs no app.
    None,
}

impl AppKind {
    /// As Setup calls it.
    pub fn words(self) -> &'static str {
        match self {
            Self::ExternalClientApp => "External Client App",
            Self::ConnectedApp => "Connected App",
            Self::None => "no app",
        }
    }
}

/// A guide, ready to be rendered. Its JSON form is described in `docs/cli.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guide {
    pub title: String,
    pub flow: Flow,
    pub app: AppKind,
    /// The org's host.
    pub org: Option<String>,
    pub summary: String,
    /// Ways that are ending, with dates.
    pub warnings: Vec<String>,
    /// What has to be there before the first step.
    pub before: Vec<String>,
    pub steps: Vec<Step>,
    /// What the admin gives to whoever runs Orgtide.
    pub hand_over: Vec<HandOver>,
    pub not_needed: Vec<NotNeeded>,
    /// The command that connects, and the one that checks.
    pub commands: Vec<String>,
}

/// One thing to do at one place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Step {
    pub title: String,
    pub place: Option<Place>,
    /// What to do, in order.
    pub actions: Vec<String>,
    pub entries: Vec<Entry>,
    /// What goes wrong here.
    pub traps: Vec<String>,
    /// How to see that it worked.
    pub check: Option<String>,
}

/// What to do with one field of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// As Setup labels it.
    pub label: String,
    #[serde(flatten)]
    pub enter: Enter,
}

/// How a field is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "enter", content = "value", rename_all = "lowercase")]
pub enum Enter {
    /// Copied as it is.
    Text(String),
    /// Chosen from what is offered.
    Choose(String),
    Tick,
    Clear,
}

/// A value that leaves the org.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandOver {
    pub what: String,
    /// Where it is found.
    pub found: String,
    pub secret: bool,
}

/// A thing that other guides ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotNeeded {
    pub what: String,
    pub why: String,
}

impl Guide {
    /// Writes the guide.
    pub fn of(request: &GuideRequest) -> Self {
        let app = request.app_kind();
        Self {
            title: flows::title(request),
            flow: request.flow,
            app,
            org: request.org.as_ref().map(|org| org.host().to_owned()),
            summary: flows::summary(request.flow).to_owned(),
            warnings: flows::warnings(request),
            before: flows::before(request),
            steps: flows::steps(request),
            hand_over: flows::hand_over(request),
            not_needed: flows::not_needed(request),
            commands: flows::commands(request),
        }
    }
}

impl Step {
    fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    fn action(mut self, action: impl Into<String>) -> Self {
        self.actions.push(action.into());
        self
    }

    fn text(self, label: &str, value: impl Into<String>) -> Self {
        self.entry(label, Enter::Text(value.into()))
    }

    fn choose(self, label: &str, value: impl Into<String>) -> Self {
        self.entry(label, Enter::Choose(value.into()))
    }

    fn tick(self, label: &str) -> Self {
        self.entry(label, Enter::Tick)
    }

    fn clear(self, label: &str) -> Self {
        self.entry(label, Enter::Clear)
    }

    fn entry(mut self, label: &str, enter: Enter) -> Self {
        self.entries.push(Entry { label: label.to_owned(), enter });
        self
    }

    fn trap(mut self, trap: impl Into<String>) -> Self {
        self.traps.push(trap.into());
        self
    }

    fn check(mut self, check: impl Into<String>) -> Self {
        self.check = Some(check.into());
        self
    }
}
