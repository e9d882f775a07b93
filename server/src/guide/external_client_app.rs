//! Steps of an External Client App, in the order of its form and its tabs.

use salesforce::oauth::Flow;

use super::{
    GuideRequest, Step,
    place::{Page, Place, same_form, setup},
    shared::{
        ADMIN_APPROVED, API_SCOPE, CLIENT_CREDENTIALS, HEADLESS, JWT_TOKENS, PKCE, REFRESH_SCOPE, ROTATION,
        SECRET_FOR_REFRESH, SECRET_FOR_WEB_SERVER, callbacks, scope_trap,
    },
};

/// After how long without use a refresh token ends. Source: packaging guide, "Secure Code for External Client Apps":
/// thirty days are the longest that an app of several customers may have.
pub(super) const IDLE_DAYS: u32 = 30;

pub(super) fn steps(request: &GuideRequest) -> Vec<Step> {
    let mut steps = vec![create(request), oauth(request), flow(request), security(request)];
    if matches!(request.flow, Flow::ClientCredentials | Flow::JwtBearer) {
        steps.push(super::shared::integration_user(request));
    }
    steps.extend([super::shared::permission_set(request), policies(request), key(request)]);
    steps
}

fn form(request: &GuideRequest) -> Place {
    setup(request.org.as_ref(), Page::ExternalClientApps, &["New External Client App", "Basic Information"])
}

fn tab(request: &GuideRequest, below: &[&str]) -> Place {
    let below: Vec<&str> = [request.app_name.as_str()].into_iter().chain(below.iter().copied()).collect();
    setup(request.org.as_ref(), Page::ExternalClientApps, &below)
}

fn create(request: &GuideRequest) -> Step {
    let step = Step::new("Begin an External Client App")
        .at(form(request))
        .text("External Client App Name", request.app_name.clone())
        .text("API Name", request.api_name());
    let step = match &request.contact_email {
        Some(email) => step.text("Contact Email", email.clone()),
        None => step.choose("Contact Email", "an address of yours"),
    };
    step.choose("Distribution State", "Local")
        .trap(format!(
            "Create it in {}, not in a sandbox or another org: a Local app serves only the org in which it was created. \
             A refreshed sandbox is a different org too.",
            request.org_words()
        ))
        .check("The form stays open: the next three steps are sections of the same page. Nothing is saved yet.")
}

fn oauth(request: &GuideRequest) -> Step {
    let step = Step::new("Switch OAuth on, with the least scopes")
        .at(same_form("API (Enable OAuth Settings)"))
        .tick("Enable OAuth");
    let step = callbacks(step, request).choose("Selected OAuth Scopes", API_SCOPE);
    let step = match request.flow {
        Flow::ClientCredentials => step,
        _ => step.choose("Selected OAuth Scopes", REFRESH_SCOPE),
    };
    step.trap(scope_trap(request.flow))
}

fn flow(request: &GuideRequest) -> Step {
    let step = Step::new("Enable the flow").at(same_form("Flow Enablement"));
    match request.flow {
        Flow::Device => step
            .tick("Enable Device Flow")
            .trap("Without it, Salesforce answers \"device flow is not enabled for the app\"."),
        Flow::ClientCredentials => step.tick(CLIENT_CREDENTIALS).trap(
            "This is the first of two switches with one name; the second is among the policies and comes later. \
                   Clearing and ticking this one again may clear the second one and its Run As user.",
        ),
        Flow::JwtBearer => {
            step.tick("Enable JWT Bearer Flow").action("Upload the certificate that Orgtide gave you.").trap(
                "Upload the certificate, never the private key. It is an RSA certificate of at least 2048 bits, in one \
                   file of at most 4 KB.",
            )
        }
        _ => step
            .clear(HEADLESS)
            .action("Tick nothing here: signing in through the browser is part of every app with OAuth.")
            .trap(
                "Enable Authorization Code and Credentials Flow sounds as if it were this flow. It is not: it is for \
                   pages of an Experience Cloud site that ask for the password themselves.",
            ),
    }
}

fn security(request: &GuideRequest) -> Step {
    let step = Step::new("Set the security options, and create the app").at(same_form("Security"));
    let step = match (request.flow, request.public_client) {
        (Flow::ClientCredentials | Flow::JwtBearer, _) => {
            step.action("The other boxes of this section say nothing about this flow; leave them as they are.")
        }
        (_, true) => step
            .clear(SECRET_FOR_WEB_SERVER)
            .clear(SECRET_FOR_REFRESH)
            .tick(ROTATION)
            .trap("A secret that Orgtide sends is checked even if none is required. Leave it empty there."),
        (_, false) => step.tick(SECRET_FOR_WEB_SERVER).tick(SECRET_FOR_REFRESH).tick(ROTATION),
    };
    let step = if request.flow == Flow::WebServer { step.tick(PKCE) } else { step };
    let step = match request.flow {
        Flow::ClientCredentials | Flow::JwtBearer => step,
        _ => step.trap(
            "With rotation, each refresh token works once. That is safe here: Orgtide redeems one at a time and stores \
             the next one before it uses it. Never copy a refresh token to a second installation.",
        ),
    };
    step.clear(JWT_TOKENS)
        .action("Press Create.")
        .trap("Tokens in JWT form are refused by parts of the API.")
        .check(format!("{} is listed in the External Client App Manager.", request.app_name))
}

fn policies(request: &GuideRequest) -> Step {
    let set = request.permission_set();
    let step = Step::new("Say who may use the app, and for how long")
        .at(tab(request, &["Policies", "Edit"]))
        .choose("App Policies > Select Permission Sets", set.clone())
        .choose("Plugin Policies > Permitted Users", ADMIN_APPROVED);
    let step = match request.flow {
        Flow::ClientCredentials => client_credentials(step, request),
        Flow::JwtBearer => step.choose("App Authorization > Refresh Token Policy", "Refresh token is valid until revoked").trap(
            "Every other refresh token policy lets the approval age: sign-ins that worked for weeks then end in \
             \"user hasn't approved this consumer\".",
        ),
        _ => step
            .choose(
                "App Authorization > Refresh Token Policy",
                format!("Expire refresh token if not used for {IDLE_DAYS} days"),
            )
            .trap("Immediately expire refresh token means that there is none, and \"Expire refresh token after\" ends the \
                   connection on a fixed day. Orgtide uses the token at least weekly, so the idle limit is never met."),
    };
    step.choose("App Authorization > IP Relaxation", "Enforce IP restrictions")
        .action("Save.")
        .trap(format!(
            "Only users who have the permission set {set} may use the app. Users without it are cut off at once, also \
             those who are connected already.",
        ))
        .trap(
            "If the user's profile has login IP ranges, the address of the machine that runs Orgtide has to be within \
             them; otherwise Salesforce answers \"ip restricted\".",
        )
}

fn client_credentials(step: Step, request: &GuideRequest) -> Step {
    let run_as = "OAuth Flows and External Client App Enhancements > Run As (Username)";
    let step = step.tick("OAuth Flows and External Client App Enhancements > Enable Client Credentials Flow");
    let step = match &request.integration_user {
        Some(user) => step.text(run_as, user.clone()),
        None => step.choose(run_as, "the integration user"),
    };
    step.trap(
        "This is the second of the two switches. If only one is ticked, or Run As is empty, Salesforce answers \
               \"no client credentials user enabled\".",
    )
    .trap("Whoever has key and secret acts as the Run As user. Never choose an administrator.")
    .check("Open the Policies tab again: box and user are still there.")
}

fn key(request: &GuideRequest) -> Step {
    let step = Step::new(match request.flow {
        Flow::JwtBearer => "Copy the consumer key",
        _ if request.public_client => "Copy the consumer key",
        _ => "Copy the consumer key and the consumer secret",
    });
    let step = step.at(tab(request, &["Settings", "OAuth Settings", "Consumer Key and Secret"])).trap(
        "Salesforce sends a verification code by e-mail to the admin who is signed in, and shows the key only after \
             it is entered. Have that mailbox at hand.",
    );
    match (request.flow, request.public_client) {
        (Flow::JwtBearer, _) => step.trap("This flow has no use for the secret. Leave it where it is."),
        (_, true) => step.trap("A public client has no use for the secret. Leave it where it is."),
        _ => step.trap(
            "The secret is a password. Hand it over by a password manager, not by e-mail or chat, and copy it whole.",
        ),
    }
    .check("The key begins with 3MVG and has about 85 characters.")
}
