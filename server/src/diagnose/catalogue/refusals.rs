//! What Salesforce's own refusals mean. Cause and remedy are those of `salesforce::error`; who acts is added here.

use salesforce::{
    ErrorCode, Recovery,
    error::{Advice, OAuthCause, Setting, advised},
};

use super::{Entry, Place, places};
use crate::diagnose::finding::{Layer, Passing, Severity, Who};

/// Every refusal that has a meaning.
pub(super) fn all() -> impl Iterator<Item = Entry> {
    let sign_in = OAuthCause::ALL.iter().copied().map(of_cause);
    sign_in.chain(advised().map(|(code, advice)| of_advice(code, *advice)))
}

/// A refusal of the token or authorization endpoint.
pub fn of_cause(cause: OAuthCause) -> Entry {
    let may_pass = match cause.recovery() {
        _ if cause.may_be_propagation() => Some(Passing::Propagation),
        Recovery::Retry { .. } => Some(Passing::Later),
        _ => None,
    };
    Entry {
        layer: Layer::SignIn,
        name: cause.code(),
        severity: Severity::Failed,
        cause: cause.why(),
        remedy: cause.remedy().trim_end_matches('.'),
        place: cause.setting().map(|setting| place(cause, setting)),
        who: who(cause),
        may_pass,
        is_essential: true,
    }
}

fn who(cause: OAuthCause) -> Who {
    match (cause.setting(), cause.recovery()) {
        (Some(Setting::OrgAddress), _) => Who::Vendor,
        (Some(Setting::UsernameOrPassword), _) => Who::OrgUser,
        (Some(_), _) => Who::OrgAdmin,
        (None, Recovery::Retry { .. }) => Who::Nobody,
        (None, Recovery::Reauthorize) => Who::OrgUser,
        (None, Recovery::Bug) => Who::Vendor,
        (None, Recovery::Configure | Recovery::Reject) => Who::OrgAdmin,
    }
}

fn place(cause: OAuthCause, setting: Setting) -> Place {
    if matches!(cause, OAuthCause::AppBlocked | OAuthCause::AppNotInstalled) {
        return places::OAUTH_USAGE;
    }
    match setting {
        Setting::OrgAddress => places::MY_DOMAIN,
        Setting::UsernameOrPassword => places::LOGIN_HISTORY,
        Setting::OrgUser => places::USERS,
        Setting::Org => places::COMPANY,
        _ => places::EXTERNAL_CLIENT_APPS,
    }
}

/// A refusal of the data API.
pub fn of_code(code: &ErrorCode) -> Option<Entry> {
    advised().find(|(known, _)| *known == code).map(|(code, advice)| of_advice(code, *advice))
}

fn of_advice(code: &ErrorCode, Advice { name, why, remedy }: Advice) -> Entry {
    let (layer, who, place) = standing(code);
    let may_pass = match code {
        // "API Enabled" that was just given.
        ErrorCode::ApiCurrentlyDisabled | ErrorCode::ApiDisabledForOrg => Some(Passing::Propagation),
        ErrorCode::RequestLimitExceeded | ErrorCode::LoginRateExceeded | ErrorCode::InvalidQueryLocator => {
            Some(Passing::Later)
        }
        _ => None,
    };
    Entry {
        layer,
        name,
        severity: Severity::Failed,
        cause: why,
        remedy,
        place,
        who,
        may_pass,
        is_essential: is_essential(code),
    }
}

/// Where a code belongs, who acts, and where.
fn standing(code: &ErrorCode) -> (Layer, Who, Option<Place>) {
    let sets = Some(places::PERMISSION_SETS);
    match code {
        ErrorCode::InvalidSessionId => (Layer::Api, Who::OrgAdmin, Some(places::EXTERNAL_CLIENT_APPS)),
        ErrorCode::BadOAuthToken | ErrorCode::ExpiredPassword => (Layer::Api, Who::OrgUser, None),
        ErrorCode::InvalidAuthHeader | ErrorCode::UrlNotReset => (Layer::Api, Who::Vendor, Some(places::MY_DOMAIN)),
        ErrorCode::RequestLimitExceeded | ErrorCode::StorageLimitExceeded => {
            (Layer::Limit, Who::OrgAdmin, Some(places::COMPANY))
        }
        ErrorCode::InsufficientAccess => (Layer::Api, Who::OrgAdmin, Some(places::VERIFICATION)),
        ErrorCode::Gone | ErrorCode::UnsupportedApiVersion | ErrorCode::InvalidVersion => {
            (Layer::Api, Who::Vendor, None)
        }
        ErrorCode::InvalidField
        | ErrorCode::InvalidType
        | ErrorCode::InsufficientAccessOrReadonly
        | ErrorCode::OperationTooLarge => (Layer::Data, Who::OrgAdmin, sets),
        ErrorCode::QueryTimeout | ErrorCode::QueryTooComplicated | ErrorCode::InvalidQueryLocator => {
            (Layer::Data, Who::Vendor, None)
        }
        ErrorCode::LoginRateExceeded => (Layer::Limit, Who::Vendor, None),
        ErrorCode::FeatureNotEnabled => (Layer::Limit, Who::OrgAdmin, sets),
        _ => (Layer::Api, Who::OrgAdmin, sets),
    }
}

/// Codes after which nothing at all can be read.
fn is_essential(code: &ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::InvalidSessionId
            | ErrorCode::BadOAuthToken
            | ErrorCode::InvalidAuthHeader
            | ErrorCode::ApiDisabledForOrg
            | ErrorCode::ApiCurrentlyDisabled
            | ErrorCode::UrlNotReset
            | ErrorCode::Gone
            | ErrorCode::UnsupportedApiVersion
            | ErrorCode::InvalidVersion
            | ErrorCode::ExpiredPassword
    )
}
