//! Salesforce Help, "OAuth 2.0 Device Flow for IoT Integration": what the device sees of it.

use http::StatusCode;
use serde::Serialize;

use super::{Granted, Request};
use crate::answer::Answer;
use crate::call::Call;
use crate::oauth::OAuthError;
use crate::oauth::device::{NotYet, Started};
use crate::oauth::form::{Encoding, Fields};
use crate::org::Org;
use crate::route::WebRoute;
use crate::scenario::AppSpec;
use crate::sign_in::{Entry, check_org};
use crate::site::Site;

/// The answer to a device that starts. There is no `expires_in`.
#[derive(Serialize)]
pub(in crate::oauth) struct DeviceAnswer {
    device_code: String,
    user_code: String,
    verification_uri: String,
    interval: i64,
}

impl DeviceAnswer {
    pub(in crate::oauth) fn into_answer(self, encoding: Encoding) -> Answer {
        // In JSON alone there are numbers, and the interval is one.
        if encoding == Encoding::Json {
            return Answer::ok(&self).with(http::header::CACHE_CONTROL, "no-cache, no-store");
        }
        let fields = Fields::new()
            .with("device_code", self.device_code)
            .with("user_code", self.user_code)
            .with("verification_uri", self.verification_uri)
            .with("interval", self.interval.to_string());
        encoding.answer(StatusCode::OK, &fields)
    }
}

impl Org {
    pub(in crate::oauth) fn start_device_flow(&self, request: &Request<'_>) -> Result<DeviceAnswer, OAuthError> {
        let Request { call, app, parameters, .. } = *request;
        check_flow(app)?;
        let wanted = parameters.get("scope").map(|scope| scope.split_whitespace().map(str::to_owned).collect());
        crate::web::granted_scopes(app, wanted.as_deref())
            .map_err(|description| OAuthError::new("invalid_scope", description))?;
        let org = (!call.site.is_generic()).then_some(self.id);
        let started = self.shared.device_codes.start(&app.consumer_key, wanted, org, self.now());
        let Started { device_code, user_code, interval } = started;
        let verification_uri = format!("{}{}", self.web_url(call), WebRoute::Connect.path());
        Ok(DeviceAnswer { device_code, user_code, verification_uri, interval })
    }

    pub(in crate::oauth) fn grant_device<'a>(&self, request: &Request<'a>) -> Result<Granted<'a>, OAuthError> {
        let Request { call, setup, app, parameters, .. } = *request;
        check_flow(app)?;
        let code = parameters.get("code").filter(|_| self.signs_in_at(setup, call.site)).ok_or(NotYet::Unknown)?;
        let approval = self.shared.device_codes.poll(code, &app.consumer_key, self.id, self.now())?;
        check_org(setup)?;
        let user = setup.user(&approval.username).filter(|user| user.may_sign_in());
        let user = user.ok_or_else(|| OAuthError::invalid_grant("inactive user"))?;
        Ok(self.grant_approved(app, user, Entry::Device, approval.scopes, approval.level))
    }

    /// Base of the pages for people, at the host that was called.
    fn web_url(&self, call: &Call) -> String {
        let generic = match call.site {
            Site::Login => Some("login"),
            Site::Test => Some("test"),
            Site::MyDomain | Site::Lightning | Site::Setup | Site::Unknown => None,
        };
        generic.map_or_else(|| self.instance_url(call.arrival), |name| self.login_url(call.arrival, name))
    }
}

fn check_flow(app: &AppSpec) -> Result<(), OAuthError> {
    match app.device_flow {
        true => Ok(()),
        false => Err(OAuthError::invalid_grant("device flow is not enabled for the app")),
    }
}
