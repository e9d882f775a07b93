//! Who calls the data API, and whether they may.

use http::StatusCode;

use super::options::RequestOptions;
use crate::answer::ApiError;
use crate::call::Call;
use crate::ids::RecordId;
use crate::org::Org;
use crate::scenario::{SessionLevel, SessionLevelPolicy, Setup, UserAccess, UserSpec};
use crate::schema::Api;
use crate::session::Session;

/// The user behind a call.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) user_id: RecordId,
    pub(crate) access: UserAccess,
    /// Whether the token is a JWT, which Bulk does not take.
    pub(crate) by_jwt: bool,
    /// API version of the path.
    pub(crate) version: u16,
    /// The name of the app that holds the session, if one does.
    pub(crate) app: Option<String>,
    pub(crate) options: RequestOptions,
}

impl Caller {
    /// `v68.0`, as it appears in URLs; the Tooling API has its name behind it.
    pub(crate) fn version_name(&self) -> String {
        match self.access.api {
            Api::Data => format!("v{}.0", self.version),
            Api::Tooling => format!("v{}.0/tooling", self.version),
        }
    }

    /// Path of this version's root, without a slash at the end.
    pub(crate) fn root(&self) -> String {
        format!("/services/data/{}", self.version_name())
    }
}

impl Org {
    /// The caller by the token that the call carries.
    pub(super) fn caller(&self, call: &Call, version: u16) -> Result<Caller, ApiError> {
        let token = call.bearer().ok_or_else(ApiError::invalid_session)?;
        self.caller_by(call, token, version)
    }

    /// The caller by a token, wherever the call carries it.
    pub(crate) fn caller_by(&self, call: &Call, token: &str, version: u16) -> Result<Caller, ApiError> {
        let session = self.sessions.authenticate(token, self.now()).ok_or_else(ApiError::invalid_session)?;
        self.caller_of(call, &session, version)
    }

    /// The caller behind a session.
    pub(super) fn caller_of(&self, call: &Call, session: &Session, version: u16) -> Result<Caller, ApiError> {
        let setup = self.setup(call);
        if !self.still_holds(&setup, session) {
            return Err(ApiError::invalid_session());
        }
        if session.password_expired {
            let message = crate::soap::EXPIRED_PASSWORD;
            return Err(ApiError::new(StatusCode::FORBIDDEN, "INVALID_OPERATION_WITH_EXPIRED_PASSWORD", message));
        }
        if !session.reaches_api() {
            return Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "INVALID_SESSION_ID",
                "This session is not valid for use with the REST API",
            ));
        }
        let user = setup.user(&session.username).ok_or_else(ApiError::invalid_session)?;
        self.check_session(&setup, user, session)?;
        let access = setup.access(user);
        if !access.api_enabled {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "API_CURRENTLY_DISABLED",
                "API is disabled for this User",
            ));
        }
        let app = session.consumer_key.as_ref().and_then(|key| setup.app(key));
        Ok(Caller {
            user_id: self.user_id(&user.username),
            access,
            by_jwt: !session.is_opaque(),
            version,
            app: app.map(|app| app.name.clone()),
            options: RequestOptions::of(call),
        })
    }

    /// What *Session Settings* and *Session Security Level Policies* refuse at every request.
    fn check_session(&self, setup: &Setup, user: &UserSpec, session: &Session) -> Result<(), ApiError> {
        if setup.org.ip_ranges_on_every_request && !self.caller_is_within_login_ranges(setup, user) {
            return Err(ApiError::invalid_session());
        }
        let blocks = setup.org.session_level_policy == SessionLevelPolicy::Block;
        if blocks && session.level < SessionLevel::HighAssurance {
            let message = "This operation requires a high assurance session";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "INSUFFICIENT_ACCESS", message));
        }
        Ok(())
    }
}
