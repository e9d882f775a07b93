//! The form of one way to connect: what was typed, what is shown again, and the request it becomes.

use salesforce::{ApiVersion, oauth::Flow};
use secrecy::ExposeSecret;

use super::{
    call::Call,
    fields::Fields,
    problem::Problem,
    ways::{self, Asked, Kind},
};
use crate::{
    app::connect::{AppChoice, ConnectRequest, FirstImport, Offered, UserPassword},
    error::Error,
    schedule::when::{Schedule, ScheduleError},
    store::{connections::Confirmed, journal::Actor},
};

/// What a link may say beside the org, and every step keeps: the names of the form's fields that are no secrets.
pub(super) const CARRIED: [&str; 10] = [
    "name",
    "customer",
    "api_version",
    "client_id",
    "username",
    "other_user",
    "other_org",
    "refreshed",
    "first_import",
    "schedule",
];

/// Of [`CARRIED`], what is said.
pub(super) fn carried(fields: &Fields) -> Vec<(&'static str, &str)> {
    CARRIED.into_iter().filter_map(|name| Some((name, fields.given(name)?))).collect()
}

/// What was typed into the form, without its secrets: what a refused form shows again.
#[derive(Debug, Clone)]
pub(super) struct ConnectForm {
    pub(super) flow: Flow,
    pub(super) org: String,
    pub(super) name: String,
    pub(super) customer: String,
    pub(super) api_version: String,
    pub(super) client_id: String,
    pub(super) username: String,
    pub(super) other_user: bool,
    pub(super) other_org: bool,
    pub(super) refreshed: bool,
    /// What is imported at once, as it was typed.
    pub(super) first_import: String,
    pub(super) schedule: String,
}

/// A field as the page shows it.
pub(super) struct FieldView {
    pub(super) asked: Asked,
    pub(super) value: String,
    /// It is needed, and was left empty.
    pub(super) is_missing: bool,
}

impl FieldView {
    pub(super) fn is_secret(&self) -> bool {
        self.asked.kind == Kind::Secret
    }
}

impl ConnectForm {
    pub(super) fn read(flow: Flow, fields: &Fields) -> Self {
        let text = |name: &str| fields.text(name).to_owned();
        Self {
            flow,
            org: text("org"),
            name: text("name"),
            customer: text("customer"),
            api_version: text("api_version"),
            client_id: text("client_id"),
            username: text("username"),
            other_user: fields.given("other_user").is_some(),
            other_org: fields.given("other_org").is_some(),
            refreshed: fields.given("refreshed").is_some(),
            first_import: text("first_import"),
            schedule: text("schedule"),
        }
    }

    /// As [`carried`], of what was typed.
    pub(super) fn carried(&self) -> Vec<(&'static str, &str)> {
        let ticked = |is_ticked: bool| if is_ticked { "yes" } else { "" };
        let values = [
            self.name.as_str(),
            &self.customer,
            &self.api_version,
            &self.client_id,
            &self.username,
            ticked(self.other_user),
            ticked(self.other_org),
            ticked(self.refreshed),
            &self.first_import,
            &self.schedule,
        ];
        CARRIED.into_iter().zip(values).filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The fields of the way, with what was typed unless it is secret.
    pub(super) fn fields(&self, missing: &[&str]) -> Vec<FieldView> {
        let value = |asked: &Asked| match asked.name {
            "client_id" => self.client_id.clone(),
            "username" => self.username.clone(),
            _ => String::new(),
        };
        let field =
            |asked: &Asked| FieldView { asked: *asked, value: value(asked), is_missing: missing.contains(&asked.name) };
        ways::asked(self.flow).iter().map(field).collect()
    }

    /// The names of the needed fields that were left empty.
    pub(super) fn missing(&self, fields: &Fields) -> Vec<&'static str> {
        let is_empty = |name| fields.secret(name).expose_secret().trim().is_empty();
        let asked = ways::asked(self.flow).iter().filter(|asked| asked.is_needed).map(|asked| asked.name);
        std::iter::once("org").chain(asked).filter(|name| is_empty(name)).collect()
    }

    /// What is imported at once, and when it is brought up to date.
    ///
    /// # Errors
    /// What was typed is no schedule.
    pub(super) fn first_import(&self) -> Result<FirstImport, ScheduleError> {
        let schedule = if self.schedule.is_empty() { Schedule::None } else { self.schedule.parse()? };
        Ok(FirstImport { objects: FirstImport::read_objects(&self.first_import), schedule })
    }

    /// What is wanted, in the caller's name.
    pub(super) fn request(&self, call: &Call) -> Result<ConnectRequest, Problem> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let secret = call.form.secret("client_secret");
        let app = match self.flow {
            Flow::SoapLogin => AppChoice::Absent,
            _ => AppChoice::Own {
                client_id: self.client_id.clone(),
                client_secret: given(secret.expose_secret().trim()).map(Into::into),
            },
        };
        Ok(ConnectRequest {
            name: given(&self.name),
            org: self.org.clone(),
            customer: given(&self.customer),
            app,
            api_version: version(&self.api_version),
            confirmed: Confirmed { other_user: self.other_user, other_org: self.other_org, refreshed: self.refreshed },
            owner: None,
            actor: Actor::User(call.caller()?.user.email.clone()),
            first_import: self.first_import().map_err(Error::from)?,
        })
    }

    /// What is handed over at once; `None` for a way in which a person goes to Salesforce first.
    pub(super) fn offered(&self, fields: &Fields) -> Option<Offered> {
        let secret = |name: &str| fields.secret(name).expose_secret().trim().to_owned();
        let token = Some(secret("security_token")).filter(|token| !token.is_empty());
        let who = UserPassword {
            username: self.username.clone(),
            // It may begin or end with a space.
            password: fields.secret("password").expose_secret().to_owned().into(),
            security_token: token.map(Into::into),
        };
        match self.flow {
            Flow::ClientCredentials => Some(Offered::ClientCredentials),
            Flow::Password => Some(Offered::Password(who)),
            Flow::SoapLogin => Some(Offered::SoapLogin(who)),
            Flow::JwtBearer => Some(Offered::JwtBearer { username: self.username.clone(), key: None }),
            Flow::RefreshToken => Some(Offered::RefreshToken { refresh_token: secret("refresh_token").into() }),
            Flow::WebServer | Flow::Device => None,
        }
    }

    /// The name that the connection gets: the one that was typed, or the first label of the address.
    pub(super) fn connection_name(&self, call: &Call) -> String {
        if !self.name.is_empty() {
            return self.name.clone();
        }
        let org = call.console.app.read_address(&self.org).ok().filter(|org| !org.is_generic());
        org.map(|org| org.host().split('.').next().unwrap_or_default().to_owned()).unwrap_or_default()
    }
}

/// `v60.0`, `60.0` or `60`; anything else is left to the newest version.
fn version(text: &str) -> Option<ApiVersion> {
    let number = text.trim().trim_start_matches(['v', 'V']);
    number.strip_suffix(".0").unwrap_or(number).parse().ok().map(ApiVersion)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_again_holds_no_secret() {
        let fields = Fields::parse(b"org=acme&client_id=key&client_secret=SENTINEL&password=SENTINEL&username=u");
        for flow in Flow::ALL {
            let form = ConnectForm::read(flow, &fields);
            assert!(!format!("{form:?}").contains("SENTINEL"));
            assert!(form.fields(&[]).iter().all(|field| !field.is_secret() || field.value.is_empty()));
        }
    }

    #[test]
    fn a_form_carries_what_it_was_given_whatever_that_is() {
        let given: Vec<String> = CARRIED.iter().map(|name| format!("{name}=a+{name}")).collect();
        let fields = Fields::parse(given.join("&").as_bytes());
        let form = ConnectForm::read(Flow::Password, &fields);
        let expected: Vec<(&str, &str)> = carried(&fields)
            .into_iter()
            .map(|(name, value)| (name, if name.starts_with("other_") || name == "refreshed" { "yes" } else { value }))
            .collect();
        assert_eq!((form.carried(), expected.len()), (expected, CARRIED.len()));
    }

    #[test]
    fn versions_are_read_as_people_write_them() {
        for text in ["v60.0", "60.0", "60", " V60.0 "] {
            assert_eq!(version(text), Some(ApiVersion(60)), "{text}");
        }
        assert_eq!(version(""), None);
    }
}
