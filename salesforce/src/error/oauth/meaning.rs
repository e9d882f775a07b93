//! Why Salesforce refuses, what a person does about it, and where in Setup.
//!
//! Setup paths are those of 2026 (help pages of external client apps).

use super::{OAuthCause, Setting};
use crate::error::Recovery;

/// What a cause means to a person.
pub(super) struct Meaning {
    pub(super) why: &'static str,
    pub(super) remedy: &'static str,
    pub(super) setting: Option<Setting>,
    pub(super) recovery: Recovery,
}

const RETRY: Recovery = Recovery::Retry { after: None };

const fn to(why: &'static str, remedy: &'static str, setting: Option<Setting>, recovery: Recovery) -> Meaning {
    Meaning { why, remedy, setting, recovery }
}

const fn configure(why: &'static str, remedy: &'static str, setting: Setting) -> Meaning {
    to(why, remedy, Some(setting), Recovery::Configure)
}

const fn reauthorize(why: &'static str, remedy: &'static str, setting: Setting) -> Meaning {
    to(why, remedy, Some(setting), Recovery::Reauthorize)
}

/// Nothing is set wrongly: the attempt is over, and the next one may succeed.
const fn start_again(why: &'static str, remedy: &'static str) -> Meaning {
    to(why, remedy, None, Recovery::Reauthorize)
}

const fn wait(why: &'static str, remedy: &'static str) -> Meaning {
    to(why, remedy, None, RETRY)
}

const fn bug(why: &'static str, remedy: &'static str) -> Meaning {
    to(why, remedy, None, Recovery::Bug)
}

pub(super) fn of(cause: OAuthCause) -> Meaning {
    match cause {
        OAuthCause::UnknownClient => configure(
            "the org does not know this consumer key",
            "Compare it with Setup > External Client App Manager > the app > Settings > OAuth Settings > Consumer Key \
             and Secret, and check that the address is that of the same org. A new app works after up to ten minutes",
            Setting::ConsumerKey,
        ),
        OAuthCause::WrongSecret => configure(
            "the consumer secret is not the app's",
            "Copy it again from Setup > External Client App Manager > the app > Settings > OAuth Settings > Consumer \
             Key and Secret. For an app that needs no secret, leave it out",
            Setting::ConsumerSecret,
        ),
        OAuthCause::AppNotInstalled => configure(
            "the connected app belongs to another org and is not installed in this one",
            "Install it in Setup > Connected Apps OAuth Usage > the app > Install, or use an external client app of \
             this org. In the device flow only the latter works",
            Setting::AppPolicy,
        ),
        OAuthCause::AppOfOtherOrg => configure(
            "this org has no such external client app: a local app works in its own org only, a packaged one where its \
             package is installed",
            "Use this org's own My Domain address and an app of this org, and sign in as a user of this org",
            Setting::OrgAddress,
        ),
        OAuthCause::AppDisabled => configure(
            "the app, or its OAuth plugin, is disabled",
            "Enable both in Setup > External Client App Manager > the app > Policies",
            Setting::AppPolicy,
        ),
        OAuthCause::AppBlocked => configure(
            "an admin has blocked the app, or API Access Control admits approved apps only",
            "Setup > Connected Apps OAuth Usage > the app > Unblock; with API Access Control, the app has to be \
             installed and admin-approved",
            Setting::AppPolicy,
        ),
        OAuthCause::NotAdminApproved => configure(
            "the app admits only users that an admin has approved, and this one is not among them",
            "Setup > External Client App Manager > the app > Policies > App Policies > Select Permission Sets, and \
             assign that permission set to the user",
            Setting::AppPolicy,
        ),
        OAuthCause::ApprovalFailed => configure(
            "Salesforce does not say why: a scope that the app lacks, a user with an integration license (who cannot \
             sign in in a browser), an app that is not installed, an IP policy, or a change that has not spread yet",
            "Check the app's Selected OAuth Scopes and the kind of user, then Setup > Login History of the user. After \
             a change, wait up to ten minutes",
            Setting::AppPolicy,
        ),
        OAuthCause::WrongHost => configure(
            "this address does not accept this way of signing in",
            "Use the org's My Domain address (Setup > My Domain), such as acme.my.salesforce.com",
            Setting::OrgAddress,
        ),
        OAuthCause::GrantUnavailable => configure(
            "this address does not offer this way of signing in",
            "Use the org's My Domain address (Setup > My Domain), not a Lightning address, and check that the flow is \
             switched on in the app",
            Setting::OrgAddress,
        ),
        OAuthCause::ResponseTypeUnsupported => configure(
            "the org does not let the app sign users in in a browser",
            "Check that the app is enabled for the web server flow (Setup > External Client App Manager > the app > \
             Settings > OAuth Settings) and that the address is the org's My Domain",
            Setting::AppFlow,
        ),
        OAuthCause::RedirectUriMismatch => configure(
            "the callback URL is not registered with the app, letter for letter",
            "Copy the callback URL shown here into Setup > External Client App Manager > the app > Settings > OAuth \
             Settings > Callback URL: scheme, host, port, path, capitals and a slash at the end all count. It works \
             after up to ten minutes",
            Setting::AppCallback,
        ),
        OAuthCause::RedirectUriMissing => bug("no callback URL was sent", "Start signing in again, and report this"),
        OAuthCause::RedirectUriNotAllowed => configure(
            "Salesforce allows callbacks over https, and over http on localhost only",
            "Serve this installation over https, and register that callback URL with the app",
            Setting::AppCallback,
        ),
        OAuthCause::InvalidScope => configure(
            "the app does not have a scope that was asked for",
            "Add it to Setup > External Client App Manager > the app > Settings > OAuth Settings > Selected OAuth \
             Scopes: \"Manage user data via APIs (api)\" and \"Perform requests at any time (refresh_token, \
             offline_access)\". \"Full access (full)\" does not contain refresh_token",
            Setting::AppScopes,
        ),
        OAuthCause::NoUsableScope => configure(
            "the app has only scopes that this flow drops",
            "Add \"Manage user data via APIs (api)\" to the app's Selected OAuth Scopes",
            Setting::AppScopes,
        ),
        OAuthCause::ScopeNotSupported => bug("a scope was sent where none is allowed", "Report this"),
        OAuthCause::ChallengeMissing => bug(
            "the app or the org requires PKCE, and the link to sign in had no code challenge",
            "Start signing in from here: a link that was shortened or written by hand does not work",
        ),
        OAuthCause::CodeVerifierWrong => bug("the PKCE verifier does not fit the challenge", "Start signing in again"),
        OAuthCause::AuthorizationCodeDead => start_again(
            "the authorization code is older than 15 minutes, or was used before",
            "Start signing in again, and do not use the browser's Back button",
        ),
        OAuthCause::AuthorizationCodeInvalid => start_again(
            "the authorization code is not one of this app, or was changed on its way",
            "Start signing in again",
        ),
        OAuthCause::Denied => start_again(
            "the user pressed Deny, or is a user of an Experience Cloud site",
            "Start signing in again as a user of the org, and press Allow",
        ),
        OAuthCause::InteractionNeeded => {
            start_again("the user has to sign in or to consent, and was not asked", "Start signing in again")
        }
        OAuthCause::SessionLevelTooLow => configure(
            "the app's policies ask for a session of high assurance, and the user signed in without a second factor",
            "Sign in with multi-factor authentication, or lower Setup > External Client App Manager > the app > \
             Policies > Required Session Level",
            Setting::AppPolicy,
        ),
        OAuthCause::DeviceFlowOff => configure(
            "the device flow is off in the app",
            "Setup > External Client App Manager > the app > Settings > Flow Enablement > Enable Device Flow. \
             Connected apps of other orgs have lost this flow",
            Setting::AppFlow,
        ),
        OAuthCause::AuthorizationPending => {
            wait("nobody has confirmed the code yet", "Open the link, enter the code, and press Allow")
        }
        OAuthCause::SlowDown => {
            wait("Salesforce is asked too often", "It is asked again five seconds later than before")
        }
        OAuthCause::DeviceCodeExpired => start_again(
            "the code was not confirmed within ten minutes, or was used before",
            "Start again, and enter the new code",
        ),
        OAuthCause::ClientCredentialsOff => configure(
            "the client credentials flow is off in the app",
            "Setup > External Client App Manager > the app > Settings > Flow Enablement > Enable Client Credentials \
             Flow",
            Setting::AppFlow,
        ),
        OAuthCause::NoRunAsUser => configure(
            "the client credentials flow has no user to run as",
            "Setup > External Client App Manager > the app > Policies > OAuth Policies > Enable Client Credentials \
             Flow, then Run As (Username). It works after up to ten minutes",
            Setting::AppFlow,
        ),
        OAuthCause::AccessDenied => configure(
            "access was denied; with client credentials, the Run As user is a portal user",
            "Choose an internal user with \"API Only User\" as Run As user",
            Setting::OrgUser,
        ),
        OAuthCause::AssertionInvalid => configure(
            "the signed assertion does not fit the app's certificate",
            "Upload the certificate shown here to the app (Setup > External Client App Manager > the app > Settings > \
             Flow Enablement > Enable JWT Bearer Flow) and save. It works after up to ten minutes",
            Setting::AppFlow,
        ),
        OAuthCause::AssertionExpired => configure(
            "the assertion is past when Salesforce reads it: this machine's clock is wrong",
            "Set the clock of this machine, and keep it right with NTP",
            Setting::OrgAddress,
        ),
        OAuthCause::AssertionReplayed => wait("the assertion was used before", "It is tried again with a new one"),
        OAuthCause::AudienceInvalid => configure(
            "the assertion names another audience",
            "Use the address of the same environment: test.salesforce.com for sandboxes, login.salesforce.com for \
             others, or the My Domain",
            Setting::OrgAddress,
        ),
        OAuthCause::NotApproved => configure(
            "the user has not approved the app, or an earlier approval has aged out",
            "Set Permitted Users to \"Admin approved users are pre-authorized\" and assign the user's permission set or \
             profile (Setup > External Client App Manager > the app > Policies > App Policies); set the Refresh Token \
             Policy to \"Valid until revoked\". Check the user name: a sandbox's has a suffix",
            Setting::AppPolicy,
        ),
        OAuthCause::NotPreauthorized => configure(
            "the app lacks the scope refresh_token, or is not installed and pre-authorized",
            "Add \"Perform requests at any time (refresh_token, offline_access)\" and assign the user's permission set \
             to the app",
            Setting::AppScopes,
        ),
        OAuthCause::AuthenticationFailure => reauthorize(
            "user name, password or security token is wrong, the org is another one, or the org does not allow this \
             flow",
            "Setup > Login History of the user tells which. The flow is allowed in Setup > OAuth and OpenID Connect \
             Settings > Allow OAuth Username-Password Flows; the security token comes from the user's own settings > \
             Reset My Security Token",
            Setting::UsernameOrPassword,
        ),
        OAuthCause::SecurityTokenMissing => reauthorize(
            "from this network, the password needs the security token behind it",
            "Take the token from the user's own settings > Reset My Security Token, or add this network to Setup > \
             Network Access",
            Setting::UsernameOrPassword,
        ),
        OAuthCause::PasswordExpired => reauthorize(
            "the user's password has expired",
            "Sign in to Salesforce as this user and set another password, then connect again",
            Setting::UsernameOrPassword,
        ),
        OAuthCause::PasswordLocked => reauthorize(
            "the user is locked out after too many wrong passwords",
            "Setup > Users > the user > Unlock, then connect again with the right password",
            Setting::OrgUser,
        ),
        OAuthCause::VerificationPending => reauthorize(
            "Salesforce wants to verify who signs in, which a program cannot answer",
            "Sign in to Salesforce as this user once and verify, or use the security token, or add this network to \
             Setup > Network Access",
            Setting::UsernameOrPassword,
        ),
        OAuthCause::SingleSignOnDown => {
            wait("the org's own single sign-on cannot be reached by Salesforce", "It is tried again")
        }
        OAuthCause::InactiveUser => configure(
            "the Salesforce user is deactivated or frozen",
            "Reactivate the user (Setup > Users), or connect as another one",
            Setting::OrgUser,
        ),
        OAuthCause::AddressRestricted => configure(
            "the network address of this installation is not admitted",
            "Add it to the profile's login IP ranges, or relax the app's IP policy (Setup > External Client App \
             Manager > the app > Policies > App Authorization > IP Relaxation)",
            Setting::AppPolicy,
        ),
        OAuthCause::HoursRestricted => configure(
            "the user's profile allows no sign-in at this time",
            "Setup > Profiles > the user's profile > Login Hours",
            Setting::OrgUser,
        ),
        OAuthCause::ApiNotAvailable => configure(
            "the org's edition has no API, or the user lacks \"API Enabled\"",
            "Assign \"API Enabled\" to the user with a permission set (Setup > Permission Sets > System Permissions); \
             the edition is in Setup > Company Information",
            Setting::Org,
        ),
        OAuthCause::ApiDisabledForUser => configure(
            "the API is switched off for this user",
            "Assign \"API Enabled\" to the user with a permission set (Setup > Permission Sets > System Permissions)",
            Setting::OrgUser,
        ),
        OAuthCause::TooManySignIns => wait("too many sign-ins of this user within an hour (3,600)", "Wait an hour"),
        OAuthCause::SoapLoginOff => configure(
            "SOAP login() is switched off in this org",
            "Connect by an external client app instead; or switch it on in Setup > User Interface > Enable SOAP API \
             login(), which ends in Summer '27. Newer orgs also want the permission \"Use Any API Auth\"",
            Setting::Org,
        ),
        OAuthCause::SoapLoginRefused => reauthorize(
            "user name, password or security token is wrong, the user is locked out, or the org is another one",
            "Setup > Login History of the user tells which. The security token comes from the user's own settings > \
             Reset My Security Token",
            Setting::UsernameOrPassword,
        ),
        OAuthCause::SoapVersionRetired => {
            bug("login() is offered in SOAP API versions 31.0 to 64.0 only", "Choose one of them, such as 64.0")
        }
        OAuthCause::ClientUpdateRequired => {
            bug("Salesforce asks for a newer version of this program", "Update this installation")
        }
        OAuthCause::RefreshTokenDead => reauthorize(
            "the refresh token was revoked, has expired, was replaced by a newer one, or is one too many of this user",
            "Connect again. Check the app's Refresh Token Policy (Setup > External Client App Manager > the app > \
             Policies > App Authorization)",
            Setting::AppPolicy,
        ),
        OAuthCause::DeviceSecretInvalid => {
            reauthorize("the refresh token is damaged", "Connect again", Setting::AppPolicy)
        }
        OAuthCause::AlreadyInProgress => {
            wait("the same refresh token is being redeemed elsewhere", "It is tried again with the newest token")
        }
        OAuthCause::TokenDead => start_again("the token has ended already, or is none of this org", "Connect again"),
        OAuthCause::OrgGone => configure("the org was deleted or has expired", "Remove the connection", Setting::Org),
        OAuthCause::OrgInactive => configure(
            "the org is locked, closed or suspended",
            "The customer has to clear this with Salesforce",
            Setting::Org,
        ),
        OAuthCause::Unavailable => wait("Salesforce cannot serve sign-ins now", "It is tried again"),
        OAuthCause::RequestMalformed => bug("Salesforce calls the request malformed", "Report this with the text"),
        OAuthCause::Unknown => to(
            "Salesforce gives a reason that is not in our catalogue",
            "Setup > Login History of the user may tell more",
            None,
            Recovery::Configure,
        ),
    }
}
