//! Why a command failed: what failed for what, why, and what to do.

use std::path::PathBuf;

use destinations::matching::MatchError;
use salesforce::{
    ApiError, OAuthError, Recovery, error::advice, host::HostError, http::HttpConfigError, oauth::CallbackError,
    quota::OverBudget,
};
use sync::{destination::DestinationError, mapping::MappingProblem, run::RunError, verify::VerifyError};

use crate::{
    auth::AuthError,
    config::ConfigError,
    counts::grouped,
    diagnose::{Finding, Layer, Passing, Who},
    guide::package::PackageError,
    schedule::when::{FORMS, ScheduleError},
    store::{StoreError, connections::Connection},
    web::ListenError,
};

/// How a process ends. The numbers are part of the command line's contract (`orgtide --help`, `docs/cli.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    /// A fault of this program.
    Fault = 1,
    /// The command line cannot be read; clap ends with the same number.
    Usage = 2,
    /// Settings, credentials, or the local machine.
    Setup = 3,
    /// Salesforce refuses what was asked.
    Refused = 4,
    Destination = 5,
    /// Another process does the same.
    Busy = 6,
    /// A part succeeded, or a check found a failure.
    Partial = 7,
    /// It passes by itself: network, maintenance, quota.
    TryLater = 8,
    /// Ended by Ctrl-C at a place from which it goes on.
    Stopped = 130,
}

/// The short name of what waits for API calls.
pub(crate) const OVER_BUDGET: &str = "over_budget";
const OF_BUDGET: &str = "run the same again then: it goes on where it stopped, and streams with a schedule do so by themselves; \
                         `orgtide quota` shows the budget and sets it";

/// Why a command failed, by cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Http(#[from] HttpConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("{name:?} cannot be the name of a connection: {reason}")]
    Name { name: String, reason: &'static str },
    #[error("{connection}: {}", sign_in(.source))]
    SignIn { connection: String, source: Box<OAuthError> },
    #[error("{}{source}", connection.as_ref().map(|name| format!("{name}: ")).unwrap_or_default())]
    Callback { connection: Option<String>, source: Box<CallbackError> },
    #[error("this sign-in is over: it was finished, has expired, or was begun by somebody else")]
    SignInOver,
    #[error("{connection}: {}", refused(.source))]
    Api { connection: String, source: Box<ApiError> },
    /// What keeps a sign-in from being saved.
    #[error("{connection}: {}", finding.sentence())]
    Finding { connection: String, finding: Box<Finding> },
    #[error("{org} does not answer in API version {wanted}; it offers {offered}")]
    Version { org: String, wanted: String, offered: String },
    #[error(
        "{connection} belongs to org {expected}, and this sign-in leads to org {found}{}; nothing was changed",
        if *has_data { ", while records of the former are imported" } else { "" }
    )]
    OtherOrg { connection: String, expected: String, found: String, has_data: bool },
    /// Nobody has said yet what becomes of the former org's rows.
    #[error(
        "{connection}: the sandbox {host} was refreshed after {since}: it is another org now ({found}; it was {expected}). \
         Its records may have the same Ids with other content, so nothing was read or written"
    )]
    SandboxRefreshed { connection: String, host: String, expected: String, found: String, since: String },
    #[error("{connection} was connected as {expected}, and this sign-in is one of {found}; nothing was changed")]
    OtherUser { connection: String, expected: String, found: String },
    #[error("no client app of this installation is for {org} (OAUTH_EC_APP_NOT_FOUND)")]
    NoClientApp { org: String },
    #[error("the configuration has no client app {name:?} (there is: {})", known.join(", "))]
    UnknownClientApp { name: String, known: Vec<String> },
    #[error("the refresh token was redeemed and replaced, and what followed failed: {source}")]
    Spent { source: Box<Error> },
    #[error("{connection} is paused: no stream of it is run")]
    Paused { connection: String },
    #[error("{connection} may not be used for this: {what} is switched off")]
    SwitchedOff { connection: String, what: &'static str },
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    #[error("{connection} has no streams yet")]
    NoStreams { connection: String },
    #[error("{connection} has no stream of {object:?} (there is: {})", known.join(", "))]
    UnknownStream { connection: String, object: String, known: Vec<String> },
    #[error("{object} of {connection} is staged, and nothing of it is imported yet")]
    NotImported { connection: String, object: String },
    #[error("{object} of {connection} is imported already; a test would change its table")]
    Imported { connection: String, object: String },
    #[error("{object} of {connection} is not staged")]
    NotStaged { connection: String, object: String },
    /// Staged records are told apart by their Ids, and these rows are not.
    #[error("{object} of {connection} cannot be staged: the rows of its table have another key than the records' Ids")]
    NotStageable { connection: String, object: String },
    #[error("the record {record} is not among the staged ones of {object}")]
    NotAmongStaged { object: String, record: String },
    #[error("the record {record} is not among the rejected ones of {object}")]
    NotRejected { object: String, record: String },
    #[error("the mapping of {object} does not fit the org:{}", listed(problems))]
    Mapping { object: String, problems: Vec<MappingProblem> },
    /// The org's fields are others than a stream has agreed to read, and it is not to go on then.
    #[error("{object}: the org's fields have changed, and nothing is read until somebody decides:{}", lines(changes))]
    Drifted { connection: String, object: String, changes: Vec<String> },
    /// Settings that were to be copied to another connection.
    #[error("what does not fit {to} is not copied, and neither is the rest:{}", lines(problems))]
    Unfit { to: String, problems: Vec<String> },
    #[error("{to} has these streams already, with other settings:{}", lines(streams))]
    WouldChange { to: String, streams: Vec<String> },
    #[error("the mapping file {} cannot be used: {reason}", path.display())]
    MappingFile { path: PathBuf, reason: String },
    #[error("{source}")]
    Destination { source: Box<DestinationError> },
    #[error(transparent)]
    Match(#[from] MatchError),
    #[error("{object}: {}", run(.source))]
    Run { object: String, source: Box<RunError> },
    /// The org's budget of API calls is used up: what was read is kept, and it goes on from there.
    #[error("{object}: waits for API calls: {source}; {}", still_to_do(*read))]
    Waiting { object: String, read: u64, source: Box<OverBudget> },
    #[error("{source}")]
    Verify { connection: String, source: Box<VerifyError> },
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the emulated org cannot be started: {reason}")]
    Emulator { reason: String },
    #[error("{what} is missing")]
    Missing { what: &'static str, remedy: &'static str },
    #[error("{} cannot be written: {reason}", path.display())]
    Unwritable { path: PathBuf, reason: String },
    #[error("{what} cannot be read: {reason}")]
    Unreadable { what: String, reason: String },
}

impl Error {
    pub(crate) fn sign_in(connection: &str, source: OAuthError) -> Self {
        Self::SignIn { connection: connection.to_owned(), source: Box::new(source) }
    }

    pub(crate) fn callback(connection: Option<&str>, source: CallbackError) -> Self {
        Self::Callback { connection: connection.map(str::to_owned), source: Box::new(source) }
    }

    pub(crate) fn api(connection: &str, source: ApiError) -> Self {
        Self::Api { connection: connection.to_owned(), source: Box::new(source) }
    }

    /// The sandbox of a connection is the org `found` now.
    pub(crate) fn sandbox_refreshed(connection: &Connection, found: &str) -> Self {
        let since = connection.renewed_at.to_string();
        Self::SandboxRefreshed {
            connection: connection.name.clone(),
            host: connection.instance.host().to_owned(),
            expected: connection.org_id.clone(),
            found: found.to_owned(),
            since: format!("{} UTC", since.get(..16).unwrap_or(&since).replace('T', " ")),
        }
    }

    pub(crate) fn finding_of(connection: &str, finding: Finding) -> Self {
        Self::Finding { connection: connection.to_owned(), finding: Box::new(finding) }
    }

    /// True when the command that failed knows more of the remedy than the catalogue of findings.
    pub(crate) fn knows_remedy(&self) -> bool {
        matches!(
            self,
            Self::OtherOrg { .. }
                | Self::SandboxRefreshed { .. }
                | Self::OtherUser { .. }
                | Self::NoClientApp { .. }
                | Self::Version { .. }
                | Self::Spent { .. }
                | Self::Host(_)
        )
    }

    pub(crate) fn destination(source: DestinationError) -> Self {
        Self::Destination { source: Box::new(source) }
    }
}

fn still_to_do(read: u64) -> String {
    match read {
        0 => "nothing of it is read yet".to_owned(),
        read => format!("still to read: from record {} on", grouped(read + 1)),
    }
}

fn listed(problems: &[MappingProblem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

fn lines(changes: &[String]) -> String {
    changes.iter().map(|change| format!("\n  {change}")).collect()
}

/// A refusal without its remedy, which stands apart.
fn sign_in(error: &OAuthError) -> String {
    let OAuthError::Refused(refusal) = error else { return error.to_string() };
    let said = [refusal.error.as_str(), refusal.description.as_str()];
    let said: Vec<&str> = said.into_iter().filter(|text| !text.is_empty()).collect();
    format!("{} refuses to sign in: {} ({})", refusal.host, refusal.cause.why(), said.join(": "))
}

fn refused(error: &ApiError) -> String {
    match (error, error.refusal()) {
        (ApiError::SignIn(error), _) => sign_in(error),
        (_, Some(refusal)) => {
            let fields =
                if refusal.fields.is_empty() { String::new() } else { format!(" [{}]", refusal.fields.join(", ")) };
            let message = refusal.message.trim();
            format!(
                "{}: {} refuses ({}, HTTP {}): {message}{fields}",
                refusal.doing, refusal.host, refusal.code, refusal.status
            )
        }
        _ => error.to_string(),
    }
}

fn run(error: &RunError) -> String {
    api_of(error).map_or_else(|| error.to_string(), refused)
}

/// What Salesforce, or the way to it, did to a run.
pub(crate) fn api_of(error: &RunError) -> Option<&ApiError> {
    match error {
        RunError::Api(error)
        | RunError::Read(sync::read::ReadError::Api(error))
        | RunError::Outdated { source: sync::read::ReadError::Api(error), .. } => Some(error),
        RunError::Read(_) | RunError::Outdated { .. } | RunError::Destination(_) | RunError::Progress(_) => None,
    }
}

impl Error {
    /// The error of a run that has read so many records, as one that waits where it is the budget that stopped it.
    pub(crate) fn waiting(self, object: &str, read: u64) -> Self {
        match self.over_budget().copied() {
            Some(over) => Self::Waiting { object: object.to_owned(), read, source: Box::new(over) },
            None => self,
        }
    }

    /// The budget that is used up, where that is why it failed.
    pub fn over_budget(&self) -> Option<&OverBudget> {
        match self {
            Self::Waiting { source, .. } => Some(source),
            Self::Api { source, .. } => source.over_budget(),
            Self::Run { source, .. } => api_of(source).and_then(ApiError::over_budget),
            _ => None,
        }
    }

    /// What cures it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Config(error) => error.recovery(),
            Self::Store(error) => error.recovery(),
            Self::Auth(error) => error.recovery(),
            Self::Finding { finding, .. } => match finding.may_pass {
                Some(Passing::Later) => Recovery::Retry { after: None },
                Some(Passing::Propagation) | None if finding.who == Who::OrgUser => Recovery::Reauthorize,
                Some(Passing::Propagation) | None => Recovery::Configure,
            },
            Self::SignIn { source, .. } => source.recovery(),
            Self::Api { source, .. } => source.recovery(),
            Self::Destination { source } => source.recovery(),
            Self::Match(error) => error.recovery(),
            Self::Run { source, .. } => source.recovery(),
            Self::Waiting { source, .. } => Recovery::Retry { after: Some(source.after) },
            Self::Verify { source, .. } => source.recovery(),
            Self::Callback { source, .. } => source.recovery(),
            Self::Spent { .. } | Self::SignInOver => Recovery::Reauthorize,
            Self::Http(_)
            | Self::Host(_)
            | Self::Name { .. }
            | Self::Version { .. }
            | Self::OtherOrg { .. }
            | Self::SandboxRefreshed { .. }
            | Self::OtherUser { .. }
            | Self::NoClientApp { .. }
            | Self::UnknownClientApp { .. }
            | Self::Paused { .. }
            | Self::SwitchedOff { .. }
            | Self::Schedule(_)
            | Self::NoStreams { .. }
            | Self::UnknownStream { .. }
            | Self::NotRejected { .. }
            | Self::NotAmongStaged { .. }
            | Self::NotImported { .. }
            | Self::Imported { .. }
            | Self::NotStaged { .. }
            | Self::NotStageable { .. }
            | Self::Mapping { .. }
            | Self::Drifted { .. }
            | Self::Unfit { .. }
            | Self::WouldChange { .. }
            | Self::MappingFile { .. }
            | Self::Package(_)
            | Self::Listen(_)
            | Self::Emulator { .. }
            | Self::Missing { .. }
            | Self::Unwritable { .. }
            | Self::Unreadable { .. } => Recovery::Configure,
        }
    }

    /// How the process ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Store(StoreError::Leased { .. } | StoreError::Fenced { .. }) => Exit::Busy,
            Self::Store(error) => setup_or(error.recovery()),
            Self::Config(_)
            | Self::Http(_)
            | Self::Host(_)
            | Self::Auth(_)
            | Self::Name { .. }
            | Self::OtherOrg { .. }
            | Self::SandboxRefreshed { .. }
            | Self::OtherUser { .. }
            | Self::NoClientApp { .. }
            | Self::UnknownClientApp { .. }
            | Self::Spent { .. }
            | Self::SignInOver
            | Self::Paused { .. }
            | Self::SwitchedOff { .. }
            | Self::Schedule(_)
            | Self::NoStreams { .. }
            | Self::UnknownStream { .. }
            | Self::NotRejected { .. }
            | Self::NotAmongStaged { .. }
            | Self::NotImported { .. }
            | Self::Imported { .. }
            | Self::NotStaged { .. }
            | Self::NotStageable { .. }
            | Self::WouldChange { .. }
            | Self::MappingFile { .. }
            | Self::Package(_)
            | Self::Listen(_)
            | Self::Emulator { .. }
            | Self::Missing { .. }
            | Self::Unwritable { .. }
            | Self::Unreadable { .. } => Exit::Setup,
            Self::SignIn { source, .. } => setup_or(source.recovery()),
            Self::Callback { source, .. } => setup_or(source.recovery()),
            Self::Finding { finding, .. } => match (self.recovery(), finding.layer) {
                (Recovery::Retry { .. }, _) => Exit::TryLater,
                (_, Layer::Api | Layer::Data | Layer::Limit) => Exit::Refused,
                (_, Layer::Network | Layer::Org | Layer::SignIn | Layer::Life) => Exit::Setup,
            },
            Self::Version { .. } | Self::Mapping { .. } | Self::Drifted { .. } | Self::Unfit { .. } => Exit::Refused,
            Self::Api { source, .. } => exit_of_api(source),
            Self::Destination { source } => exit_of_destination(source),
            Self::Match(MatchError::Destination(error)) => exit_of_destination(error),
            Self::Match(error) => setup_or(error.recovery()),
            Self::Run { source, .. } => match (api_of(source), &**source) {
                (Some(error), _) => exit_of_api(error),
                (None, RunError::Destination(error)) => exit_of_destination(error),
                (None, RunError::Progress(_)) => Exit::Setup,
                (None, other) => setup_or(other.recovery()),
            },
            Self::Waiting { .. } => Exit::TryLater,
            Self::Verify { source, .. } => match **source {
                VerifyError::Stopped => Exit::Stopped,
                _ => setup_or(source.recovery()),
            },
        }
    }

    /// A short, stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(_) | Self::Http(_) => "configuration",
            Self::Store(StoreError::Leased { .. }) => "busy",
            Self::Store(StoreError::Newer { .. }) => "store_newer",
            Self::Store(StoreError::Unknown { .. }) => "unknown_name",
            Self::Store(StoreError::NameTaken { .. }) => "name_taken",
            Self::Store(_) => "store",
            Self::Host(_) => "host_refused",
            Self::Auth(error) => error.code(),
            Self::Name { .. } => "invalid_name",
            Self::SignIn { .. } | Self::Spent { .. } | Self::Callback { .. } | Self::SignInOver => "sign_in",
            Self::Finding { finding, .. } if finding.layer == Layer::SignIn => "sign_in",
            Self::Api { source, .. } if source.over_budget().is_some() => OVER_BUDGET,
            Self::Api { .. } | Self::Finding { .. } => "salesforce",
            Self::Version { .. } => "api_version",
            Self::OtherOrg { .. } => "other_org",
            Self::SandboxRefreshed { .. } => "sandbox_refreshed",
            Self::OtherUser { .. } => "other_user",
            Self::NoClientApp { .. } | Self::UnknownClientApp { .. } => "client_app",
            Self::Paused { .. } => "paused",
            Self::SwitchedOff { .. } => "switched_off",
            Self::Schedule(_) => "schedule",
            Self::NoStreams { .. } | Self::UnknownStream { .. } => "unknown_stream",
            Self::Mapping { .. } | Self::MappingFile { .. } => "mapping",
            Self::Unfit { .. } => "mapping",
            Self::WouldChange { .. } => "would_change",
            Self::Drifted { .. } => "drift",
            Self::Destination { .. } | Self::Match(MatchError::Destination(_)) => "destination",
            Self::Match(MatchError::NotMatching { .. }) => "mapping",
            Self::Match(MatchError::NoRecord { .. } | MatchError::NoRow { .. }) => "unknown_name",
            Self::Run { source, .. } => match (api_of(source), &**source) {
                (Some(ApiError::SignIn(_)), _) => "sign_in",
                (None, RunError::Destination(_)) => "destination",
                (None, RunError::Progress(_)) => "store",
                (Some(error), _) if error.over_budget().is_some() => OVER_BUDGET,
                _ => "salesforce",
            },
            Self::Waiting { .. } => OVER_BUDGET,
            Self::Verify { source, .. } => match **source {
                VerifyError::Stopped => "stopped",
                _ => "not_verified",
            },
            Self::Package(_) => "package",
            Self::Listen(_) => "listen",
            Self::Emulator { .. } => "emulator",
            Self::NotRejected { .. } | Self::NotAmongStaged { .. } => "unknown_name",
            Self::NotImported { .. } => "not_imported",
            Self::Imported { .. } => "imported",
            Self::NotStaged { .. } => "not_staged",
            Self::NotStageable { .. } => "not_stageable",
            Self::Missing { .. } | Self::Unwritable { .. } | Self::Unreadable { .. } => "input",
        }
    }

    /// What a person does about it; `None` when the message says it already.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Config(error) => Some(error.remedy().into()),
            Self::Http(_) => Some("check http.proxy, http.extra_ca and mapped_hosts.ca".into()),
            Self::Store(error) => Some(error.remedy()),
            Self::Auth(error) => Some(error.remedy().into()),
            Self::Listen(error) => Some(error.remedy().into()),
            Self::Host(_) => {
                Some("paste the org's My Domain address (Setup > My Domain), such as acme.my.salesforce.com".into())
            }
            Self::Name { .. } => Some("use up to 64 lower-case letters, digits, `-` and `_`".into()),
            Self::Finding { finding, .. } => finding.remedy.as_ref().map(|remedy| remedy.text.to_string()),
            Self::SignIn { source, .. } => remedy_of_sign_in(source),
            Self::Api { source, .. } => remedy_of_api(source),
            Self::Version { .. } => Some("leave out --api-version to get the newest".into()),
            Self::OtherOrg { has_data: true, connection, .. } => Some(format!(
                "give the other org's connection another name; or end this one and its data first (`orgtide disconnect \
                 {connection} --delete-data`)"
            )),
            Self::OtherOrg { .. } => Some(
                "sign in to the same org again, give the other org's connection another name, or confirm the change \
                 with --other-org"
                    .into(),
            ),
            Self::SandboxRefreshed { connection, host, .. } => Some(format!(
                "decide what becomes of the former org's rows. To remove them and import everything anew, with the same \
                 streams, mappings and schedules: orgtide connect {connection} --refreshed. To keep them: orgtide connect \
                 <another name> --org {host}, and orgtide promote {connection} --to <that name> for the settings"
            )),
            Self::OtherUser { .. } => {
                Some("sign in as the same user again, or confirm the change with --other-user".into())
            }
            Self::NoClientApp { org } => Some(format!(
                "an External Client App serves its own org alone: add one of {org} to client_apps in the server \
                 configuration, bound to that org (`orgtide settings` shows how), or connect with the org's own consumer \
                 key (--client-id)"
            )),
            Self::UnknownClientApp { .. } => Some("see client_apps in the server configuration".into()),
            Self::Callback { source, .. } => source.refusal().map(|refusal| refusal.cause.remedy().to_owned()),
            Self::SignInOver => Some("start signing in again".into()),
            Self::Spent { .. } => Some("obtain a refresh token anew, and connect with it".into()),
            Self::Paused { connection } => Some(format!("orgtide connection resume {connection}")),
            Self::SwitchedOff { connection, what } => {
                Some(format!("its owner switches it on: orgtide connection allow {connection} {what}"))
            }
            Self::Schedule(_) => Some(FORMS.into()),
            Self::NoStreams { connection } => Some(format!("begin with `orgtide import {connection} Account Contact`")),
            Self::UnknownStream { connection, object, .. } => {
                Some(format!("begin with `orgtide import {connection} {object}`"))
            }
            Self::Mapping { object, .. } => Some(format!(
                "`orgtide objects describe <connection> {object}` shows the fields that the user may read"
            )),
            Self::Drifted { connection, object, .. } => Some(format!(
                "go on with what the org has now (`orgtide drift accept {connection} {object}`), or with what was agreed \
                 (`orgtide drift reject {connection} {object}`)"
            )),
            Self::Unfit { to, .. } => Some(format!(
                "deploy what {to} lacks, or let its user read it (`orgtide export-app`), and promote again; or copy the rest \
                 alone with --skip-unfit"
            )),
            Self::WouldChange { .. } => Some("agree to it with --replace; --plan shows what differs".into()),
            Self::MappingFile { .. } => Some("docs/mapping.md shows mapping files".into()),
            Self::Package(error) => error.remedy().map(str::to_owned),
            Self::Run { source, .. } => api_of(source).and_then(remedy_of_api),
            Self::Waiting { .. } => Some(OF_BUDGET.into()),
            Self::Verify { connection, source } => match &**source {
                VerifyError::Unfinished { object, .. } => Some(format!("orgtide sync {connection} {object}")),
                VerifyError::TooDifferent { object, .. } => Some(format!("orgtide import {connection} {object}")),
                VerifyError::Run(_) | VerifyError::Unsuited { .. } | VerifyError::Stopped => None,
            },
            Self::Missing { remedy, .. } => Some((*remedy).into()),
            Self::NotImported { connection, object } => Some(format!(
                "`orgtide stage list {connection} {object}` shows what would be imported, `orgtide stage import {connection} \
                 {object}` imports it"
            )),
            Self::Imported { connection, object } => Some(format!(
                "`orgtide stage run {connection} {object}` reads and judges its records and writes nothing"
            )),
            Self::NotStaged { connection, object } => {
                Some(format!("begin with `orgtide stage run {connection} {object}`"))
            }
            Self::NotStageable { connection, object } => Some(format!(
                "`orgtide map preview {connection} {object}` shows what becomes of its first records and `orgtide stage test` \
                 writes them; after `orgtide import`, `orgtide rejected {connection} {object}` lists those that became no row"
            )),
            Self::NotAmongStaged { object, .. } => {
                Some(format!("`orgtide stage list <connection> {object}` lists them"))
            }
            Self::NotRejected { object, .. } => {
                Some(format!("it may be a row by now; `orgtide rejected <connection> {object}` lists what is not"))
            }
            Self::Emulator { .. }
            | Self::Unwritable { .. }
            | Self::Unreadable { .. }
            | Self::Destination { .. }
            | Self::Match(MatchError::Destination(_)) => None,
            Self::Match(MatchError::NotMatching { .. }) => Some("docs/matching.md shows a [match] section".into()),
            Self::Match(MatchError::NoRecord { .. } | MatchError::NoRow { .. }) => {
                Some("`orgtide match list <connection>` shows records; the key is your row's".into())
            }
        }
    }
}

fn setup_or(recovery: Recovery) -> Exit {
    match recovery {
        Recovery::Retry { .. } => Exit::TryLater,
        Recovery::Reauthorize | Recovery::Configure => Exit::Setup,
        Recovery::Reject | Recovery::Bug => Exit::Fault,
    }
}

fn exit_of_api(error: &ApiError) -> Exit {
    if let ApiError::SignIn(error) = error {
        return setup_or(error.recovery());
    }
    match error.recovery() {
        Recovery::Retry { .. } => Exit::TryLater,
        Recovery::Reauthorize => Exit::Setup,
        Recovery::Configure | Recovery::Reject => Exit::Refused,
        Recovery::Bug if error.refusal().is_some() => Exit::Refused,
        Recovery::Bug => Exit::Fault,
    }
}

fn exit_of_destination(error: &DestinationError) -> Exit {
    match error {
        DestinationError::Fenced { .. } => Exit::Busy,
        _ => Exit::Destination,
    }
}

fn remedy_of_sign_in(error: &OAuthError) -> Option<String> {
    let cause = error.cause()?;
    let wait = if cause.may_be_propagation() { ". A new or changed app takes two to ten minutes to work" } else { "" };
    let remedy = cause.remedy();
    Some(if remedy.contains("ten minutes") { remedy.to_owned() } else { format!("{remedy}{wait}") })
}

fn remedy_of_api(error: &ApiError) -> Option<String> {
    match error {
        ApiError::SignIn(error) => remedy_of_sign_in(error),
        ApiError::Withheld(_) => Some(OF_BUDGET.into()),
        other => other.refusal().and_then(|refusal| advice(&refusal.code)).map(|advice| advice.remedy.to_owned()),
    }
}
