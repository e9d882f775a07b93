//! From here to the org.

use super::{Entry, entries, places};
use crate::diagnose::finding::{
    Layer::{Api, Network, Org, SignIn},
    Passing,
    Who::{Nobody, OrgAdmin, OrgUser, Salesforce, Vendor},
};

entries! { ENTRIES:
    HOST_ANSWERS = Entry::ok(Network, "host-answers");
    UNKNOWN_HOST = Entry::failed(Network, "unknown-host")
        .because("the name service does not know this host: the address is mistyped, the My Domain was renamed, or the \
                  org is so new that its name is not known everywhere yet")
        .cured_by(Vendor, "Compare the address with Setup > My Domain, and check that this machine resolves names")
        .at(places::MY_DOMAIN)
        .essential();
    UNREACHABLE = Entry::failed(Network, "unreachable")
        .because("no connection to the host can be opened: this network has no way there but a proxy, a firewall \
                  blocks it, or Salesforce is down")
        .cured_by(Vendor, "Check the network and the setting http.proxy of this installation; \
                           status.salesforce.com tells whether Salesforce is down")
        .passing(Passing::Later)
        .essential();
    CERTIFICATE = Entry::failed(Network, "certificate")
        .because("the host cannot prove that it is the host: something between reads the traffic, or the clock of this \
                  machine is wrong")
        .cured_by(Vendor, "If a proxy of yours inspects TLS, add its authority to http.extra_ca; otherwise check the \
                           clock, and do not go on in this network")
        .essential();
    PRIVATE_ADDRESS = Entry::failed(Network, "private-address")
        .because("the name leads to an address inside a private network, where no Salesforce org is; nothing is sent \
                  there")
        .cured_by(Vendor, "Correct the name service. Where Salesforce is reached through a private gateway, set \
                           http.proxy to it")
        .essential();
    HOST_REFUSED = Entry::failed(Network, "host-refused")
        .because("the host is none that belongs to a Salesforce org, and nothing is sent to others")
        .cured_by(Vendor, "Use the org's My Domain (Setup > My Domain), such as acme.my.salesforce.com; hosts of older \
                           kinds are admitted by settings of this installation")
        .at(places::MY_DOMAIN)
        .essential();
    NO_ANSWER = Entry::failed(Network, "no-answer")
        .because("the host accepted the connection and did not answer in time, or broke it off")
        .cured_by(Nobody, "Try again later; if it stays, look for a proxy or firewall that holds the traffic back")
        .passing(Passing::Later)
        .essential();
    MAINTENANCE = Entry::failed(Network, "maintenance")
        .because("a web page came where data should: Salesforce does so during maintenance, and proxies when they \
                  refuse")
        .cured_by(Salesforce, "Try again later. If the page is your proxy's, let the host through it")
        .passing(Passing::Later)
        .essential();
    UNAVAILABLE = Entry::failed(Network, "unavailable")
        .because("the host answered with an error status and no reason")
        .cured_by(Salesforce, "Try again later; trust.salesforce.com tells of outages")
        .passing(Passing::Later)
        .essential();
    TOO_LARGE = Entry::failed(Network, "answer-too-large")
        .because("no answer that is asked for is that large")
        .cured_by(Vendor, "Nothing was taken from it. If it happens again, report it with the log")
        .essential();
    UNREADABLE = Entry::failed(Network, "answer-unreadable")
        .because("what came is not what Salesforce documents: a proxy may have changed it, or this is no Salesforce org")
        .cured_by(Vendor, "Check that the address is that of an org and that no proxy changes answers; else report it \
                           with the log")
        .essential();

    ORG_KNOWN = Entry::ok(Org, "identified");
    NO_ORG = Entry::failed(Org, "no-org-here")
        .because("the host answers, and says of no org that it is there: My Domains that were never used, or were \
                  renamed, answer so")
        .cured_by(Vendor, "Compare the address with Setup > My Domain")
        .at(places::MY_DOMAIN);
    ORG_MOVED = Entry::failed(Org, "moved")
        .because("the host sends callers elsewhere: the My Domain was renamed, or a proxy asks for a sign-in. \
                  Redirects are never followed")
        .cured_by(Vendor, "Connect with the address that Setup > My Domain shows now")
        .at(places::MY_DOMAIN);
    GENERIC_HOST = Entry::note(Org, "generic-host")
        .because("login.salesforce.com and test.salesforce.com belong to no org; which one it is shows at sign-in")
        .cured_by(Vendor, "Use the org's My Domain if you know it: all flows work there");
    NOT_AN_ADDRESS = Entry::failed(Org, "not-an-address")
        .because("what was entered is not the address of a Salesforce org")
        .cured_by(Vendor, "Paste the org's My Domain (Setup > My Domain), such as acme.my.salesforce.com")
        .at(places::MY_DOMAIN)
        .essential();
    OTHER_ORG = Entry::failed(Org, "other-org")
        .because("this is another org than the connection's")
        .cured_by(Vendor, "Sign in to the same org again, or connect the other one under another name, so that the \
                           records of the two never mix")
        .essential();
    SANDBOX_REFRESHED = Entry::failed(Org, "sandbox-refreshed")
        .because("the sandbox was refreshed, or made anew under the same name: at the same address there is another org, \
                  whose records may have the same Ids with other content. Every grant of the former org has ended")
        .cured_by(Vendor, "Connect it again with --refreshed (in the console: \"The sandbox was refreshed\"): the former \
                           org's rows are removed and everything is imported anew, with the same streams, mappings and \
                           schedules. Or keep the rows, and connect the new org under another name")
        .essential();
    KIND_UNCLEAR = Entry::warning(Org, "kind-unclear")
        .because("the address and the record of Organization tell of two kinds of org: something between may answer in the \
                  org's place, or Salesforce has changed what its addresses mean")
        .cured_by(Vendor, "Compare the address with Setup > My Domain, and the org with Setup > Company Information. Orgtide \
                           goes by the address")
        .at(places::COMPANY);
    TRIAL = Entry::note(Org, "trial")
        .because("a trial ends by itself, and its records with it")
        .cured_by(OrgAdmin, "Before that day, connect the org that is meant to stay");
    INSTANCE_REFUSED = Entry::failed(Org, "instance-refused")
        .because("the sign-in names an API address that is none of a Salesforce org. The token is not sent there, and \
                  nothing is saved")
        .cured_by(Vendor, "Check that the address is the org's own and that nothing between changes answers; hosts of \
                           older kinds are admitted by settings of this installation")
        .essential();
    CLOCK_AGREES = Entry::ok(Org, "clock-agrees");
    CLOCK_SKEW = Entry::warning(Org, "clock-skew")
        .because("the clock of this machine and that of Salesforce differ")
        .cured_by(Vendor, "Let this machine keep time by NTP. Signed assertions are refused when the clocks differ, \
                           and what is said of lifetimes is wrong by as much");

    SIGNED_IN = Entry::ok(SignIn, "accepted");
    IDENTIFIED = Entry::ok(SignIn, "user");
    OTHER_USER = Entry::warning(SignIn, "other-user")
        .because("another user than the connected one signs in: the Run As user was changed, or the app's settings were")
        .cured_by(OrgAdmin, "If that was meant, connect again to record it; else choose the former Run As user");
    OTHER_USER_REFUSED = Entry::failed(SignIn, "other-user-refused")
        .because("the connection was made as another user, who may see other records")
        .cured_by(OrgUser, "Sign in as the same user again, or confirm the change")
        .essential();
    CALLBACK_REFUSED = Entry::failed(SignIn, "callback-refused")
        .because("what the browser brought back does not fit the sign-in that was begun in it; nothing of it is used")
        .cured_by(OrgUser, "Start signing in again, in one window of the same browser")
        .essential();
    SIGN_IN_OVER = Entry::failed(SignIn, "over")
        .because("each sign-in serves once, for half an hour in a browser and ten minutes on another device, and for \
                  the one who began it")
        .cured_by(OrgUser, "Start signing in again")
        .essential();
    INTEGRATION_USER = Entry::ok(SignIn, "integration-user");
    NOT_API_ONLY = Entry::note(SignIn, "not-api-only")
        .because("the user who signs in is not limited to the API: whoever learns the password can use the browser, too")
        .cured_by(OrgAdmin, "Give an integration a user of its own, with the license Salesforce Integration or the \
                             permission \"API Only User\"")
        .at(places::USERS);
    SECRET_MISSING = Entry::failed(SignIn, "consumer-secret-missing")
        .because("this way of signing in needs the app's consumer secret, and none is given")
        .cured_by(Vendor, "Copy it from Setup > External Client App Manager > the app > Settings > OAuth Settings > \
                           Consumer Key and Secret")
        .at(places::EXTERNAL_CLIENT_APPS)
        .essential();
    GENERIC_HOST_REFUSED = Entry::failed(SignIn, "needs-my-domain")
        .because("client credentials are accepted on an org's own host alone")
        .cured_by(Vendor, "Use the org's My Domain (Setup > My Domain), such as acme.my.salesforce.com")
        .at(places::MY_DOMAIN)
        .essential();
    RETIRED = Entry::failed(SignIn, "not-used-any-more")
        .because("an earlier refusal of the stored credentials was final, or the connection was ended; they are not \
                  sent again")
        .cured_by(OrgUser, "Connect again")
        .essential();
    NOT_STORED = Entry::failed(SignIn, "answer-not-stored")
        .because("a new refresh token could not be stored, so its session is not used; it is kept, and stored first")
        .cured_by(Vendor, "See that the control store can be written")
        .passing(Passing::Later)
        .essential();
    CREDENTIALS_UNAVAILABLE = Entry::failed(SignIn, "credentials-unavailable")
        .because("the stored credentials cannot be had")
        .cured_by(Vendor, "See that the control store can be reached, and that the keyring is the one that sealed them")
        .passing(Passing::Later)
        .essential();
    INTERRUPTED = Entry::failed(SignIn, "interrupted")
        .because("the task that was signing in ended before its answer")
        .cured_by(Nobody, "Try again")
        .passing(Passing::Later)
        .essential();
    POSTPONED = Entry::failed(SignIn, "postponed")
        .because("an earlier attempt was refused, and repeating it at once would be refused as well")
        .cured_by(OrgAdmin, "Cure what the earlier refusal names, or connect again, which is tried at once")
        .passing(Passing::Later)
        .essential();
    CONFIGURATION = Entry::failed(SignIn, "installation-configured-wrongly")
        .because("a setting of this installation does not fit the connection")
        .cured_by(Vendor, "Correct the setting that is named (`orgtide settings` shows all of them)")
        .essential();
    SPENT = Entry::failed(SignIn, "refresh-token-spent")
        .because("the refresh token was redeemed and replaced, and what followed failed: the one that was given is of \
                  no use any more")
        .cured_by(OrgUser, "Obtain a refresh token anew, and connect with it")
        .essential();

    API_ANSWERS = Entry::ok(Api, "answers");
    API_REFUSED = Entry::failed(Api, "refused")
        .because("Salesforce refuses, with a code that is not in the catalogue")
        .cured_by(OrgAdmin, "Salesforce's own words say what it is about; the user's Login History may say more")
        .at(places::LOGIN_HISTORY);
    SESSION_LEVEL = Entry::failed(Api, "session-level-too-low")
        .because("a Session Security Level Policy asks for a session of high assurance, which an integration never has")
        .cured_by(OrgAdmin, "Setup > Identity Verification > Session Security Level Policies: let API access and the \
                             object's operations go with a standard session")
        .at(places::VERIFICATION)
        .essential();
    EVERYTHING_REFUSED = Entry::failed(Api, "everything-refused")
        .because("not one object is to blame: even the list of objects is refused, while the identity is not. That is \
                  what a policy on sessions does, or a permission that all API access needs")
        .cured_by(OrgAdmin, "Look at Setup > Identity Verification > Session Security Level Policies first, then at \
                             \"API Enabled\" in the user's permission sets")
        .at(places::VERIFICATION)
        .essential();
    SCOPE_API_MISSING = Entry::failed(Api, "scope-api-missing")
        .because("the app was not granted the scope api, so its token opens no data")
        .cured_by(OrgAdmin, "Setup > External Client App Manager > the app > Settings > OAuth Settings: select \"Manage \
                             user data via APIs (api)\", wait ten minutes, and connect again")
        .at(places::EXTERNAL_CLIENT_APPS)
        .passing(Passing::Propagation)
        .essential();
    SESSION_NOT_FOR_API = Entry::failed(Api, "session-not-for-api")
        .because("the token is right and not meant for the API: the app lacks the scope api, or its IP policy does not \
                  admit this address")
        .cured_by(OrgAdmin, "Setup > External Client App Manager > the app: Settings > OAuth Settings > \"Manage user \
                             data via APIs (api)\"; then Policies > App Authorization > IP Relaxation")
        .at(places::EXTERNAL_CLIENT_APPS)
        .passing(Passing::Propagation)
        .essential();
    SESSION_REFUSED = Entry::failed(Api, "session-refused")
        .because("Salesforce ends each session at once: the user may not be active, the app may have been blocked or \
                  admits approved users alone, or login IP ranges are enforced on every request")
        .cured_by(OrgAdmin, "Look at the user's Login History, at Connected Apps OAuth Usage, and at Session Settings > \
                             Enforce login IP ranges on every request")
        .at(places::LOGIN_HISTORY)
        .passing(Passing::Propagation)
        .essential();
    SCOPES_SUFFICE = Entry::ok(Api, "scopes-suffice");
    SCOPE_FULL = Entry::warning(Api, "scope-full")
        .because("the app was granted \"full\": everything the user can do, far more than reading needs, and no \
                  refresh token")
        .cured_by(OrgAdmin, "Select \"Manage user data via APIs (api)\" and, where somebody signs in, \"Perform \
                             requests at any time (refresh_token)\" in its place")
        .at(places::EXTERNAL_CLIENT_APPS);
    JWT_TOKEN = Entry::warning(Api, "token-is-jwt")
        .because("the app issues access tokens in JWT format, which Bulk and SOAP do not take")
        .cured_by(OrgAdmin, "Clear \"Issue JSON Web Token (JWT)-based access tokens for named users\" in the app's \
                             settings. Until then everything is read by REST")
        .at(places::EXTERNAL_CLIENT_APPS);
    VERSION_SUPPORTED = Entry::ok(Api, "version-supported");
    VERSION_NOT_OFFERED = Entry::failed(Api, "version-not-offered")
        .because("the org does not answer in this API version")
        .cured_by(Vendor, "Connect again with --api-version and one that the org offers; without it, the newest is \
                           chosen")
        .essential();
    VERSION_RETIRED = Entry::failed(Api, "version-retired")
        .because("API versions up to v30.0 are retired and answer nothing")
        .cured_by(Vendor, "Connect again with v41.0 or newer")
        .essential();
    VERSION_RETIRING = Entry::warning(Api, "version-retiring")
        .because("API versions v31.0 to v40.0 are deprecated from Summer '27 on and end in Summer '28")
        .cured_by(Vendor, "Connect again with v41.0 or newer, then import again");
}
