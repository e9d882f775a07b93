//! What a guide says for each flow: the parts around the steps, and which steps there are.

use salesforce::oauth::Flow;

use super::{
    AppKind, GuideRequest, HandOver, NotNeeded, Step, connected_app, external_client_app, names,
    place::{Page, setup},
    shared,
};

pub(super) fn title(request: &GuideRequest) -> String {
    let app = match request.app_kind() {
        AppKind::None => String::new(),
        app => format!(" by {} {}", if app == AppKind::ConnectedApp { "a" } else { "an" }, app.words()),
    };
    format!("Connect {} to Orgtide: {}{app}", request.org_words(), request.flow.title())
}

pub(super) fn summary(flow: Flow) -> &'static str {
    match flow {
        Flow::WebServer => {
            "A person signs in to Salesforce in a browser and presses Allow. Orgtide then reads with that person's rights \
             and never sees the password. For an administrator of the org; about fifteen minutes."
        }
        Flow::Device => {
            "A person enters a short code at Salesforce, on any device. For machines without a browser. Orgtide then reads \
             with that person's rights. For an administrator of the org; about fifteen minutes."
        }
        Flow::ClientCredentials => {
            "The recommended way: the app signs in by itself, as a user made for it that can do nothing but read. No \
             person is involved later, and nothing expires. For an administrator of the org; about twenty minutes."
        }
        Flow::JwtBearer => {
            "Orgtide proves who it is by a private key that never leaves it; the org knows the certificate. No secret is \
             handed over. For an administrator of the org; about twenty-five minutes."
        }
        Flow::Password => {
            "Orgtide signs in with a user's password and security token. Use it only where nothing better can be set up. \
             For an administrator of the org; about fifteen minutes."
        }
        Flow::SoapLogin => {
            "Orgtide signs in as old tools do, with a user's password and security token and without an app. Use it only \
             where nothing better can be set up. For an administrator of the org; about ten minutes."
        }
        Flow::RefreshToken => {
            "A connection that another tool made moves to Orgtide, without a new sign-in. For whoever runs both tools, with \
             an administrator of the org at hand; about ten minutes."
        }
    }
}

/// Sources: Salesforce Help articles 005228017 and 005132365; for the flows [`Flow::ending`].
pub(super) fn warnings(request: &GuideRequest) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(ending) = request.flow.ending() {
        let org = request.org.as_ref().map_or_else(String::new, |org| format!(" --org {}", org.host()));
        warnings
            .push(format!("{ending}. Set up client credentials instead: orgtide guide --flow client-credentials{org}"));
    }
    if request.app_kind() == AppKind::ConnectedApp {
        warnings.push(
            "Connected Apps are ending: since Spring '26 none can be created in any org, unless Salesforce Support allows \
             it. Those that exist go on working, and since September 2025 those of other orgs have to be installed by an \
             administrator. The button Migrate to External Client App moves one, unless it uses passwords."
                .to_owned(),
        );
    }
    warnings
}

pub(super) fn before(request: &GuideRequest) -> Vec<String> {
    let org = request.org.as_ref().map_or_else(|| "the org that is to be read".to_owned(), |org| org.host().to_owned());
    let mut before = vec![format!("Sign in to {org} as an administrator.")];
    match request.app_kind() {
        AppKind::ExternalClientApp if request.flow != Flow::RefreshToken => before.push(
            "You need the permissions \"Create, Edit, and Delete External Client Apps\" and \"View all External Client Apps, \
             view their settings, and edit their policies\"; System Administrators have both."
                .to_owned(),
        ),
        AppKind::ConnectedApp => before.push(
            "You need the permissions Customize Application and Manage Connected Apps; System Administrators have both."
                .to_owned(),
        ),
        _ => (),
    }
    if request.app_kind() == AppKind::ExternalClientApp && request.flow != Flow::RefreshToken {
        before.push(
            "Instead of clicking: whoever runs Orgtide can give you a folder that sf project deploy start turns into app, \
             policies and permission set. The command is at the end."
                .to_owned(),
        );
    }
    if request.flow == Flow::JwtBearer {
        before.push("Get the certificate from whoever runs Orgtide, who makes it with orgtide certificate: a file that ends in .crt.".to_owned());
    }
    before
}

pub(super) fn steps(request: &GuideRequest) -> Vec<Step> {
    let mut steps = match (request.flow, request.app_kind()) {
        (Flow::RefreshToken, _) => vec![issuing_app(request), shared::permission_set(request)],
        (_, AppKind::ExternalClientApp) => external_client_app::steps(request),
        (_, AppKind::ConnectedApp) => connected_app::steps(request),
        (_, AppKind::None) => {
            vec![allow_soap_login(request), shared::permission_set(request), shared::security_token(request)]
        }
    };
    if request.org.is_none() {
        steps.push(my_domain(request));
    }
    steps.push(shared::connect(request));
    steps
}

fn my_domain(request: &GuideRequest) -> Step {
    let step = Step::new("Look up the My Domain")
        .at(setup(None, Page::MyDomain, &["Current My Domain URL"]))
        .check("It ends in .my.salesforce.com, and a sandbox's in .sandbox.my.salesforce.com.");
    match request.flow {
        Flow::ClientCredentials => step.trap(
            "This flow works at the My Domain alone: login.salesforce.com and the addresses of Lightning and Setup are \
             refused.",
        ),
        _ => step,
    }
}

/// Source: Salesforce Help article 005132110.
fn allow_soap_login(request: &GuideRequest) -> Step {
    Step::new("Allow SOAP login()")
        .at(setup(request.org.as_ref(), Page::UserInterface, &[]))
        .tick("Enable SOAP API login()")
        .trap("Newer orgs have it off. While it is off, sign-in ends in \"SOAP API login() is disabled by default in this \
               org\".")
        .trap("Orgs created since Summer '26 also want the user permission Use Any API Auth for the user.")
        .check("The box is ticked when you open the page again.")
}

fn issuing_app(request: &GuideRequest) -> Step {
    Step::new("Look at the app that issued the refresh token")
        .at(setup(request.org.as_ref(), Page::ConnectedAppsUsage, &[]))
        .action("Find the app of the other tool, and open it (External Client App Manager or App Manager).")
        .choose("Selected OAuth Scopes", API_SCOPE_AND_REFRESH)
        .choose(
            "Refresh Token Policy",
            format!("Expire refresh token if not used for {} days", external_client_app::IDLE_DAYS),
        )
        .trap(
            "A refresh token belongs to the app that issued it: only that app's consumer key redeems it. A key of \
               another app ends in \"expired access/refresh token\".",
        )
        .trap("If the app belongs to the other tool's vendor, its key and secret are theirs. Then connect anew.")
        .trap(shared::FIVE_APPROVALS)
        .check("User Count beside the app is not zero.")
}

const API_SCOPE_AND_REFRESH: &str = "api and refresh_token (offline_access) are among them";

pub(super) fn hand_over(request: &GuideRequest) -> Vec<HandOver> {
    let item = |what: &str, found: &str, secret| HandOver { what: what.to_owned(), found: found.to_owned(), secret };
    let (key_found, secret_found) = match request.app_kind() {
        AppKind::ConnectedApp => ("App Manager > the app > View > Manage Consumer Details", "beside the key"),
        _ => ("Settings tab > OAuth Settings > Consumer Key and Secret", "beside the key"),
    };
    let org = request.org.as_ref().map_or("Setup > My Domain", |org| org.host());
    let mut items = vec![item("My Domain", org, false)];
    let has_app = request.app_kind() != AppKind::None;
    if has_app {
        items.push(item("Consumer Key", key_found, false));
    }
    if has_app && request.flow != Flow::JwtBearer && !request.public_client {
        items.push(item("Consumer Secret", secret_found, true));
    }
    match request.flow {
        Flow::JwtBearer => items.push(item("User name", "Setup > Users > the integration user", false)),
        Flow::Password | Flow::SoapLogin => {
            items.push(item("User name", "Setup > Users > the user", false));
            items.push(item("Password", "known to whoever set it", true));
            items.push(item("Security token", "the e-mail of Salesforce; none from a trusted network", true));
        }
        Flow::RefreshToken => items.push(item("Refresh token", "the other tool's store", true)),
        Flow::WebServer | Flow::Device | Flow::ClientCredentials => (),
    }
    items
}

pub(super) fn not_needed(request: &GuideRequest) -> Vec<NotNeeded> {
    let item = |what: &str, why: &str| NotNeeded { what: what.to_owned(), why: why.to_owned() };
    let headless = item(
        shared::HEADLESS,
        "It is the headless flow for pages of an Experience Cloud site. Guides of other vendors ask for it; it neither \
         helps nor harms here.",
    );
    let full = item("The scope full", "It allows everything the user can do; reading needs api alone.");
    let view_all = item(
        "View All Data, Modify All Data or an administrator as the user",
        "Read on the mapped objects and fields is enough, and shows you exactly what leaves the org.",
    );
    let no_renewal = |why: &str| item("The scope refresh_token", why);
    let no_callback = item("A callback that leads anywhere", "Nobody is sent back to it in this flow.");
    let pkce = item(
        "PKCE",
        "It protects the code of the browser flow, and this flow has no code. Ticked or not, it makes no \
                             difference.",
    );
    match request.flow {
        Flow::WebServer => vec![headless, full, view_all],
        Flow::Device => vec![headless, pkce, no_callback, full, view_all],
        Flow::ClientCredentials => vec![
            no_renewal("This flow issues none: when a session ends, the app signs in again."),
            pkce,
            headless,
            no_callback,
            full,
            view_all,
        ],
        Flow::JwtBearer => vec![
            item("The consumer secret", "The signature takes its place."),
            pkce,
            headless,
            no_callback,
            full,
            view_all,
        ],
        Flow::Password => vec![
            no_renewal("This flow issues none."),
            item(shared::SECRET_FOR_WEB_SERVER, "It says nothing about this flow, which always needs the secret."),
            pkce,
            no_callback,
            full,
            view_all,
        ],
        Flow::SoapLogin => vec![item("An app, a key or a secret", "login() knows none."), view_all],
        Flow::RefreshToken => vec![
            item("A sign-in in a browser", "The approval that the other tool got goes on."),
            item("A change of the app", "Unless its scopes or its refresh token policy say so above."),
        ],
    }
}

pub(super) fn commands(request: &GuideRequest) -> Vec<String> {
    let name = names::alias(request.org.as_ref());
    let org = request.org.as_ref().map_or("<My Domain>", |org| org.host());
    let user = request.integration_user.as_deref();
    let mut connect = format!("orgtide connect {name} --org {org} --flow {}", request.flow.name());
    if request.app_kind() != AppKind::None {
        connect.push_str(" --client-id <Consumer Key>");
    }
    let local = request.callback_urls.iter().find(|url| url.starts_with("http:"));
    if let (Flow::WebServer, [_], Some(url)) = (request.flow, request.callback_urls.as_slice(), local) {
        connect.push_str(&format!(" --callback {}", names::shell(url)));
    }
    if matches!(request.flow, Flow::JwtBearer | Flow::Password | Flow::SoapLogin) {
        connect.push_str(&format!(" --username {}", user.map_or_else(|| "<user name>".to_owned(), names::shell)));
    }
    let mut commands = Vec::new();
    if request.flow == Flow::JwtBearer {
        commands.push(format!("orgtide certificate {name} --output {name}.crt"));
    }
    commands.extend([connect, format!("orgtide check {name}")]);
    if request.app_kind() == AppKind::ExternalClientApp && request.flow != Flow::RefreshToken {
        let certificate = match request.flow {
            Flow::JwtBearer => format!(" --certificate {name}.crt"),
            _ => String::new(),
        };
        let email = request.contact_email.as_deref().map_or_else(|| "<your address>".to_owned(), names::shell);
        commands.push(format!(
            "orgtide export-app {name}-app --flow {} --org {org} --email {email}{certificate}",
            request.flow.name()
        ));
    }
    commands
}
