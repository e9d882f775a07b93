//! Whether a user may come in: password, state of org and user, address, hours, and the app's policies. The login page,
//! the token endpoint and SOAP `login()` all ask here; each has its own words for a [`Refusal`].

mod attempts;

use crate::login_history::LoginEntry;
use crate::org::Org;
use crate::scenario::{
    AppKind, AppSpec, AppState, IpRelaxation, OrgState, PermittedUsers, SessionLevel, Setup, UserKind, UserSpec,
};
use crate::session::Session;

pub(crate) use attempts::Attempts;

/// Why a user may not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    OrgLocked,
    OrgDeleted,
    /// The org's switches keep this way of signing in, or this host, closed.
    FlowClosed,
    /// The org's users sign in at its My Domain only.
    HostClosed,
    UnknownUser,
    WrongPassword,
    SecurityTokenMissing,
    LockedOut,
    /// Deactivated or frozen.
    Inactive,
    /// A user of an Experience Cloud site.
    NotInternal,
    /// The user's license has no place for a browser.
    BrowserClosed,
    RestrictedIp,
    RestrictedHours,
    RateExceeded,
    /// The rule of September 2025 for uninstalled Connected Apps.
    AppNotInstalled,
    /// API Access Control.
    AppNotAllowed,
    /// *Permitted Users*: admin approval is needed and absent.
    NotAdminApproved,
    /// The app asks for a higher session security level.
    LevelTooLow,
}

impl Refusal {
    /// The words of Login History (Salesforce Help, "Login History"); those that it does not list are ours.
    pub(crate) fn in_login_history(self) -> &'static str {
        match self {
            Self::OrgLocked => "Organization is Locked",
            Self::OrgDeleted => "Organization Closed",
            Self::FlowClosed => "Username-Password Flow Disabled",
            Self::HostClosed => "Failed: My Domain required",
            Self::UnknownUser => "Failed: User Not Found",
            Self::WrongPassword => "Invalid Password",
            Self::SecurityTokenMissing => "Failed: API security token required",
            Self::LockedOut => "Password Lockout",
            Self::Inactive => "User is Inactive",
            Self::NotInternal => "Failed: Not an internal user",
            Self::BrowserClosed => "Failed: License without browser access",
            Self::RestrictedIp => "Restricted IP",
            Self::RestrictedHours => "Restricted Time",
            Self::RateExceeded => "Login Rate Exceeded",
            Self::AppNotInstalled => "Failed: App must be installed",
            Self::AppNotAllowed => "Failed: Blocked by API Access Control",
            Self::NotAdminApproved => "Failed: Not approved for access",
            Self::LevelTooLow => "Failed: Invalid session level",
        }
    }
}

/// How somebody comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The login page alone, on behalf of no app.
    Browser,
    WebServer,
    Device,
    Refresh,
    Password,
    ClientCredentials,
    JwtBearer,
    Soap,
}

impl Entry {
    /// Whether the user sits at a browser.
    fn is_browser(self) -> bool {
        matches!(self, Self::Browser | Self::WebServer | Self::Device)
    }

    fn login_type(self) -> &'static str {
        match self {
            Self::Browser => "Application",
            Self::Soap => "Other Apex API",
            _ => "Remote Access 2.0",
        }
    }
}

/// A user at the door.
pub(crate) struct Visit<'a> {
    pub(crate) setup: &'a Setup,
    /// Absent for SOAP `login()`.
    pub(crate) app: Option<&'a AppSpec>,
    pub(crate) user: &'a UserSpec,
    pub(crate) entry: Entry,
    /// Level of the session that would be opened.
    pub(crate) level: SessionLevel,
}

/// What is sent in the place of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PasswordForm {
    /// The password alone, as on the login page.
    Alone,
    /// With the security token behind it, unless the caller is trusted.
    WithToken,
}

impl Org {
    /// The user with a name and a password. What was wrong is noted in the login history by the caller.
    pub(crate) fn check_password<'a>(
        &self,
        setup: &'a Setup,
        username: &str,
        sent: &str,
        form: PasswordForm,
    ) -> Result<&'a UserSpec, Refusal> {
        let user = setup.user(username).ok_or(Refusal::UnknownUser)?;
        let now = self.now();
        if user.locked_out || self.attempts.is_locked_out(&user.username, self.scenario.limits.wrong_passwords, now) {
            return Err(Refusal::LockedOut);
        }
        let checked = self.password_fits(setup, user, sent, form);
        match checked {
            Ok(()) => self.attempts.password_was_right(&user.username),
            Err(Refusal::WrongPassword) => self.attempts.password_was_wrong(&user.username, now),
            Err(_) => {}
        }
        checked.map(|()| user)
    }

    fn password_fits(&self, setup: &Setup, user: &UserSpec, sent: &str, form: PasswordForm) -> Result<(), Refusal> {
        let password = user.password.as_ref().ok_or(Refusal::WrongPassword)?;
        let rest = sent.strip_prefix(password.expose()).ok_or(Refusal::WrongPassword)?;
        match (form, rest) {
            (PasswordForm::Alone, "") => Ok(()),
            (PasswordForm::WithToken, "") if self.caller_is_trusted(setup, user) => Ok(()),
            (PasswordForm::WithToken, "") => Err(Refusal::SecurityTokenMissing),
            (PasswordForm::WithToken, rest)
                if user.security_token.as_ref().is_some_and(|token| token.matches(rest)) =>
            {
                Ok(())
            }
            _ => Err(Refusal::WrongPassword),
        }
    }

    /// Whether the caller is in *Network Access* or in the login IP ranges of the user's profile: then neither a
    /// security token nor a verification code is needed (Salesforce Help, "Reset Your Security Token").
    pub(crate) fn caller_is_trusted(&self, setup: &Setup, user: &UserSpec) -> bool {
        let caller = self.shared.caller();
        setup.org.trusted_ip_ranges.iter().chain(setup.login_ip_ranges(user)).any(|range| range.contains(caller))
    }

    /// Lets a user in, or says why not; either way the login history knows.
    pub(crate) fn admit(&self, visit: &Visit<'_>) -> Result<(), Refusal> {
        let admitted = self.examine(visit);
        let status = admitted.err().map_or("Success", Refusal::in_login_history);
        self.note_login(&visit.user.username, visit.app, visit.entry, status);
        admitted
    }

    /// Notes a sign-in that was refused before it was known who comes.
    pub(crate) fn note_refusal(&self, username: &str, app: Option<&AppSpec>, entry: Entry, refusal: Refusal) {
        self.note_login(username, app, entry, refusal.in_login_history());
    }

    fn note_login(&self, username: &str, app: Option<&AppSpec>, entry: Entry, status: &'static str) {
        self.login_history.add(LoginEntry {
            at: self.now(),
            username: username.to_owned(),
            from: self.shared.caller(),
            login_type: entry.login_type(),
            application: app.map(|app| app.name.clone()),
            status,
        });
    }

    fn examine(&self, visit: &Visit<'_>) -> Result<(), Refusal> {
        let Visit { setup, user, entry, .. } = visit;
        check_org(setup)?;
        if !user.may_sign_in() {
            return Err(Refusal::Inactive);
        }
        if user.kind == UserKind::Portal {
            return Err(Refusal::NotInternal);
        }
        if user.kind == UserKind::Integration && entry.is_browser() {
            return Err(Refusal::BrowserClosed);
        }
        self.check_address(visit)?;
        let hours = setup.profile(user).and_then(|profile| profile.login_hours);
        if hours.is_some_and(|hours| !hours.contain(self.now())) {
            return Err(Refusal::RestrictedHours);
        }
        let limit = self.scenario.limits.hourly_logins_per_user;
        if *entry != Entry::Refresh && !self.attempts.count_login(&user.username, limit, self.now()) {
            return Err(Refusal::RateExceeded);
        }
        let Some(app) = visit.app else { return check_client_without_app(visit) };
        self.check_installed(visit, app)?;
        if !setup.permits(app, user, *entry == Entry::ClientCredentials) {
            return Err(Refusal::NotAdminApproved);
        }
        if visit.level < app.required_session_level {
            return Err(Refusal::LevelTooLow);
        }
        Ok(())
    }

    /// Login IP ranges of the profile, as far as the app does not relax them (Salesforce Help, "Manage OAuth Access
    /// Policies for a Connected App").
    fn check_address(&self, visit: &Visit<'_>) -> Result<(), Refusal> {
        let relaxed = |app: &AppSpec| match app.ip_relaxation {
            IpRelaxation::Enforce => false,
            IpRelaxation::Bypass => true,
            IpRelaxation::EnforceRelaxRefresh => visit.entry == Entry::Refresh,
            IpRelaxation::BypassSecondFactor => visit.user.second_factor,
        };
        let caller = self.shared.caller();
        let of_app = |app: &AppSpec| app.trusted_ip_ranges.iter().any(|range| range.contains(caller));
        let trusted = |app: &AppSpec| visit.entry == Entry::WebServer && of_app(app);
        if self.caller_is_within_login_ranges(visit.setup, visit.user)
            || visit.app.is_some_and(|app| relaxed(app) || trusted(app))
        {
            return Ok(());
        }
        Err(Refusal::RestrictedIp)
    }

    /// Whether the profile of a user lets the caller's address in.
    pub(crate) fn caller_is_within_login_ranges(&self, setup: &Setup, user: &UserSpec) -> bool {
        let caller = self.shared.caller();
        let ranges = setup.login_ip_ranges(user);
        ranges.is_empty() || ranges.iter().any(|range| range.contains(caller))
    }

    /// The rules for Connected Apps that are not installed, and API Access Control (Salesforce Help, "Prepare for
    /// Connected App Usage Restrictions Change", 005132365). External Client Apps are caught by neither.
    fn check_installed(&self, visit: &Visit<'_>, app: &AppSpec) -> Result<(), Refusal> {
        if app.kind != AppKind::ConnectedApp {
            return Ok(());
        }
        let (org, access) = (&visit.setup.org, visit.setup.access(visit.user));
        let is_installed = app.state != AppState::NotInstalled;
        let is_approved = is_installed && app.permitted_users == PermittedUsers::AdminApproved;
        if org.api_access_control && !is_approved && !access.use_any_api_client {
            return Err(Refusal::AppNotAllowed);
        }
        let may_approve = || access.approve_uninstalled_apps || (org.api_access_control && access.use_any_api_client);
        let has_approved = || self.approvals.has_consent(&app.consumer_key, &visit.user.username);
        let excepted = || visit.entry != Entry::Device && (may_approve() || has_approved());
        if is_installed || !org.uninstalled_apps_refused || excepted() {
            return Ok(());
        }
        Err(Refusal::AppNotInstalled)
    }

    /// Whether a session may go on: user and app must still be let in, whatever was changed since it was opened.
    pub(crate) fn still_holds(&self, setup: &Setup, session: &Session) -> bool {
        let user = setup.user(&session.username).filter(|user| user.may_sign_in());
        let Some(user) = user else { return false };
        let Some(app) = session.consumer_key.as_deref().and_then(|key| setup.app(key)) else { return true };
        let usable = !matches!(app.state, AppState::Disabled | AppState::Blocked);
        usable && setup.permits(app, user, session.runs_as)
    }
}

/// Whether the org can be used at all.
pub(crate) fn check_org(setup: &Setup) -> Result<(), Refusal> {
    match setup.org.state {
        OrgState::Active | OrgState::Maintenance => Ok(()),
        OrgState::Locked => Err(Refusal::OrgLocked),
        OrgState::Deleted => Err(Refusal::OrgDeleted),
    }
}

/// API Access Control for clients that are no app (Salesforce Help, "Manage API Access"). Signing in by SOAP needs the
/// permission.
fn check_client_without_app(visit: &Visit<'_>) -> Result<(), Refusal> {
    let controlled = visit.setup.org.api_access_control && visit.entry == Entry::Soap;
    if controlled && !visit.setup.access(visit.user).use_any_api_client {
        return Err(Refusal::AppNotAllowed);
    }
    Ok(())
}
