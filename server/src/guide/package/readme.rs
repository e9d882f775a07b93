//! The README of a package: the exact commands, and what metadata cannot do.

use std::fmt::Write;

use super::{AppPackage, SignIn};
use crate::guide::{
    markdown::{code, escape},
    names::{alias, shell},
};

pub(super) fn readme(package: &AppPackage) -> String {
    let mut out = format!(
        "# {}: an External Client App for Orgtide\n\n\
         This folder is a Salesforce DX project. It creates an External Client App and a permission set in your org. The app \
         can read what is listed below, and write nothing. No secret is in these files: your org makes up key and secret \
         when the app is created.\n",
        escape(&package.label)
    );
    out.push_str(&allowed(package));
    let mut number = 0;
    for section in [sign_in(package), user(package), deploy(package), assign(package), key(package), connect(package)] {
        let Some((title, text)) = section else { continue };
        number += 1;
        let _ = write!(out, "\n## {number}. {title}\n\n{text}");
    }
    out.push_str(&by_hand(package));
    out.push_str(&undo(package));
    out
}

type Section = Option<(&'static str, String)>;

fn target(package: &AppPackage) -> String {
    alias(package.org.as_ref())
}

fn integration_user(package: &AppPackage) -> Option<&str> {
    match &package.sign_in {
        SignIn::ClientCredentials { run_as } => run_as.as_deref(),
        SignIn::JwtBearer { user, .. } => user.as_deref(),
        SignIn::WebServer { .. } | SignIn::Device { .. } => None,
    }
}

fn has_integration_user(package: &AppPackage) -> bool {
    matches!(package.sign_in, SignIn::ClientCredentials { .. } | SignIn::JwtBearer { .. })
}

fn allowed(package: &AppPackage) -> String {
    let mut out = "\n## What it allows\n\n".to_owned();
    if package.access.objects.is_empty() {
        out.push_str("- API Enabled, and no object yet: name them with `--object`, `--mapping` or `--connection`\n");
    } else {
        out.push_str("- API Enabled\n");
    }
    for object in &package.access.objects {
        let prefix = format!("{}.", object.object);
        let fields: Vec<&str> = package.access.fields.iter().filter_map(|field| field.strip_prefix(&prefix)).collect();
        let because = object.because.as_ref().map(|because| format!(" ({})", escape(because))).unwrap_or_default();
        let fields = if fields.is_empty() { String::new() } else { format!(": {}", escape(&fields.join(", "))) };
        let _ = writeln!(out, "- Read {}{because}{fields}", escape(&object.object));
    }
    out.push_str(
        "\nRequired and system fields of these objects are readable without being listed. Sharing still applies: the user \
         reads the records that are shared with it. To read all records of an object, set `viewAllRecords` to true in the \
         permission set. View Setup and Configuration is not granted: nothing here needs it.\n",
    );
    for note in &package.access.notes {
        let _ = write!(out, "\n> {}\n", escape(note));
    }
    out
}

fn sign_in(package: &AppPackage) -> Section {
    let url = package.org.as_ref().map_or_else(|| "https://<My Domain>".to_owned(), ToString::to_string);
    Some((
        "Sign in as an administrator",
        format!("```console\nsf org login web --alias {} --instance-url {url}\n```\n", target(package)),
    ))
}

fn user(package: &AppPackage) -> Section {
    if !has_integration_user(package) {
        return None;
    }
    let user = integration_user(package).map_or_else(String::new, |user| format!(" {}", code(user)));
    Some((
        "Create the integration user",
        format!(
            "By hand, unless it exists: Setup > Users > New User, User License **Salesforce Integration**, Profile **Minimum \
             Access - API Only Integrations**, user name{user}. It has to be active before the app is deployed.\n\n\
             Then the permission set license, without which the permission set is refused (\"The user license doesn't allow \
             the permission: Read …\"):\n\n```console\nsf org assign permsetlicense --name SalesforceAPIIntegrationPsl \
             --on-behalf-of {} --target-org {}\n```\n",
            shell_user(package),
            target(package)
        ),
    ))
}

fn shell_user(package: &AppPackage) -> String {
    integration_user(package).map_or_else(|| "<user name>".to_owned(), shell)
}

fn deploy(package: &AppPackage) -> Section {
    let target = target(package);
    Some((
        "Deploy",
        format!(
            "```console\nsf project deploy start --source-dir force-app --target-org {target} --dry-run\n\
             sf project deploy start --source-dir force-app --target-org {target}\n```\n\n\
             If the deployment says \"depends on permission(s): Read …\", allow reading that object too: run `orgtide \
             export-app` again with `--object`.\n"
        ),
    ))
}

fn assign(package: &AppPackage) -> Section {
    let who = if has_integration_user(package) { "the integration user" } else { "everybody who is going to connect" };
    Some((
        "Assign the permission set",
        format!(
            "To {who}. Only users who have it may use the app.\n\n```console\nsf org assign permset --name {} --on-behalf-of \
             {} --target-org {}\n```\n",
            package.permission_set(),
            shell_user(package),
            target(package)
        ),
    ))
}

fn key(package: &AppPackage) -> Section {
    let name = package.api_name();
    let secret = match &package.sign_in {
        SignIn::JwtBearer { .. } => "This flow has no use for the secret.",
        _ if package.sign_in.is_public() => "A public client has no use for the secret.",
        _ => "The secret is shown there alone; hand it over as you would a password.",
    };
    Some((
        "Read the key",
        format!(
            "Setup > External Client App Manager > {} > Settings > OAuth Settings > Consumer Key and Secret. Salesforce sends \
             a verification code by e-mail to the admin who is signed in. {secret}\n\nThe key alone can be retrieved \
             too:\n\n```console\nsf project retrieve start --metadata ExtlClntAppGlobalOauthSettings:{name}_glbloauth \
             --target-org {}\n```\n",
            escape(&package.label),
            target(package)
        ),
    ))
}

fn connect(package: &AppPackage) -> Section {
    let org = package.org.as_ref().map_or("<My Domain>", |org| org.host());
    let flow = package.sign_in.flow();
    let user = match &package.sign_in {
        SignIn::JwtBearer { .. } => format!(" --username {}", shell_user(package)),
        _ => String::new(),
    };
    let name = &package.connection;
    Some((
        "Connect",
        format!(
            "```console\norgtide connect {name} --org {org} --flow {flow} --client-id <Consumer Key>{user}\n\
             orgtide check {name}\n```\n\nA new app takes two to ten minutes to work. Until then Salesforce may say that the \
             key is unknown, the flow is off or the user is missing; that is no mistake.\n"
        ),
    ))
}

fn by_hand(package: &AppPackage) -> String {
    let mut out = "\n## What these files cannot do\n\n".to_owned();
    out.push_str("- Show the consumer secret: see above.\n");
    if has_integration_user(package) {
        out.push_str("- Create the user, or give it its license: see above.\n");
    }
    if let SignIn::ClientCredentials { run_as } = &package.sign_in {
        let unset = if run_as.is_none() { "They name no Run As user. " } else { "" };
        let _ = writeln!(
            out,
            "- {unset}Set the Run As user where the deployment answers \"Enter a valid execution user for the OAuth client \
             credentials flow.\": External Client App Manager > {} > Policies > Edit > OAuth Flows and External Client App \
             Enhancements > Enable Client Credentials Flow, Run As (Username). Take `clientCredentialsFlowUser` out of the \
             policies then, and deploy again.",
            escape(&package.label)
        );
    }
    out.push_str("- Limit refresh tokens to addresses, or set login IP ranges: those are decisions of yours.\n");
    out
}

fn undo(package: &AppPackage) -> String {
    format!(
        "\n## Undo\n\nDelete {} in the External Client App Manager, which ends every connection made with it, and the \
         permission set {}.\n",
        escape(&package.label),
        code(&package.permission_set())
    )
}
