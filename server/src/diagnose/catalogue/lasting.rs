//! Limits, and how long things last.

use super::{Entry, entries, places};
use crate::diagnose::finding::{
    Layer::{Life, Limit},
    Passing,
    Who::{OrgAdmin, OrgUser, Vendor},
};

entries! { ENTRIES:
    BULK_ALLOWED = Entry::ok(Limit, "bulk-answers");
    BULK_REFUSED = Entry::warning(Limit, "bulk-not-available")
        .because("the user or the org's edition has no Bulk API")
        .cured_by(OrgAdmin, "Nothing breaks: everything is read by REST, which costs a request for 2,000 records. For \
                             large objects, see that the edition has the Bulk API and the user \"API Enabled\"")
        .at(places::PERMISSION_SETS);
    BULK_UNKNOWN = Entry::note(Limit, "bulk-unknown")
        .because("whether Bulk may be used shows only when it is");
    REQUESTS_LEFT = Entry::ok(Limit, "requests-left");
    REQUESTS_LOW = Entry::warning(Limit, "requests-low")
        .because("four fifths of the org's API requests of 24 hours are used; at the end of them every integration of \
                  the org is refused")
        .cured_by(OrgAdmin, "Find out who uses them (Setup > Company Information shows how many), sync less often, or \
                             buy more; Bulk needs few")
        .at(places::COMPANY);
    REQUESTS_USED_UP = Entry::failed(Limit, "requests-used-up")
        .because("the org's API requests of 24 hours are used up; every integration of the org is refused")
        .cured_by(OrgAdmin, "Wait until older requests are a day old, find out who uses them (Setup > Company \
                             Information shows how many), or buy more")
        .at(places::COMPANY)
        .passing(Passing::Later);
    BUDGET_USED_UP = Entry::failed(Limit, "budget-used-up")
        .because("this installation takes no more than a part of the org's API calls in 24 hours, and that is used up, or \
                  others have left too little; what was begun is kept")
        .cured_by(Vendor, "Wait: it goes on when older calls are a day old. `orgtide quota` shows how the budget stands and \
                           sets another one")
        .passing(Passing::Later);
    REQUESTS_UNKNOWN = Entry::note(Limit, "requests-unknown")
        .because("the user lacks \"View Setup and Configuration\", and the org's answers do not tell how many requests \
                  are left")
        .cured_by(OrgAdmin, "Nothing has to be done; with \"View Setup and Configuration\" the limits can be watched")
        .at(places::PERMISSION_SETS);

    RENEWS_ITSELF = Entry::ok(Life, "renews-itself");
    REFRESH_SCOPE_MISSING = Entry::failed(Life, "scope-refresh-token-missing")
        .because("the app was not granted the scope refresh_token, so there is no refresh token: the connection would \
                  end with its first session. \"full\" does not contain it")
        .cured_by(OrgAdmin, "Setup > External Client App Manager > the app > Settings > OAuth Settings: select \"Perform \
                             requests at any time (refresh_token, offline_access)\", wait ten minutes, and connect again")
        .at(places::EXTERNAL_CLIENT_APPS)
        .essential();
    REFRESH_TOKEN_WITHHELD = Entry::failed(Life, "no-refresh-token")
        .because("the app may have refresh tokens and Salesforce gives none: its refresh token policy is \"Immediately \
                  expire\". The connection would end with its first session")
        .cured_by(OrgAdmin, "Setup > External Client App Manager > the app > Policies > App Authorization > Refresh \
                             Token Policy: choose \"Expire refresh token if not used for\" 30 days or more, and connect \
                             again")
        .at(places::EXTERNAL_CLIENT_APPS)
        .essential();
    FIVE_APPROVALS = Entry::note(Life, "five-approvals")
        .because("a user has at most five refresh tokens for an app; a sixth sign-in ends the oldest without a word")
        .cured_by(OrgUser, "Do not connect the same user by the same app from more than five places; give each \
                            environment an app or a user of its own");
    SESSION_SHORT = Entry::note(Life, "session-short")
        .because("sessions end soon, so they are renewed often; each renewal is a sign-in, of which a user has 3,600 an \
                  hour")
        .cured_by(OrgAdmin, "Nothing has to be done; the app's session timeout can be set to two hours (Policies)")
        .at(places::EXTERNAL_CLIENT_APPS);
    SESSION_LENGTH = Entry::ok(Life, "session-length");
    PASSWORD_FLOW_ENDING = Entry::warning(Life, "password-flow-ending")
        .because("the username-password flow is ending: orgs created since Summer '23 block it, External Client Apps do \
                  not offer it, and since Spring '26 no Connected App can be created. February 2027 is reported as its \
                  end, which Salesforce's own pages do not confirm")
        .cured_by(Vendor, "Move to client credentials: an External Client App with \"Enable Client Credentials Flow\" \
                           and a Run As user; connect again under the same name, and everything goes on")
        .at(places::OAUTH_SETTINGS);
    SOAP_LOGIN_ENDING = Entry::warning(Life, "soap-login-ending")
        .because("SOAP login() is ending: it does not exist in API 65.0 and later, API 31.0 to 64.0 stop with Summer \
                  '27, and new orgs have it switched off")
        .cured_by(Vendor, "Move to client credentials: an External Client App with \"Enable Client Credentials Flow\" \
                           and a Run As user; connect again under the same name, and everything goes on")
        .at(places::EXTERNAL_CLIENT_APPS);
}
