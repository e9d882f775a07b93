//! Finds names in a scenario that point at nothing.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use crate::jwt::Certificate;
use crate::value::Decimal;

use super::volume::{MOST_FIELDS, MOST_OBJECTS, VolumeSpec};
use super::{AppSpec, CurrencySpec, IssuedRefreshToken, SandboxSpec, Scenario, ScenarioError, Setup, UserSpec};

impl Scenario {
    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        let setup = self.setup();
        setup.check()?;
        self.refresh_tokens.iter().try_for_each(|token| check_refresh_token(&setup, token))?;
        self.sandboxes.iter().try_for_each(check_sandbox)?;
        self.currencies.iter().try_for_each(check_currencies)?;
        for object in &self.shares {
            let share = object.strip_suffix('c').filter(|stem| stem.ends_with("__")).unwrap_or(object);
            let share = format!("{share}Share");
            require(!self.rows.contains_key(&share), || {
                format!(
                    "the rows of {share} follow from the owners of {object}: generate none, or take {object} from shares"
                )
            })?;
        }
        let VolumeSpec { objects, fields, widest, .. } = self.volume;
        require(objects <= MOST_OBJECTS && fields.max(widest) <= MOST_FIELDS, || {
            format!("at most {MOST_OBJECTS} objects with at most {MOST_FIELDS} fields are made up")
        })?;
        require(self.pages.rows.min(self.pages.rows_with_long_text).min(self.pages.child_rows) > 0, || {
            "a query page holds at least one row".to_owned()
        })?;
        require(self.bulk.page_rows > 0, || "a bulk result page holds at least one row".to_owned())?;
        require(self.bulk.batch_rows > 0, || "a bulk batch holds at least one row".to_owned())?;
        for app in self.limits.daily_api_requests_per_app.keys() {
            require(self.apps.iter().any(|known| known.name == *app), || {
                format!("a limit of requests is for the app {app:?}, which does not exist")
            })?;
        }
        if self.rules.is_empty() {
            return Ok(());
        }
        self.rules.check(&self.schema().0).map_err(ScenarioError::Inconsistent)
    }
}

fn check_currencies(spec: &CurrencySpec) -> Result<(), ScenarioError> {
    require(!spec.rates.contains_key(&spec.corporate), || {
        format!("the corporate currency {} has a rate of 1 and no other", spec.corporate)
    })?;
    spec.all().iter().try_for_each(|(code, rate)| {
        let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        require(is_code, || format!("{code:?} is not the ISO code of a currency, such as EUR"))?;
        let is_rate = Decimal::parse(rate).is_some() && !rate.starts_with('-');
        require(is_rate, || format!("{rate:?} is not a rate of {code}, such as \"1.0842\""))
    })
}

fn check_refresh_token(setup: &Setup, token: &IssuedRefreshToken) -> Result<(), ScenarioError> {
    require(setup.app(&token.app).is_some(), || {
        format!("a refresh token is for the consumer key {}, which no app has", token.app)
    })?;
    setup.require_user("a refresh token", &token.user)
}

pub(super) fn check_sandbox(sandbox: &SandboxSpec) -> Result<(), ScenarioError> {
    check_org_id(&sandbox.id)?;
    let name = &sandbox.name;
    let fits =
        (1..=10).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    require(fits, || format!("{name:?} is not the name of a sandbox: one to ten lower-case letters and digits"))
}

fn check_org_id(id: &str) -> Result<(), ScenarioError> {
    require(
        id.starts_with("00D") && matches!(id.len(), 15 | 18) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        || format!("{id} is not an org id: it begins with 00D and has 15 or 18 letters and digits"),
    )
}

impl Setup {
    /// Finds names that point at nothing.
    ///
    /// # Errors
    /// The first inconsistency.
    pub fn check(&self) -> Result<(), ScenarioError> {
        self.check_org()?;
        let mut names = BTreeSet::new();
        for user in &self.users {
            require(names.insert(user.username.to_ascii_lowercase()), || {
                format!("the user {} is listed twice", user.username)
            })?;
            self.check_user(user)?;
        }
        let mut keys = BTreeSet::new();
        for app in &self.apps {
            require(keys.insert(&app.consumer_key), || format!("two apps have the consumer key {}", app.consumer_key))?;
            self.check_app(app)?;
        }
        Ok(())
    }

    fn check_org(&self) -> Result<(), ScenarioError> {
        check_org_id(&self.org.id)?;
        let domain = &self.org.my_domain;
        let label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        require(
            (1..=63).contains(&domain.len())
                && domain.bytes().all(label)
                && !domain.starts_with('-')
                && !domain.ends_with('-'),
            || format!("{domain} is not a My Domain name: it is one lower-case DNS label, without dots"),
        )
    }

    fn check_user(&self, user: &UserSpec) -> Result<(), ScenarioError> {
        require(self.profiles.contains_key(&user.profile), || {
            format!("{} has the profile {:?}, which does not exist", user.username, user.profile)
        })?;
        self.check_permission_sets(&user.username, &user.permission_sets)
    }

    fn check_app(&self, app: &AppSpec) -> Result<(), ScenarioError> {
        for profile in &app.profiles {
            require(self.profiles.contains_key(profile), || {
                format!("{} names the profile {profile:?}, which does not exist", app.name)
            })?;
        }
        self.check_permission_sets(&app.name, &app.permission_sets)?;
        check_tokens(app)?;
        let run_as = app.client_credentials.as_ref().and_then(|flow| flow.run_as.as_ref());
        run_as.map_or(Ok(()), |run_as| self.require_user(&app.name, run_as))
    }

    fn check_permission_sets(&self, of: &str, sets: &[String]) -> Result<(), ScenarioError> {
        sets.iter().try_for_each(|set| {
            require(self.permission_sets.contains_key(set), || {
                format!("{of} names the permission set {set:?}, which does not exist")
            })
        })
    }

    fn require_user(&self, of: &str, username: &str) -> Result<(), ScenarioError> {
        require(self.user(username).is_some(), || format!("{of} names the user {username}, who does not exist"))
    }
}

/// Minutes that a JWT access token may live (Salesforce Help, "Manage OAuth Access Policies").
pub(crate) const JWT_MINUTES: [u32; 11] = [1, 5, 10, 15, 30, 60, 90, 120, 240, 480, 720];

/// Minutes that an ID token may be valid (Metadata API, `idTokenValidityInMinutes`).
pub(crate) const ID_TOKEN_MINUTES: RangeInclusive<u32> = 1..=720;

fn check_tokens(app: &AppSpec) -> Result<(), ScenarioError> {
    for pem in app.certificate.iter().chain(&app.client_assertion_certificate) {
        Certificate::from_pem(pem).map_err(|error| {
            ScenarioError::Inconsistent(format!("{} has a certificate of no use: {error}", app.name))
        })?;
    }
    require(app.named_user_jwt_minutes.is_none_or(|minutes| JWT_MINUTES.contains(&minutes)), || {
        format!("{}: a JWT access token lives for one of {JWT_MINUTES:?} minutes", app.name)
    })?;
    require(ID_TOKEN_MINUTES.contains(&app.id_token_minutes), || {
        format!("{}: an ID token is valid for 1 to 720 minutes", app.name)
    })
}

fn require(holds: bool, problem: impl FnOnce() -> String) -> Result<(), ScenarioError> {
    if holds { Ok(()) } else { Err(ScenarioError::Inconsistent(problem())) }
}
