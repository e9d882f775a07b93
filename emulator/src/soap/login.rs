//! `login()` (SOAP API guide, "login()" and "SOAP API login() retirement"; Salesforce Help, 005132110).

use chrono::TimeDelta;

use super::element::Element;
use super::fault::{Code, Fault};
use super::writer::Elements;
use crate::call::Call;
use crate::org::Org;
use crate::route::SoapApi;
use crate::scenario::{SessionLevel, Setup, UserSpec};
use crate::session::{Session, TokenFormat};
use crate::sign_in::{Entry, PasswordForm, Refusal, Visit};
use crate::site::Site;

/// The newest API version with `login()`.
const LAST_VERSION: u16 = 64;

impl Org {
    pub(super) fn soap_login(
        &self,
        call: &Call,
        (api, version): (SoapApi, u16),
        operation: &Element,
    ) -> Result<String, Fault> {
        let (username, password) = (operation.text_of("username"), operation.text_of("password"));
        if version > LAST_VERSION {
            return Err(Fault::login(Code::LoginRetired));
        }
        let setup = self.setup(call);
        let user = self.check_soap_login(&setup, call.site, username, password).map_err(|refusal| {
            self.note_refusal(username, None, Entry::Soap, refusal);
            Fault::login(refusal)
        })?;
        let visit = Visit { setup: &setup, app: None, user, entry: Entry::Soap, level: SessionLevel::Standard };
        self.admit(&visit).map_err(Fault::login)?;
        if !setup.access(user).api_enabled {
            return Err(Fault::login(Code::ApiCurrentlyDisabled));
        }
        Ok(self.login_response(call, (api, version), &setup, user))
    }

    fn check_soap_login<'a>(
        &self,
        setup: &'a Setup,
        site: Site,
        username: &str,
        password: &str,
    ) -> Result<&'a UserSpec, Refusal> {
        let is_elsewhere = site.is_generic() && setup.user(username).is_none();
        if is_elsewhere || !self.signs_in_by_soap_at(setup, site) {
            return Err(Refusal::UnknownUser);
        }
        if !setup.org.soap_login {
            return Err(Refusal::FlowClosed);
        }
        self.check_password(setup, username, password, PasswordForm::WithToken)
    }

    /// The switch for the login page at the login hosts has no say here: *Routing and Policies* has one for each.
    fn signs_in_by_soap_at(&self, setup: &Setup, site: Site) -> bool {
        let is_sandbox = setup.org.kind.is_sandbox();
        match site {
            Site::MyDomain => true,
            Site::Login => setup.org.generic_soap_login && !is_sandbox,
            Site::Test => setup.org.generic_soap_login && is_sandbox,
            Site::Lightning | Site::Setup | Site::Unknown => false,
        }
    }

    /// Opens a session and describes it. Its fields stand in the order of the WSDL.
    fn login_response(&self, call: &Call, (api, version): (SoapApi, u16), setup: &Setup, user: &UserSpec) -> String {
        let token = self.new_access_token();
        let seconds = self.open_soap_session(token.clone(), setup, user);
        let base = self.instance_url(call.arrival);
        let url = |api: SoapApi| format!("{base}/services/Soap/{}/{version}.0/{}", api.segment(), self.id.short());
        let mut result = Elements::default();
        result.put("metadataServerUrl", &url(SoapApi::Metadata));
        result.flag("passwordExpired", user.password_expired);
        result.flag("sandbox", setup.org.kind.is_sandbox());
        result.put("serverUrl", &url(api));
        result.put("sessionId", &token);
        result.put("userId", &self.user_id(&user.username).to_string());
        let info = self.user_info_fields(setup, user, seconds);
        format!("<loginResponse><result>{}<userInfo>{}</userInfo></result></loginResponse>", result.0, info.0)
    }

    /// A session of SOAP `login()` may do whatever its user may. The seconds that it lasts without use come back.
    fn open_soap_session(&self, token: String, setup: &Setup, user: &UserSpec) -> i64 {
        let now = self.now();
        let timeout = TimeDelta::minutes(i64::from(setup.session_timeout_minutes(None, user)));
        let session = Session {
            username: user.username.clone(),
            consumer_key: None,
            scopes: vec!["full".to_owned()],
            level: SessionLevel::Standard,
            password_expired: user.password_expired,
            runs_as: false,
            format: TokenFormat::Opaque,
            issued: now,
            last_used: now,
            timeout,
            approval: None,
        };
        self.sessions.open(token, session);
        timeout.num_seconds()
    }

    /// `GetUserInfoResult`, in the order of the WSDL.
    pub(super) fn user_info_fields(&self, setup: &Setup, user: &UserSpec, session_seconds: i64) -> Elements {
        let id = self.user_id(&user.username).to_string();
        let currencies = self.scenario.currencies.as_ref();
        let corporate = currencies.map_or("USD", |currencies| &currencies.corporate);
        let mut info = Elements::default();
        info.flag("accessibilityMode", false);
        info.flag("chatterExternal", false);
        info.put("currencySymbol", "$");
        info.nil("defaultAppIdForProfile");
        info.put("orgAttachmentFileSizeLimit", "5242880");
        info.put("orgDefaultCurrencyIsoCode", corporate);
        info.put("orgDefaultCurrencyLocale", "en_US");
        info.flag("orgDisallowHtmlAttachments", false);
        info.flag("orgHasPersonAccounts", self.scenario.person_accounts.is_some());
        info.put("organizationId", &self.id.to_string());
        info.flag("organizationMultiCurrency", currencies.is_some());
        info.put("organizationName", &setup.org.name);
        info.put("profileId", &self.profile_id(&user.profile).to_string());
        info.nil("roleId");
        info.put("sessionSecondsValid", &session_seconds.to_string());
        info.nil("userDefaultCurrencyIsoCode");
        info.put("userEmail", user.address());
        info.put("userFullName", &user.full_name());
        info.put("userId", &id);
        info.put("userLanguage", "en_US");
        info.put("userLocale", "en_US");
        info.put("userName", &user.username);
        info.put("userTimeZone", "GMT");
        info.put("userType", "Standard");
        info.put("userUiSkin", "Theme3");
        info
    }
}
