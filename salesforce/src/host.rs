//! Which hosts are Salesforce's, and what a person may paste to name one.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// The base of an org: `https` and one admitted host, no port, no path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct OrgUrl {
    host: String,
}

/// Which optional families of hosts are admitted besides the standard ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostRules {
    /// `X.my-salesforce.com`.
    pub alternative_domains: bool,
    /// `na139.salesforce.com` and the like.
    pub legacy_instance_hosts: bool,
}

/// Why a pasted address is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    #[error("{pasted:?} is not an address of a Salesforce org: {reason}")]
    Refused { pasted: String, reason: String },
}

/// A family of My Domain names: where its API answers, which partitions it has, and which hosts of the user interface
/// belong to the same org. Sources: sfdx-core `src/util/sfdcUrl.ts` for the pairs; help page "My Domain URL Formats".
struct Family {
    api: &'static str,
    partitions: &'static [&'static str],
    interface: &'static [&'static str],
}

const STANDARD: Family = Family {
    api: "my.salesforce.com",
    partitions: &["sandbox", "develop", "scratch", "trailblaze", "patch", "demo", "free"],
    interface: &["lightning.force.com", "my.salesforce-setup.com"],
};
const DEFENSE: Family = Family {
    api: "my.salesforce.mil",
    partitions: &["sandbox", "develop", "scratch", "patch"],
    interface: &["lightning.crmforce.mil", "my.salesforce-setup.mil"],
};
const CHINA: Family = Family {
    api: "my.sfcrmproducts.cn",
    partitions: &["sandbox", "develop", "scratch"],
    interface: &["lightning.sfcrmapps.cn"],
};
const ALTERNATIVE: Family =
    Family { api: "my-salesforce.com", partitions: &["sandbox"], interface: &["my-lightning.com"] };

const FAMILIES: [&Family; 4] = [&STANDARD, &DEFENSE, &CHINA, &ALTERNATIVE];

/// Single words that name no org, though they have the form of a My Domain name.
const NO_DOMAIN_NAMES: &[&str] = &["localhost", "my", "www", "salesforce", "lightning", "force", "com"];

/// Hosts that belong to Salesforce but not to the API of an org, and what they are.
const OTHER_SALESFORCE_HOSTS: &[(&str, &str)] = &[
    (".my.site.com", "it is an Experience Cloud site"),
    (".my.salesforce-sites.com", "it is a Salesforce site"),
    (".vf.force.com", "it is a Visualforce host"),
    (".visualforce.com", "it is a Visualforce host"),
    (".file.force.com", "it serves files only"),
    (".content.force.com", "it serves files only"),
    (".force.com", "it is a host of the user interface"),
    ("api.salesforce.com", "it is no org but an entrance for agents"),
    ("welcome.salesforce.com", "it is a page for people who sign in"),
];

impl HostRules {
    /// True when the whole of `host` (lower case) has the form of a host that OAuth and data requests may go to.
    ///
    /// The forms are those of My Domain login host names with enhanced domains, the two generic login hosts, and the
    /// families that these rules switch on. A suffix alone is never enough, since customers control content under
    /// other Salesforce domains.
    pub fn admits(self, host: &str) -> bool {
        matches!(host, "login.salesforce.com" | "test.salesforce.com")
            || [&STANDARD, &DEFENSE, &CHINA].into_iter().any(|family| family.holds(host))
            || (self.alternative_domains && ALTERNATIVE.holds(host))
            || (self.legacy_instance_hosts && is_legacy_instance(host))
    }
}

impl Family {
    fn holds(&self, host: &str) -> bool {
        strip_domain(host, self.api).is_some_and(|name| self.is_name(name))
    }

    /// A label, or a label and one of the partitions.
    fn is_name(&self, name: &str) -> bool {
        match name.split_once('.') {
            None => is_label(name),
            Some((label, partition)) => is_label(label) && self.partitions.contains(&partition),
        }
    }
}

impl OrgUrl {
    /// Reads what a person pastes: with or without `https://`, slashes, a Lightning or Setup URL.
    ///
    /// A host of the user interface becomes the org's API host (`acme.lightning.force.com` becomes
    /// `acme.my.salesforce.com`, partitions kept), and a bare My Domain name such as `acme` or `acme.my` is completed.
    ///
    /// # Errors
    /// Anything else is refused with the reason and, where it can be guessed, what to paste instead. Addresses, ports,
    /// user names and other schemes than `https` are always refused.
    pub fn parse(pasted: &str, rules: HostRules) -> Result<Self, HostError> {
        let refuse = |reason: String| HostError::Refused { pasted: shown(pasted), reason };
        let authority = authority(pasted).map_err(&refuse)?;
        let host = plain_host(&authority).map_err(&refuse)?;
        let host = complete(&host).map_err(&refuse)?;
        if rules.admits(&host) { Ok(Self { host }) } else { Err(refuse(why_refused(&host))) }
    }

    /// Reads the `instance_url` of a token answer: exactly `https://`, an admitted host, and at most a slash.
    ///
    /// # Errors
    /// Nothing is corrected here: what Salesforce says is used as it is or not at all.
    pub fn from_instance_url(url: &str, rules: HostRules) -> Result<Self, HostError> {
        let host = url.strip_prefix("https://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        match host {
            Some(host) if rules.admits(host) => Ok(Self { host: host.to_owned() }),
            _ => Err(HostError::Refused {
                pasted: shown(url),
                reason: "the token endpoint named it as the address of the API, and it is not one that is admitted"
                    .to_owned(),
            }),
        }
    }

    /// The host name, lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `login.salesforce.com`, where users of all production orgs sign in.
    pub fn production_login() -> Self {
        Self { host: "login.salesforce.com".to_owned() }
    }

    /// `test.salesforce.com`, where users of all sandboxes sign in.
    pub fn sandbox_login() -> Self {
        Self { host: "test.salesforce.com".to_owned() }
    }

    /// True for `login.salesforce.com` and `test.salesforce.com`.
    pub fn is_generic(&self) -> bool {
        matches!(self.host.as_str(), "login.salesforce.com" | "test.salesforce.com")
    }
}

impl fmt::Display for OrgUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "https://{}", self.host)
    }
}

impl<'de> Deserialize<'de> for OrgUrl {
    /// Reads a stored host name. All families are admitted here, since the rules were applied before it was stored;
    /// they are applied again before each request.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let host = String::deserialize(deserializer)?;
        let all = HostRules { alternative_domains: true, legacy_instance_hosts: true };
        if all.admits(&host) { Ok(Self { host }) } else { Err(D::Error::custom("not a host of a Salesforce org")) }
    }
}

/// `[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?`
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    (1..=63).contains(&bytes.len())
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
}

/// `[a-z]{2,4}[0-9]{1,4}\.salesforce\.com`
fn is_legacy_instance(host: &str) -> bool {
    let Some(name) = strip_domain(host, "salesforce.com") else { return false };
    let letters = name.bytes().take_while(u8::is_ascii_lowercase).count();
    let digits = name.bytes().skip(letters).take_while(u8::is_ascii_digit).count();
    (2..=4).contains(&letters) && (1..=4).contains(&digits) && letters + digits == name.len()
}

/// What stands before `.domain`.
fn strip_domain<'a>(host: &'a str, domain: &str) -> Option<&'a str> {
    host.strip_suffix(domain)?.strip_suffix('.')
}

/// The part of a pasted address that may be shown again: no query (it may hold a session), no user name.
fn shown(pasted: &str) -> String {
    let address = pasted.trim().split(['?', '#']).next().unwrap_or_default();
    let address = address.rsplit('@').next().unwrap_or_default();
    address.chars().take(120).collect()
}

/// What stands between the scheme and the path.
fn authority(pasted: &str) -> Result<String, String> {
    let text = pasted.trim_matches(|c: char| c.is_whitespace() || "\"'`<>".contains(c)).to_lowercase();
    let rest = match text.split_once("://") {
        Some(("https", rest)) => rest,
        Some(("http", rest)) => return Err(insecure(rest)),
        Some((scheme, _)) if is_label(scheme) => return Err(format!("{scheme}:// is not https://.")),
        _ => text.strip_prefix("//").unwrap_or(&text),
    };
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() {
        return Err("it names no host. Paste the My Domain address, such as acme.my.salesforce.com.".to_owned());
    }
    Ok(authority.to_owned())
}

fn insecure(rest: &str) -> String {
    let host = rest.split(['/', '\\', '?', '#', ':']).next().unwrap_or_default();
    let rules = HostRules { alternative_domains: true, legacy_instance_hosts: true };
    match rules.admits(host) {
        true => format!("http:// is not encrypted. Paste https://{host} instead."),
        false => "http:// is not encrypted, and this is not a host of Salesforce.".to_owned(),
    }
}

/// The host alone: no user name, no port, no address, only plain letters.
fn plain_host(authority: &str) -> Result<String, String> {
    if authority.contains('@') {
        return Err("it holds a user name. Paste the address of the org alone.".to_owned());
    }
    if is_address(authority) {
        return Err("it is a network address. Paste the org's My Domain name, such as acme.my.salesforce.com.".into());
    }
    let host = authority.strip_suffix(":443").unwrap_or(authority);
    if let Some((host, _)) = host.split_once(':') {
        return Err(format!("it names a port. Salesforce answers on the standard port only; paste {host}."));
    }
    if !host.is_ascii() {
        return Err("it holds letters that only look like plain ones. Type the name instead of pasting it.".into());
    }
    if host.split('.').any(|label| label.starts_with("xn--")) {
        return Err("it is written in an encoding for other alphabets, which no org's name uses.".to_owned());
    }
    Ok(host.strip_suffix('.').unwrap_or(host).to_owned())
}

/// IPv4 and IPv6, with brackets or a port, and dotted forms made of numbers alone.
fn is_address(authority: &str) -> bool {
    let host = authority.rsplit_once(':').filter(|(host, _)| !host.contains(':')).map_or(authority, |(host, _)| host);
    authority.starts_with('[')
        || IpAddr::from_str(authority).is_ok()
        || IpAddr::from_str(host).is_ok()
        || (host.contains('.') && host.split('.').all(is_number))
}

fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").filter(|rest| !rest.is_empty());
    match hex {
        Some(hex) => hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// The API host that belongs to what was pasted.
fn complete(host: &str) -> Result<String, String> {
    for family in FAMILIES {
        let name = family.interface.iter().find_map(|interface| strip_domain(host, interface));
        if let Some(name) = name.filter(|name| family.is_name(name)) {
            return Ok(format!("{name}.{}", family.api));
        }
    }
    let name = ["my.salesforce", "my"].iter().find_map(|end| strip_domain(host, end)).unwrap_or(host);
    if !STANDARD.is_name(name) || NO_DOMAIN_NAMES.contains(&name) {
        return Ok(host.to_owned());
    }
    match name {
        "login" | "test" if name == host => Ok(format!("{name}.salesforce.com")),
        _ if name != host || name.contains('.') => Ok(format!("{name}.{}", STANDARD.api)),
        _ if name.contains("--") => Err(format!(
            "a sandbox has several possible addresses. Paste the whole one, for example \
             {name}.sandbox.my.salesforce.com."
        )),
        _ if name.ends_with("-dev-ed") => Err(format!(
            "a Developer Edition org has several possible addresses. Paste the whole one, for example \
             {name}.develop.my.salesforce.com."
        )),
        _ => Ok(format!("{name}.{}", STANDARD.api)),
    }
}

/// Why a host is not admitted, and what to paste instead.
fn why_refused(host: &str) -> String {
    const PASTE: &str = "Paste the My Domain address (Setup > My Domain), such as acme.my.salesforce.com.";
    if FAMILIES.iter().any(|family| family.api == host) {
        return format!("the name of the org before .{host} is missing. {PASTE}");
    }
    if let Some((_, what)) =
        OTHER_SALESFORCE_HOSTS.iter().find(|(end, _)| host.ends_with(end) || host == end.trim_start_matches('.'))
    {
        return format!("{what}, and takes no sign-in for the API. {PASTE}");
    }
    if let Some(family) = FAMILIES.iter().find(|family| host.contains(&format!(".{}.", family.api))) {
        return format!("it only begins like an address of Salesforce ({}) but ends elsewhere. {PASTE}", family.api);
    }
    if ALTERNATIVE.holds(host) {
        return "alternative domains are not switched on in this installation.".to_owned();
    }
    if is_legacy_instance(host) {
        return format!("hosts of instances are not switched on in this installation. {PASTE}");
    }
    match suggestion(host) {
        Some(suggestion) => format!("did you mean {suggestion}? {PASTE}"),
        None => format!("it does not end as addresses of orgs do. {PASTE}"),
    }
}

/// The admitted host that is at most two letters away behind the first label.
fn suggestion(host: &str) -> Option<String> {
    let (label, rest) = host.split_once('.')?;
    if rest == "salesforce.com" && is_label(label) {
        return Some(format!("{label}.{}", STANDARD.api));
    }
    let standard = [&STANDARD, &DEFENSE, &CHINA].into_iter();
    let endings = standard.flat_map(|family| {
        let partitions = family.partitions.iter().map(move |partition| format!("{partition}.{}", family.api));
        std::iter::once(family.api.to_owned()).chain(partitions)
    });
    let (ending, _) = endings
        .map(|ending| (edit_distance(rest.as_bytes(), ending.as_bytes()), ending))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(distance, ending)| (ending, distance))?;
    let suggested = format!("{label}.{ending}");
    HostRules::default().admits(&suggested).then_some(suggested)
}

/// Insertions, deletions and replacements between two words; 3 stands for "more than two".
fn edit_distance(a: &[u8], b: &[u8]) -> usize {
    if a.len().abs_diff(b.len()) > 2 {
        return 3;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()].min(3)
}

#[cfg(test)]
mod tests;
