//! Who a token belongs to: userinfo and the identity URL (Salesforce Help, "Get User Information from OpenID Connect
//! Endpoints" and "Identity URLs").

use http::StatusCode;
use serde_json::{Value, json};

use super::form::Parameters;
use super::identity_format;
use crate::answer::Answer;
use crate::call::{Arrival, Call};
use crate::org::Org;
use crate::route::NEWEST_VERSION;
use crate::scenario::{Setup, UserSpec};
use crate::session::Session;

/// Why an endpoint about users refuses: a status and one word of plain text. The words for ids, inactive users and
/// access are remembered from Salesforce Help ("Identity URLs", errors); which status each has is inferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    MissingToken,
    BadToken,
    InvalidScope,
    WrongOrg,
    BadId,
    Inactive,
    NoAccess,
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let (status, text) = match refusal {
            Refusal::MissingToken => (StatusCode::FORBIDDEN, "Missing_OAuth_Token"),
            Refusal::BadToken => (StatusCode::FORBIDDEN, "Bad_OAuth_Token"),
            Refusal::InvalidScope => (StatusCode::FORBIDDEN, "Invalid_Scope"),
            Refusal::WrongOrg => (StatusCode::FORBIDDEN, "Wrong_Org"),
            Refusal::BadId => (StatusCode::NOT_FOUND, "Bad_Id"),
            Refusal::Inactive => (StatusCode::NOT_FOUND, "Inactive"),
            Refusal::NoAccess => (StatusCode::NOT_FOUND, "No_Access"),
        };
        Self::text(status, text)
    }
}

/// Scopes that give the whole identity (Salesforce Help, "OAuth Tokens and Scopes").
const IDENTITY_SCOPES: [&str; 7] = ["openid", "id", "profile", "email", "address", "phone", "full"];
/// Scopes that give the part of it that says who it is: clients with `api` alone are answered in practice.
const API_SCOPES: [&str; 3] = ["api", "web", "chatter_api"];

impl Org {
    /// `GET|POST /services/oauth2/userinfo`.
    pub(crate) fn user_info(&self, call: &Call) -> Answer {
        self.user_info_of(call).map_or_else(Answer::from, |body| Answer::ok(&body))
    }

    fn user_info_of(&self, call: &Call) -> Result<Value, Refusal> {
        let setup = self.setup(call);
        let session = self.identify(call, &Parameters::of(call), "access_token")?;
        let user = setup.user(&session.username).ok_or(Refusal::BadToken)?;
        let whole = session.has_scope(&IDENTITY_SCOPES);
        if !whole && !session.has_scope(&API_SCOPES) {
            return Err(Refusal::InvalidScope);
        }
        let mut body = self.user_info_body(&setup, user, call.arrival);
        if whole {
            body["email"] = json!(user.address());
            body["email_verified"] = json!(true);
            body["address"] = json!({"country": "US"});
        }
        if session.has_scope(&["custom_permissions", "full"]) {
            body["custom_permissions"] = json!({});
        }
        Ok(body)
    }

    /// `GET|POST /id/<org>/<user>`.
    pub(crate) fn identity(&self, call: &Call, org: &str, user: &str) -> Answer {
        let parameters = Parameters::of(call);
        match self.identity_of(call, &parameters, org, user) {
            Ok(body) => identity_format::answer(call, &parameters, &body),
            Err(refusal) => refusal.into(),
        }
    }

    fn identity_of(&self, call: &Call, parameters: &Parameters, org: &str, user: &str) -> Result<Value, Refusal> {
        let setup = self.setup(call);
        let session = self.identify(call, parameters, "oauth_token")?;
        if !is_id(org, "00D") {
            return Err(Refusal::BadId);
        }
        if !self.is_named(org) {
            return Err(Refusal::WrongOrg);
        }
        let same_user = |known: &&UserSpec| same_id(user, &self.user_id(&known.username).to_string());
        let asked = setup.users.iter().find(same_user).ok_or(Refusal::BadId)?;
        check_access(&setup, &session, asked)?;
        let mut body = self.identity_body(asked, call.arrival, parameters.get("version"));
        if session.has_scope(&["custom_permissions", "full"]) {
            body["custom_permissions"] = json!({});
        }
        Ok(body)
    }

    /// The session of a call, or how these endpoints refuse.
    pub(super) fn identify(&self, call: &Call, parameters: &Parameters, name: &str) -> Result<Session, Refusal> {
        let token = call.bearer().or_else(|| parameters.get(name)).ok_or(Refusal::MissingToken)?;
        let session = self.sessions.authenticate(token, self.now());
        session.filter(|session| self.still_holds(&self.setup(call), session)).ok_or(Refusal::BadToken)
    }

    fn user_info_body(&self, setup: &Setup, user: &UserSpec, arrival: Arrival) -> Value {
        let base = self.instance_url(arrival);
        let identity = self.identity_url(&user.username, arrival);
        let id = self.user_id(&user.username);
        let mut body = json!({
            "sub": identity,
            "user_id": id.to_string(),
            "organization_id": self.id.to_string(),
            "preferred_username": user.username,
            "nickname": nickname(user),
            "name": user.full_name(),
            "family_name": user.last_name,
            "zoneinfo": "GMT",
            "photos": photos(&base),
            "profile": format!("{base}/{id}"),
            "picture": format!("{base}/profilephoto/005/F"),
            "is_salesforce_integration_user": setup.access(user).api_only,
            "urls": self.urls(&base, id.to_string().as_str(), None),
            "active": user.active,
            "user_type": "STANDARD",
            "language": "en_US",
            "locale": "en_US",
            "utcOffset": 0,
            "updated_at": self.started.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "is_app_installed": true,
        });
        if let Some(first) = &user.first_name {
            body["given_name"] = json!(first);
        }
        body
    }
    fn identity_body(&self, user: &UserSpec, arrival: Arrival, version: Option<&str>) -> Value {
        let base = self.instance_url(arrival);
        let id = self.user_id(&user.username).to_string();
        json!({
            "id": self.identity_url(&user.username, arrival),
            "asserted_user": true,
            "user_id": id,
            "organization_id": self.id.to_string(),
            "username": user.username,
            "nick_name": nickname(user),
            "display_name": user.full_name(),
            "email": user.address(),
            "email_verified": true,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "timezone": "GMT",
            "photos": photos(&base),
            "addr_street": null,
            "addr_city": null,
            "addr_state": null,
            "addr_country": "US",
            "addr_zip": null,
            "mobile_phone": null,
            "mobile_phone_verified": false,
            "is_lightning_login_user": false,
            "status": {"created_date": null, "body": null},
            "urls": self.urls(&base, &id, version),
            "active": user.active,
            "user_type": "STANDARD",
            "language": "en_US",
            "locale": "en_US",
            "utcOffset": 0,
            "last_modified_date": self.started.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "is_app_installed": true,
        })
    }

    /// Addresses of the org's APIs. Without a version they keep the literal `{version}`.
    fn urls(&self, base: &str, user: &str, version: Option<&str>) -> Value {
        let newest = NEWEST_VERSION.to_string() + ".0";
        let version = match version {
            Some("latest") => newest.as_str(),
            Some(version) => version,
            None => "{version}",
        };
        let organization = self.id.to_string();
        let soap = |letter: &str| format!("{base}/services/Soap/{letter}/{version}/{organization}");
        let rest = format!("{base}/services/data/v{version}/");
        json!({
            "enterprise": soap("c"),
            "metadata": soap("m"),
            "partner": soap("u"),
            "rest": rest,
            "sobjects": format!("{rest}sobjects/"),
            "search": format!("{rest}search/"),
            "query": format!("{rest}query/"),
            "recent": format!("{rest}recent/"),
            "tooling_soap": soap("T"),
            "tooling_rest": format!("{rest}tooling/"),
            "profile": format!("{base}/{user}"),
            "feeds": format!("{rest}chatter/feeds"),
            "groups": format!("{rest}chatter/groups"),
            "users": format!("{rest}chatter/users"),
            "feed_items": format!("{rest}chatter/feed-items"),
            "custom_domain": base,
        })
    }
}

/// A token with a scope of the identity or of the API tells of its own user; with `api` or `full` and *API Enabled* it
/// tells of others too.
fn check_access(setup: &Setup, session: &Session, asked: &UserSpec) -> Result<(), Refusal> {
    let own = setup.user(&session.username).ok_or(Refusal::BadToken)?;
    if !session.has_scope(&API_SCOPES) && !session.has_scope(&IDENTITY_SCOPES) {
        return Err(Refusal::InvalidScope);
    }
    if own.username != asked.username && !(session.reaches_api() && setup.access(own).api_enabled) {
        return Err(Refusal::NoAccess);
    }
    if asked.active { Ok(()) } else { Err(Refusal::Inactive) }
}

fn photos(base: &str) -> Value {
    json!({
        "picture": format!("{base}/profilephoto/005/F"),
        "thumbnail": format!("{base}/profilephoto/005/T"),
    })
}

fn nickname(user: &UserSpec) -> &str {
    user.username.split('@').next().unwrap_or_default()
}

fn is_id(given: &str, prefix: &str) -> bool {
    matches!(given.len(), 15 | 18)
        && given.starts_with(prefix)
        && given.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Ids are the same in their 15- and their 18-character form.
fn same_id(given: &str, id: &str) -> bool {
    given.get(..15) == id.get(..15) && matches!(given.len(), 15 | 18)
}
