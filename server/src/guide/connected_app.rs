//! Steps of a Connected App, for orgs that still have one.
//!
//! Labels: Salesforce Help, "Enable OAuth Settings for API Integration"; headless identity guide, "Get Your Consumer Key".

use salesforce::oauth::Flow;

use super::{
    GuideRequest, Step,
    external_client_app::IDLE_DAYS,
    place::{Page, Place, setup},
    shared::{
        ADMIN_APPROVED, API_SCOPE, CLIENT_CREDENTIALS, HEADLESS, PKCE, REFRESH_SCOPE, ROTATION, SECRET_FOR_REFRESH,
        SECRET_FOR_WEB_SERVER, callbacks, scope_trap,
    },
};

pub(super) fn steps(request: &GuideRequest) -> Vec<Step> {
    let mut steps = vec![find(request), oauth(request)];
    if request.flow == Flow::Password {
        steps.push(allow_password_flow(request));
    }
    if matches!(request.flow, Flow::ClientCredentials | Flow::JwtBearer) {
        steps.push(super::shared::integration_user(request));
    }
    steps.extend([super::shared::permission_set(request), policies(request)]);
    if request.flow == Flow::Password {
        steps.push(super::shared::security_token(request));
    }
    steps.push(key(request));
    steps
}

fn row(request: &GuideRequest, below: &[&str]) -> Place {
    let below: Vec<&str> = [request.app_name.as_str()].into_iter().chain(below.iter().copied()).collect();
    setup(request.org.as_ref(), Page::AppManager, &below)
}

fn find(request: &GuideRequest) -> Step {
    Step::new("Find the Connected App")
        .at(setup(request.org.as_ref(), Page::AppManager, &[]))
        .action("Look for an app of the type Connected App that was made for this integration. Open its row menu.")
        .trap("A new Connected App can no longer be created, unless Salesforce Support switches that on for your org. \
               Without one, take the guide for an External Client App.")
        .trap("Do not share an app that another integration uses: changing its policies affects that one at once.")
        .trap("An app of another org has to be installed first: Setup > Connected Apps OAuth Usage > Install. Uninstalled, \
               it is refused with \"app must be installed into org\".")
        .check("The row menu offers View, Edit and Manage.")
}

fn oauth(request: &GuideRequest) -> Step {
    let step = Step::new("Check its OAuth settings")
        .at(row(request, &["Edit", "API (Enable OAuth Settings)"]))
        .tick("Enable OAuth Settings");
    let step = callbacks(step, request).choose("Selected OAuth Scopes", API_SCOPE);
    let step = match request.flow {
        Flow::WebServer | Flow::Device | Flow::JwtBearer => step.choose("Selected OAuth Scopes", REFRESH_SCOPE),
        _ => step,
    };
    let step = match request.flow {
        Flow::ClientCredentials => step.tick(CLIENT_CREDENTIALS).trap(
            "This is the first of two settings; the Run As user is among the policies. Clearing and ticking this box \
             again may clear the user.",
        ),
        Flow::Device => step.tick("Enable for Device Flow").trap(
            "In the device flow an app that is not installed in this org is refused for everybody, administrators too.",
        ),
        Flow::JwtBearer => {
            step.tick("Use digital signatures").action("Upload the certificate that Orgtide gave you.").trap(
                "Upload the certificate, never the private key. It is an RSA certificate of at least 2048 bits, in one \
                   file of at most 4 KB.",
            )
        }
        _ => step,
    };
    let step = match (request.flow, request.public_client) {
        (Flow::WebServer | Flow::Device, true) => {
            step.clear(SECRET_FOR_WEB_SERVER).clear(SECRET_FOR_REFRESH).tick(ROTATION)
        }
        (Flow::WebServer | Flow::Device, false) => {
            step.tick(SECRET_FOR_WEB_SERVER).tick(SECRET_FOR_REFRESH).tick(ROTATION)
        }
        _ => step,
    };
    let step = if request.flow == Flow::WebServer { step.tick(PKCE).clear(HEADLESS) } else { step };
    step.action("Save.").trap(scope_trap(request.flow))
}

/// Source: Salesforce Help, "Block Authorization Flows to Improve Security".
fn allow_password_flow(request: &GuideRequest) -> Step {
    Step::new("Allow the username-password flow")
        .at(setup(request.org.as_ref(), Page::OauthSettings, &[]))
        .tick("Allow OAuth Username-Password Flows")
        .trap("Orgs created since Summer '23 have it off. While it is off, every sign-in ends in \"authentication failure\", \
               the same words as for a wrong password; Setup > Login History says \"Username-Password Flow Disabled\".")
        .check("The switch is on when you open the page again.")
}

fn policies(request: &GuideRequest) -> Step {
    let set = request.permission_set();
    let step = Step::new("Say who may use the app")
        .at(row(request, &["Manage", "Edit Policies"]))
        .choose("Permitted Users", ADMIN_APPROVED)
        .action("Save.")
        .action(format!("On the app's page, press Manage Permission Sets and tick {set}."))
        .trap("Users without that permission set are cut off at once, also those who are connected already.");
    match request.flow {
        Flow::ClientCredentials => match &request.integration_user {
            Some(user) => step.text("Run As", user.clone()),
            None => step.choose("Run As", "the integration user"),
        }
        .trap("If Run As is empty, Salesforce answers \"no client credentials user enabled\".")
        .trap("Whoever has key and secret acts as the Run As user. Never choose an administrator."),
        Flow::JwtBearer => step.choose("Refresh Token Policy", "Refresh token is valid until revoked").trap(
            "Every other refresh token policy lets the approval age: sign-ins that worked for weeks then end in \
             \"user hasn't approved this consumer\".",
        ),
        Flow::WebServer | Flow::Device => {
            step.choose("Refresh Token Policy", format!("Expire refresh token if not used for {IDLE_DAYS} days")).trap(
                "Immediately expire refresh token means that there is none, and the connection ends with its first \
                   session.",
            )
        }
        _ => step,
    }
    .choose("IP Relaxation", "Enforce IP restrictions")
}

fn key(request: &GuideRequest) -> Step {
    let step = Step::new("Copy the consumer key and the consumer secret")
        .at(row(request, &["View", "Manage Consumer Details"]))
        .trap("Salesforce asks for a verification code, which it sends by e-mail to the admin who is signed in. Have that \
               mailbox at hand.");
    let step = if matches!(request.flow, Flow::JwtBearer) || request.public_client {
        step.trap("This way has no use for the secret. Leave it where it is.")
    } else {
        step.trap(
            "The secret is a password. Hand it over by a password manager, not by e-mail or chat, and copy it whole.",
        )
    };
    step.check("The key begins with 3MVG and has about 85 characters.")
}
