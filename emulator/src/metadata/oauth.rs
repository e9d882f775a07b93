//! What both kinds of client app write alike.

use std::path::Path;

use url::Url;

use super::component::{Fields, SourceFile};
use super::problem::Problems;
use super::target::{Reference, Target};
use super::types::wire_scope;
use crate::scenario::{
    AppKind, AppSpec, AppState, Distribution, ID_TOKEN_MINUTES, IpRange, IpRelaxation, LevelAction, PermittedUsers,
    RefreshTokenPolicy, SessionLevel,
};
use crate::secret::Secret;

/// All callback URLs of an app together (Metadata API, `callbackUrl`).
const MAX_CALLBACK_CHARS: usize = 2000;
/// Metadata API, `trustedIpRanges`.
const MAX_IP_RANGES: usize = 128;
/// A month of a refresh token policy; no document says how long it is.
const HOURS_A_MONTH: u32 = 30 * 24;

/// An app as it is before a file says anything about it.
pub(super) fn blank(name: String, kind: AppKind, consumer_key: String, consumer_secret: Secret) -> AppSpec {
    AppSpec {
        name,
        kind,
        consumer_key,
        consumer_secret,
        scopes: Vec::new(),
        callback_urls: Vec::new(),
        state: AppState::Enabled,
        distribution: Distribution::Local,
        fresh: false,
        client_credentials: None,
        device_flow: false,
        code_credentials_flow: false,
        token_exchange_flow: false,
        secret_required_for_token_exchange: false,
        certificate: None,
        client_assertion_certificate: None,
        secret_required_for_web_server: true,
        secret_required_for_refresh: true,
        pkce_required: None,
        refresh_token_rotation: false,
        named_user_jwt: false,
        named_user_jwt_minutes: None,
        id_token_minutes: 2,
        introspects_all_tokens: false,
        permitted_users: PermittedUsers::All,
        profiles: Vec::new(),
        permission_sets: Vec::new(),
        ip_relaxation: IpRelaxation::Enforce,
        trusted_ip_ranges: Vec::new(),
        refresh_token_policy: RefreshTokenPolicy::Infinite,
        session_timeout_minutes: None,
        required_session_level: SessionLevel::default(),
        level_action: LevelAction::default(),
    }
}

/// An element's text with its place.
pub(super) fn reference<'a>(fields: &'a Fields, name: &'static str) -> Option<Reference<'a>> {
    fields.text(name).map(|text| (text, fields.at_element(name)))
}

/// The entries of an element that holds a list with commas, each at the place of the element.
pub(super) fn list<'a>(fields: &'a Fields, name: &'static str) -> Vec<Reference<'a>> {
    fields.list(name).into_iter().map(|entry| (entry, fields.at_element(name))).collect()
}

/// An element that repeats, each with its place.
pub(super) fn repeated<'a>(fields: &'a Fields, name: &'static str) -> Vec<Reference<'a>> {
    fields.texts(name).map(|(text, at)| (text, Some(at))).collect()
}

/// The elements that the settings of both kinds have under one name.
pub(super) fn apply_flows(file: &SourceFile, fields: &Fields, app: &mut AppSpec, target: &mut Target<'_>) {
    app.callback_urls = callback_urls(&file.path, fields, &mut target.problems);
    app.certificate = reference(fields, "certificate").and_then(|pem| target.certificate(&file.path, pem));
    app.secret_required_for_web_server = !fields.flag("isConsumerSecretOptional").unwrap_or(false);
    app.secret_required_for_refresh = fields.flag("isSecretRequiredForRefreshToken").unwrap_or(true);
    app.secret_required_for_token_exchange = fields.flag("isSecretRequiredForTokenExchange").unwrap_or(false);
    app.refresh_token_rotation = fields.flag("isRefreshTokenRotationEnabled").unwrap_or(false);
    app.named_user_jwt = fields.flag("isNamedUserJwtEnabled").unwrap_or(false);
    app.introspects_all_tokens = fields.flag("isIntrospectAllTokens").unwrap_or(false);
    if let Some(secret) = fields.text("consumerSecret") {
        app.consumer_secret = Secret::new(secret);
    }
}

fn callback_urls(file: &Path, fields: &Fields, problems: &mut Problems) -> Vec<String> {
    const FIELD: &str = "callbackUrl";
    let text = fields.text(FIELD).unwrap_or_default();
    let at = fields.at_element(FIELD);
    if text.chars().count() > MAX_CALLBACK_CHARS {
        let message = format!("Callback URL: data value too large (max length={MAX_CALLBACK_CHARS})");
        problems.add(file, at, message);
    }
    let urls = text.lines().map(str::trim).filter(|line| !line.is_empty());
    urls.inspect(|url| {
        if let Some(message) = callback_problem(url) {
            problems.add(file, at, message);
        }
    })
    .map(str::to_owned)
    .collect()
}

/// Apps of phones and desktops have schemes of their own; of the two of the web, only `https` leaves the machine.
fn callback_problem(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|_| !text.contains(char::is_whitespace));
    let Some(url) = url else { return Some(format!("Callback URL: {text} is not a valid URL")) };
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    (url.scheme() == "http" && !local).then(|| format!("Callback URL: {text} must use https"))
}

/// Scopes on the wire; words of the wire are none in metadata.
pub(super) fn wire_scopes<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    words.filter_map(wire_scope).map(str::to_owned).collect()
}

/// The ranges of an element that repeats.
pub(super) fn ip_ranges(
    file: &Path,
    fields: &Fields,
    element: &'static str,
    [start, end]: [&'static str; 2],
    problems: &mut Problems,
) -> Vec<IpRange> {
    if fields.each(element).count() > MAX_IP_RANGES {
        problems.add(
            file,
            fields.at_element(element),
            format!("{element}: at most {MAX_IP_RANGES} ranges are allowed"),
        );
    }
    let mut ranges = Vec::new();
    for range in fields.each(element) {
        let (Some(first), Some(last)) = (range.text(start), range.text(end)) else { continue };
        let parsed = first.parse().ok().zip(last.parse().ok()).and_then(|(first, last)| IpRange::new(first, last));
        match parsed {
            Some(range) => ranges.push(range),
            None => problems.add(file, range.at(), format!("Invalid IP range: {first} - {last}")),
        }
    }
    ranges
}

/// A refresh token policy that is limited to a number of units; `None` when it is out of bounds or of no known unit.
pub(super) fn hours(period: i64, unit: &str) -> Option<u32> {
    let factor = match unit.to_ascii_lowercase().as_str() {
        "hours" => 1,
        "days" => 24,
        "months" => HOURS_A_MONTH,
        _ => return None,
    };
    u32::try_from(period).ok().filter(|period| *period > 0)?.checked_mul(factor)
}

pub(super) fn ip_relaxation(word: &str) -> IpRelaxation {
    match word.to_ascii_lowercase().as_str() {
        "bypass" => IpRelaxation::Bypass,
        "bypass_2factor" => IpRelaxation::BypassSecondFactor,
        "enforce_relaxrefresh" => IpRelaxation::EnforceRelaxRefresh,
        _ => IpRelaxation::Enforce,
    }
}

/// Session level, what becomes of sessions below it, and session timeout.
pub(super) fn apply_session(
    file: &Path,
    fields: &Fields,
    [level, timeout]: [&'static str; 2],
    app: &mut AppSpec,
    problems: &mut Problems,
) {
    app.required_session_level = match fields.text(level) {
        Some("HIGH_ASSURANCE") => SessionLevel::HighAssurance,
        Some("LOW") => SessionLevel::Low,
        _ => SessionLevel::Standard,
    };
    app.level_action = match fields.text("policyAction") {
        Some("RaiseSessionLevel") => LevelAction::RaiseSessionLevel,
        _ => LevelAction::Block,
    };
    app.session_timeout_minutes = minutes(file, fields, timeout, |minutes| *minutes > 0, problems);
}

/// How long ID tokens are valid, when the file says so.
pub(super) fn apply_id_token(
    file: &Path,
    fields: &Fields,
    validity: &'static str,
    app: &mut AppSpec,
    problems: &mut Problems,
) {
    let Some(config) = fields.nested("idTokenConfig") else { return };
    let validity = minutes(file, config, validity, |minutes| ID_TOKEN_MINUTES.contains(minutes), problems);
    app.id_token_minutes = validity.unwrap_or(app.id_token_minutes);
}

/// A number of minutes that is allowed.
pub(super) fn minutes(
    file: &Path,
    fields: &Fields,
    element: &'static str,
    allowed: impl Fn(&u32) -> bool,
    problems: &mut Problems,
) -> Option<u32> {
    let number = fields.number(element)?;
    let minutes = u32::try_from(number).ok().filter(allowed);
    if minutes.is_none() {
        problems.add(file, fields.at_element(element), format!("{element}: {number} minutes are not allowed"));
    }
    minutes
}
