//! Steps that both kinds of app have alike: the user, the permissions, and connecting.

use salesforce::oauth::Flow;

use super::{
    AppKind, GuideRequest, Step,
    place::{Page, personal, setup},
};

pub(super) const API_SCOPE: &str = "Manage user data via APIs (api)";
pub(super) const REFRESH_SCOPE: &str = "Perform requests at any time (refresh_token, offline_access)";
pub(super) const SECRET_FOR_WEB_SERVER: &str = "Require secret for Web Server Flow";
pub(super) const SECRET_FOR_REFRESH: &str = "Require secret for Refresh Token Flow";
pub(super) const PKCE: &str = "Require Proof Key for Code Exchange (PKCE) extension for Supported Authorization Flows";
pub(super) const ROTATION: &str = "Enable Refresh Token Rotation";
pub(super) const JWT_TOKENS: &str = "Issue JSON Web Token (JWT)-based access tokens for named users";
pub(super) const CLIENT_CREDENTIALS: &str = "Enable Client Credentials Flow";
pub(super) const HEADLESS: &str = "Enable Authorization Code and Credentials Flow";
pub(super) const ADMIN_APPROVED: &str = "Admin approved users are pre-authorized";

/// What a renewed sign-in needs, and what `full` does not bring (Salesforce Help, "OAuth Tokens and Scopes").
pub(super) fn scope_trap(flow: Flow) -> &'static str {
    match flow {
        Flow::WebServer | Flow::Device | Flow::RefreshToken => {
            "Full access (full) is no substitute: it does not include refresh_token, so the connection would end with \
             its first session. It also allows far more than reading needs."
        }
        Flow::JwtBearer => {
            "refresh_token has to be selected although this flow never issues a refresh token; without it, sign-in ends \
             in \"refresh_token scope is required\"."
        }
        Flow::ClientCredentials => {
            "Full access (full) is no substitute: this flow takes it away, which leaves no scope at all."
        }
        Flow::Password | Flow::SoapLogin => "Full access (full) would work, and allows far more than reading needs.",
    }
}

const CALLBACK_EXACT: &str = "The callback URL is compared character by character: https or http, the port, a slash at the end, upper and lower \
     case. Copy it, do not type it.";
const CALLBACK_UNUSED: &str =
    "Setup does not save an app without a callback URL. This flow never uses it, so any valid one will do.";

/// The callback URLs to register.
pub(super) fn callbacks(step: Step, request: &GuideRequest) -> Step {
    let urls = &request.callback_urls;
    let step = urls.iter().fold(step, |step, url| step.text("Callback URL", url.clone()));
    let step = step.trap(if request.flow == Flow::WebServer { CALLBACK_EXACT } else { CALLBACK_UNUSED });
    match urls.len() {
        0 | 1 => step,
        _ => step.trap(
            "The field takes several URLs, each on a line of its own: one is for the console, one for the \
                        command line.",
        ),
    }
}

/// The user that the integration runs as.
pub(super) fn integration_user(request: &GuideRequest) -> Step {
    let user = request.integration_user.as_deref();
    let step = Step::new("Create the integration user").at(setup(request.org.as_ref(), Page::Users, &["New User"]));
    let step = match user {
        Some(user) => step.text("Username", user),
        None => step.choose("Username", "a name in the form of an e-mail address, such as orgtide@ and your domain"),
    };
    let mut step = step
        .action("Skip this step if the user exists and nobody else works as this user.")
        .choose("User License", "Salesforce Integration")
        .choose("Profile", "Minimum Access - API Only Integrations")
        .action(
            "Save. On the user's page, under Permission Set License Assignments > Edit Assignments, tick Salesforce \
                 API Integration.",
        )
        .trap(
            "Assign the permission set license before the permission set. Otherwise Setup says \"The user license \
               doesn't allow the permission: Read …\".",
        )
        .trap(
            "A user with this license cannot sign in through a browser. That is intended: nobody can use the \
               integration's rights by hand. It also means that Sign in with Salesforce does not work for this user.",
        );
    if user.is_none() {
        step =
            step.trap("A user name is an e-mail address in form and unique across all orgs; it need not receive mail.");
    }
    step.trap("Older orgs call the profile Salesforce API Only System Integrations.").check(
        "The user is active, has the license Salesforce Integration, and lists Salesforce API Integration under \
         Permission Set License Assignments. Enterprise, Performance and Unlimited Edition include five such licenses, \
         Developer Edition one (Company Information > User Licenses).",
    )
}

/// Read access to exactly what is going to be read.
pub(super) fn permission_set(request: &GuideRequest) -> Step {
    let name = request.permission_set();
    let access = &request.access;
    let mut step = Step::new("Allow reading, and nothing else")
        .at(setup(request.org.as_ref(), Page::PermissionSets, &["New"]))
        .text("Label", name.clone())
        .text("API Name", super::names::api_name(&name))
        .choose("License", "--None--")
        .action("Under System Permissions, tick API Enabled.");
    step = match access.objects.is_empty() {
        true => step.action(
            "Under Object Settings, for every object that is going to be imported: tick Read for the object, and Read \
             Access for each field.",
        ),
        false => step.action("Under Object Settings, tick Read for these objects, and Read Access for these fields:"),
    };
    for object in &access.objects {
        step = step.choose(&object.object, readable(object, access));
    }
    for note in &access.notes {
        step = step.trap(note.clone());
    }
    step.action(format!("Under Manage Assignments, assign {name} to {}.", who(request)))
        .trap(
            "A field without Read Access does not exist for the API: it is missing from the import, and a query that \
             names it says \"No such column\". Required and system fields need no permission and are not offered.",
        )
        .trap(
            "Sharing still applies: the user reads the records that are shared with it. To read all records of an \
             object, tick View All for that object too; View All Data is never needed.",
        )
        .check(format!("On the user's page, {name} is listed under Permission Set Assignments."))
}

fn readable(object: &super::access::ObjectRead, access: &super::access::Access) -> String {
    let prefix = format!("{}.", object.object);
    let fields: Vec<&str> = access.fields.iter().filter_map(|field| field.strip_prefix(&prefix)).collect();
    match (&object.because, fields.is_empty()) {
        (Some(because), true) => format!("Read ({because})"),
        (_, true) => "Read".to_owned(),
        (_, false) => format!("Read; fields {}", fields.join(", ")),
    }
}

/// Who holds the permissions.
pub(super) fn who(request: &GuideRequest) -> String {
    let user = request.integration_user.clone();
    match request.flow {
        Flow::WebServer | Flow::Device | Flow::RefreshToken => {
            user.unwrap_or_else(|| "the user who is going to sign in".to_owned())
        }
        _ => user.unwrap_or_else(|| "the integration user".to_owned()),
    }
}

/// Who signs in by hand.
fn person(request: &GuideRequest) -> String {
    let user = request.integration_user.clone();
    user.unwrap_or_else(|| format!("a user who has the permission set {}", request.permission_set()))
}

/// Where the password and the security token come from.
pub(super) fn security_token(request: &GuideRequest) -> Step {
    Step::new("Get the security token")
        .at(personal(&["Reset My Security Token"]))
        .action(format!(
            "Sign in as {}, and press Reset Security Token. Salesforce sends the token by e-mail.",
            who(request)
        ))
        .action(
            "Instead, add the address of the machine that runs Orgtide under Setup > Network Access: from there, no \
                 token is asked for.",
        )
        .trap("The token changes whenever the password changes, and the old one stops working at once.")
        .trap(
            "Reset My Security Token is not offered to users whose profile has login IP ranges or API Only User; from \
               inside those ranges they need no token.",
        )
        .check("An e-mail \"Your new Salesforce security token\" has arrived.")
}

/// The last step: the sign-in itself.
pub(super) fn connect(request: &GuideRequest) -> Step {
    let host = request.org_words();
    let step = Step::new("Connect");
    let step = match request.flow {
        Flow::WebServer => step
            .action(format!("Start Connect in Orgtide. It opens {host}; sign in there as {}, and press Allow.", person(request)))
            .trap("A user with an integration license cannot sign in through a browser; the page then ends in \
                   OAUTH_APPROVAL_ERROR_GENERIC. Take a user who signs in by hand, or the guide for client credentials."),
        Flow::Device => step
            .action("Start Connect in Orgtide. It shows a link that ends in /setup/connect and a code of eight characters.")
            .action(format!("Open the link on any device, enter the code, sign in as {}, and press Allow.", person(request)))
            .trap("The code is valid for ten minutes. After that, start again and use the new one."),
        Flow::ClientCredentials => step.action(
            "Enter key, secret and My Domain in Orgtide, and press Save & Check. Nobody signs in by hand.",
        ),
        Flow::JwtBearer => step.action(
            "Enter the key and the user name in Orgtide, and press Save & Check. Nobody signs in by hand.",
        ),
        Flow::Password => step
            .action("Enter key, secret, user name, password and security token in Orgtide, and press Save & Check.")
            .trap(LOCK_OUT),
        Flow::SoapLogin => step
            .action("Choose SOAP login() in Orgtide by hand; it is never tried by itself. Enter user name, password and \
                     security token, and press Save & Check.")
            .trap(LOCK_OUT),
        Flow::RefreshToken => step
            .action("Stop the other tool, or take the connection away from it.")
            .action("Enter key, secret and refresh token in Orgtide. It redeems the token at once to prove it.")
            .trap("With rotation on, the token that is handed over is used up by that: from then on only Orgtide holds \
                   the valid one. If the other tool uses its copy again, Salesforce ends the connection for both."),
    };
    let step = match request.flow {
        Flow::WebServer | Flow::Device => step.trap(FIVE_APPROVALS),
        _ => step,
    };
    let step = match request.app_kind() {
        AppKind::None => step,
        _ if request.flow == Flow::RefreshToken => step,
        _ => step.trap(
            "New and changed apps take two to ten minutes to work. Until then Salesforce may say that the key is unknown, \
             the flow is off or the user is missing, sometimes in turn with success. Wait before you change anything.",
        ),
    };
    step.check(format!(
        "Orgtide says \"Connected\" with {host} and the user, and orgtide check names nothing that failed."
    ))
}

const LOCK_OUT: &str = "Wrong passwords lock the user out. Orgtide does not send a refused password again until it is \
                        changed; the reason of a refusal stands in Setup > Login History alone.";

/// Source: Salesforce Help article 000205876.
pub(super) const FIVE_APPROVALS: &str = "A user holds at most five approvals of one app. The sixth ends the oldest without a word, so do not connect the same \
     user with the same app from many installations.";
