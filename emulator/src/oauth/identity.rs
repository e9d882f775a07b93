//! Who a token belongs to: userinfo and the identity URL (Salesforce Help, "Get User Information from OpenID Connect
//! Endpoints" and "Identity URLs").

use http::StatusCode;
use serde_json::{Value, json};

use super::form::Parameters;
use crate::answer::Answer;
use crate::call::{Arrival, Call};
use crate::org::Org;
use crate::route::NEWEST_VERSION;
use crate::scenario::{Setup, UserSpec};
use crate::session::Session;

impl Org {
    /// `GET|POST /services/oauth2/userinfo`.
    pub(crate) fn user_info(&self, call: &Call) -> Answer {
        let session = match self.identify(call, "access_token") {
            Ok(session) => session,
            Err(refusal) => return forbidden(refusal),
        };
        let setup = self.setup(call);
        let Some(user) = setup.user(&session.username) else {
            return forbidden(BAD_TOKEN);
        };
        Answer::ok(&self.user_info_body(&setup, user, call.arrival))
    }

    /// `GET|POST /id/<org>/<user>`.
    pub(crate) fn identity(&self, call: &Call, org: &str, user: &str) -> Answer {
        let session = match self.identify(call, "oauth_token") {
            Ok(session) => session,
            Err(refusal) => return forbidden(refusal),
        };
        if !self.is_named(org) {
            return forbidden("Wrong_Org");
        }
        let setup = self.setup(call);
        let Some(spec) = setup.user(&session.username) else {
            return forbidden(BAD_TOKEN);
        };
        if !same_id(user, &self.user_id(&spec.username).to_string()) {
            return forbidden("Bad_Id");
        }
        let version = call.parameter("version");
        Answer::ok(&self.identity_body(spec, call.arrival, version.as_deref()))
    }

    /// The session of a call, or the plain text with which these endpoints refuse.
    fn identify(&self, call: &Call, parameter: &str) -> Result<Session, &'static str> {
        let parameters = Parameters::of(call);
        let token = call.bearer().or_else(|| parameters.get(parameter)).ok_or("Missing_OAuth_Token")?;
        let session = self.sessions.authenticate(token, self.now());
        session.filter(|session| self.still_holds(&self.setup(call), session)).ok_or(BAD_TOKEN)
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
            "email": user.address(),
            "email_verified": true,
            "family_name": user.last_name,
            "zoneinfo": "GMT",
            "photos": photos(&base),
            "profile": format!("{base}/{id}"),
            "picture": format!("{base}/profilephoto/005/F"),
            "address": {"country": "US"},
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

const BAD_TOKEN: &str = "Bad_OAuth_Token";

fn forbidden(text: &str) -> Answer {
    Answer::text(StatusCode::FORBIDDEN, text)
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

/// Ids are the same in their 15- and their 18-character form.
fn same_id(given: &str, id: &str) -> bool {
    given.get(..15) == id.get(..15) && matches!(given.len(), 15 | 18)
}
