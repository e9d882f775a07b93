//! Scopes as people read them, and which of them an app may be given.

use crate::scenario::{AppKind, AppSpec};

/// Labels of the consent page (Salesforce Help, "OAuth Tokens and Scopes"); a scope that is not here shows its name.
const LABELS: [(&str, &str); 24] = [
    ("api", "Manage user data via APIs"),
    ("refresh_token", "Perform requests at any time"),
    ("offline_access", "Perform requests at any time"),
    ("id", "Access the identity URL service"),
    ("profile", "Access the identity URL service"),
    ("email", "Access the identity URL service"),
    ("address", "Access the identity URL service"),
    ("phone", "Access the identity URL service"),
    ("openid", "Access unique user identifiers"),
    ("web", "Manage user data via Web browsers"),
    ("full", "Full access"),
    ("chatter_api", "Access Connect REST API resources"),
    ("visualforce", "Access Visualforce applications"),
    ("custom_permissions", "Access custom permissions"),
    ("wave_api", "Access Analytics REST API resources"),
    ("eclair_api", "Access Analytics REST API Charts Geodata resources"),
    ("pardot_api", "Manage Pardot services"),
    ("lightning", "Access Lightning applications"),
    ("content", "Access content resources"),
    ("chatbot_api", "Access chatbot services"),
    ("sfap_api", "Access the Salesforce API Platform"),
    ("cdp_ingest_api", "Manage Data Cloud Ingestion API data"),
    ("cdp_profile_api", "Manage Data Cloud profile data"),
    ("cdp_query_api", "Perform ANSI SQL queries on Data Cloud data"),
];

/// A line of the consent page: what is granted, and the scopes that grant it.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) scopes: String,
}

/// The lines for some scopes. Scopes with one meaning share a line.
pub(super) fn lines(scopes: &[String]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for scope in scopes {
        let known = LABELS.iter().find(|(name, _)| name == scope);
        let label = known.map_or_else(|| format!("Access {scope}"), |(_, label)| (*label).to_owned());
        match lines.iter_mut().find(|line| line.label == label) {
            Some(line) => {
                line.scopes.push_str(", ");
                line.scopes.push_str(scope);
            }
            None => lines.push(Line { label, scopes: scope.clone() }),
        }
    }
    lines
}

/// The scopes that a request gets: those it names, when the app may have them, else all of the app's.
pub(crate) fn granted(app: &AppSpec, wanted: Option<&[String]>) -> Result<Vec<String>, &'static str> {
    let Some(wanted) = wanted else { return Ok(app.scopes.clone()) };
    let mut scopes: Vec<String> = Vec::new();
    for scope in wanted {
        if !may_have(app, scope) {
            return Err("the requested scope is not allowed");
        }
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    let of_data_cloud = scopes.iter().filter(|scope| scope.starts_with("cdp_")).count();
    if app.kind == AppKind::ExternalClientApp && of_data_cloud > 1 {
        return Err("too many scopes requested");
    }
    Ok(scopes)
}

/// A scope that is selected on the app or contained in one that is. `full` contains everything but refresh tokens
/// (Salesforce Help, "OAuth Tokens and Scopes").
fn may_have(app: &AppSpec, scope: &str) -> bool {
    let contained = match scope {
        "refresh_token" | "offline_access" => false,
        "profile" | "email" | "address" | "phone" => app.has_scope("id") || app.has_scope("full"),
        "chatter_api" => app.has_scope("api") || app.has_scope("full"),
        "visualforce" => app.has_scope("web") || app.has_scope("full"),
        other => app.has_scope("full") && LABELS.iter().any(|(known, _)| *known == other),
    };
    contained || app.has_scope(scope)
}
