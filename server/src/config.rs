//! The configuration: a file, the environment, and flags, in that order; the later one wins.
//!
//! `config.default.toml` is the reference page. A name that does not exist is refused with the one that was probably
//! meant. The environment is read here and nowhere else.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use destinations::webhook::{Network, Policy, Surroundings};
use salesforce::{HostRules, HttpConfig, http::MappedHost};
use secrecy::SecretString;
use sync::{
    run::{Refresh, Sweep},
    verify::Depth,
};
use url::Url;

use crate::quota::Rules;

mod client_apps;
mod error;
mod settings;
mod spelling;

pub use client_apps::{ClientApps, ConfiguredApp};
pub use error::ConfigError;
use settings::{Given, Origin, Values};
pub(crate) use spelling::closest;

/// The reference page: every setting with its default.
pub const REFERENCE: &str = include_str!("config.default.toml");

/// The process's environment, as far as it is text.
pub fn environment() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}

/// A secret that `connect` takes from the environment; `None` when it is empty.
pub fn environment_secret(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|secret| !secret.is_empty())
}

/// What a person has set, unread.
#[derive(Debug, Default)]
pub struct Sources {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The process's environment.
    pub environment: BTreeMap<String, String>,
    /// Settings given as flags: name in the file, value.
    pub flags: Vec<(&'static str, String)>,
}

/// Where the keyring comes from.
#[derive(Clone)]
pub enum KeySource {
    /// A file in the data directory, created when there is none.
    DataDirectory,
    File(PathBuf),
    /// A program and its arguments; it prints the keyring.
    Command(Vec<String>),
    /// The keyring itself, from the environment.
    Keyring(SecretString),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDirectory => out.write_str("DataDirectory"),
            Self::File(path) => write!(out, "File({})", path.display()),
            Self::Command(_) => out.write_str("Command(hidden)"),
            Self::Keyring(_) => out.write_str("Keyring(hidden)"),
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// Where the console and the API are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serve {
    pub listen: SocketAddr,
    /// The address that browsers use, when it is another one than `listen`: without a slash at its end.
    pub public_url: Option<Url>,
    /// So many streams run at once in this process.
    pub workers: usize,
    /// So many of them at once in one org, over all processes.
    pub runs_per_org: usize,
}

/// How long the control store keeps what runs leave behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    pub runs: Duration,
    /// What was read of records and values that could not be written.
    pub rejected: Duration,
}

/// How copies are held against their org by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verifying {
    pub every: Duration,
    pub depth: Depth,
    /// What differs is put right.
    pub repair: bool,
    /// None begins while more of the org's daily API calls are used than this, in percent.
    pub below_percent: u64,
}

/// A run begins no further range of a sweep after so long: what its stream is scheduled for comes first.
const SWEEP_TURN: Duration = Duration::from_secs(300);

/// The whole configuration, checked.
#[derive(Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    /// A person has named the data directory.
    pub data_dir_is_given: bool,
    pub database_url: Option<SecretString>,
    pub production: bool,
    pub key: KeySource,
    pub http: HttpConfig,
    /// Whom webhooks may be sent to, and which way.
    pub webhooks: Surroundings,
    pub serve: Serve,
    pub client_apps: ClientApps,
    /// An object with at least this many records is read by Bulk.
    pub bulk_threshold: u64,
    /// How far before the last stamp an incremental run begins.
    pub overlap: Duration,
    /// How long a describe is believed.
    pub describe_life: Duration,
    /// How often an object's log of deletions is asked.
    pub deletions_every: Duration,
    /// When columns are read again whose values change without moving a stamp; `None`: never.
    pub refresh: Option<Refresh>,
    /// When rows are looked for whose records are gone; `None`: never.
    pub sweep: Option<Sweep>,
    /// Rows that a sweep holds against the org at once.
    pub sweep_range_rows: usize,
    /// When copies are held against their org by themselves; `None`: never.
    pub verify: Option<Verifying>,
    /// Work that can wait is done only while less than this of a budget of API calls, and of the org's quota, is used.
    pub background_percent: u64,
    /// How much of each org's API quota may be taken.
    pub quota: Rules,
    pub retention: Retention,
    pub log_level: tracing::Level,
    pub log_format: LogFormat,
}

impl Config {
    /// Reads and checks everything that is set.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut values = Values::default();
        if let Some(file) = file(sources)? {
            values.read_file(&file)?;
        }
        values.read_environment(&sources.environment)?;
        for (name, value) in &sources.flags {
            values.set(name, value, Origin::Flag(name))?;
        }
        Self::check(&values, &sources.environment)
    }

    fn check(values: &Values, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let data_dir = match values.path("data_dir") {
            Some(path) => path,
            None => base_directory(environment, "XDG_DATA_HOME", ".local/share").ok_or(ConfigError::NoHome)?,
        };
        let data_dir = std::path::absolute(&data_dir).unwrap_or(data_dir);
        let production = values.flag("production").unwrap_or(false);
        let http = http(values)?;
        let config = Self {
            data_dir_is_given: values.path("data_dir").is_some(),
            key: key_source(values, environment)?,
            webhooks: webhooks(values, &http)?,
            http,
            serve: serve(values)?,
            client_apps: client_apps(values, environment)?,
            database_url: values.text("database_url").map(SecretString::from),
            bulk_threshold: values.number("read.bulk_threshold").unwrap_or(10_000),
            overlap: Duration::from_secs(values.number("read.overlap_seconds").unwrap_or(600)),
            describe_life: minutes(values.number("read.describe_minutes").unwrap_or(10)),
            deletions_every: minutes(values.number("read.deletions_minutes").unwrap_or(60)),
            refresh: refresh(values)?,
            sweep: sweep(values)?,
            sweep_range_rows: sweep_range_rows(values)?,
            verify: verifying(values)?,
            background_percent: percent(values, "read.refresh_below_percent", 50)?,
            quota: quota(values)?,
            retention: Retention {
                runs: days(values.number("retention.runs_days").unwrap_or(90)),
                rejected: days(values.number("retention.rejected_days").unwrap_or(30)),
            },
            log_level: level(values)?,
            log_format: match values.text("log.format").as_deref() {
                None | Some("text") => LogFormat::Text,
                Some("json") => LogFormat::Json,
                Some(_) => return Err(values.invalid("log.format", "it is `text` or `json`")),
            },
            data_dir,
            production,
        };
        if production { config.admit_for_production() } else { Ok(config) }
    }

    fn admit_for_production(self) -> Result<Self, ConfigError> {
        if !self.http.mapped_hosts.is_empty() {
            return Err(ConfigError::MappedInProduction);
        }
        if self.webhooks.policy.allow_http {
            return Err(ConfigError::PlainWebhooksInProduction);
        }
        match &self.key {
            KeySource::DataDirectory => Err(ConfigError::NoKeyInProduction),
            KeySource::File(path) if lies_in(path, &self.data_dir) => {
                Err(ConfigError::KeyBesideDataInProduction { path: path.clone() })
            }
            KeySource::File(_) | KeySource::Command(_) | KeySource::Keyring(_) => Ok(self),
        }
    }

    /// The address that a person's browser comes back to from Salesforce; it is registered in client apps.
    pub fn callback_url(&self) -> String {
        match &self.serve.public_url {
            Some(url) => format!("{}/oauth/callback", url.as_str().trim_end_matches('/')),
            None => format!("http://localhost:{}/oauth/callback", self.serve.listen.port()),
        }
    }

    /// The control store's file, unless a database URL is set.
    pub fn store_file(&self) -> PathBuf {
        self.data_dir.join("control.sqlite")
    }

    /// Where a connection's rows go unless told otherwise. Names of connections are safe as file names.
    pub fn default_database(&self, connection: &str) -> PathBuf {
        self.data_dir.join(format!("{connection}.db"))
    }
}

/// Both paths with their links resolved, as far as they exist.
fn lies_in(path: &Path, directory: &Path) -> bool {
    let resolve = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    match (resolve(path), resolve(directory)) {
        (Ok(path), Ok(directory)) => path.starts_with(directory),
        _ => path.starts_with(directory),
    }
}

/// The file that is read: a named one has to exist, the default one may be absent.
fn file(sources: &Sources) -> Result<Option<PathBuf>, ConfigError> {
    let named = sources.file.clone().or_else(|| sources.environment.get("ORGTIDE_CONFIG").map(PathBuf::from));
    if let Some(path) = named {
        return match path.metadata() {
            Ok(_) => Ok(Some(path)),
            Err(error) => Err(ConfigError::Unreadable { path, reason: error.to_string() }),
        };
    }
    let default = base_directory(&sources.environment, "XDG_CONFIG_HOME", ".config");
    Ok(default.map(|directory| directory.join("config.toml")).filter(|path| path.exists()))
}

/// A directory of ours by the XDG Base Directory Specification 0.8: an absolute variable, else below the home directory.
fn base_directory(environment: &BTreeMap<String, String>, variable: &str, below_home: &str) -> Option<PathBuf> {
    let given = environment.get(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = environment.get("HOME").filter(|home| !home.is_empty());
    Some(given.or_else(|| home.map(|home| Path::new(home).join(below_home)))?.join("orgtide"))
}

fn key_source(values: &Values, environment: &BTreeMap<String, String>) -> Result<KeySource, ConfigError> {
    let file = values.path("key.file").map(KeySource::File);
    let command = values.list("key.command").filter(|words| !words.is_empty()).map(KeySource::Command);
    let keyring = environment.get("ORGTIDE_KEY").map(|keyring| KeySource::Keyring(keyring.as_str().into()));
    let mut given = [file, command, keyring].into_iter().flatten();
    match (given.next(), given.next()) {
        (None, _) => Ok(KeySource::DataDirectory),
        (Some(source), None) => Ok(source),
        (Some(_), Some(_)) => Err(ConfigError::TwoKeys),
    }
}

fn serve(values: &Values) -> Result<Serve, ConfigError> {
    let listen = values.text("serve.listen").unwrap_or_else(|| "127.0.0.1:8723".to_owned());
    let listen =
        listen.parse().map_err(|_| values.invalid("serve.listen", "it is no socket address such as 127.0.0.1:8723"))?;
    let is_usable = |url: &Url| {
        url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && (url.scheme() == "https" || (url.scheme() == "http" && is_this_machine(url)))
    };
    let public_url = values
        .text("serve.public_url")
        .map(|text| Url::parse(&text).ok().filter(is_usable))
        .map(|url| {
            let reason = "it is no address such as https://orgtide.example.com (http:// is for localhost alone, as \
                 Salesforce sends nobody back to another one)";
            url.ok_or_else(|| values.invalid("serve.public_url", reason))
        })
        .transpose()?;
    let workers = small_number(values, "serve.workers", 4)?;
    let runs_per_org = small_number(values, "serve.runs_per_org", 2)?;
    Ok(Serve { listen, public_url, workers, runs_per_org })
}

/// A number from 1 to 100.
fn small_number(values: &Values, name: &str, default: usize) -> Result<usize, ConfigError> {
    let given = values.number(name).map_or(Some(default), |number| usize::try_from(number).ok());
    given.filter(|number| (1..=100).contains(number)).ok_or_else(|| values.invalid(name, "it is between 1 and 100"))
}

fn is_this_machine(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

fn client_apps(values: &Values, environment: &BTreeMap<String, String>) -> Result<ClientApps, ConfigError> {
    match values.sections("client_apps") {
        Some((table, origin, directory)) => {
            ClientApps::read(table, &origin, directory, host_rules(values), environment)
        }
        None => Ok(ClientApps::default()),
    }
}

fn host_rules(values: &Values) -> HostRules {
    HostRules {
        alternative_domains: values.flag("alternative_domains").unwrap_or(false),
        legacy_instance_hosts: values.flag("legacy_instance_hosts").unwrap_or(false),
    }
}

fn proxy(values: &Values, name: &str) -> Result<Option<Url>, ConfigError> {
    values
        .text(name)
        .map(|text| Url::parse(&text).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https")))
        .map(|url| url.ok_or_else(|| values.invalid(name, "it is no URL such as http://proxy.internal:3128")))
        .transpose()
}

fn http(values: &Values) -> Result<HttpConfig, ConfigError> {
    let proxy = proxy(values, "http.proxy")?;
    let authorities = values.paths("http.extra_ca").into_iter().chain(values.path("mapped_hosts.ca"));
    let extra_ca_pem = authorities
        .map(|path| match std::fs::read_to_string(&path) {
            Ok(pem) => Ok(pem),
            Err(error) => Err(ConfigError::Unreadable { path, reason: error.to_string() }),
        })
        .collect::<Result<_, _>>()?;
    let host_rules = host_rules(values);
    let compression = values.flag("http.compression").unwrap_or(true);
    let mapped_hosts = mapped_hosts(values)?;
    Ok(HttpConfig { proxy, extra_ca_pem, mapped_hosts, host_rules, compression, ..HttpConfig::default() })
}

fn webhooks(values: &Values, http: &HttpConfig) -> Result<Surroundings, ConfigError> {
    let read = |text: &String| {
        text.trim().parse::<Network>().map_err(|error| values.invalid("webhook.allow", format!("{text:?}: {error}")))
    };
    let allow = values.list("webhook.allow").unwrap_or_default().iter().map(read).collect::<Result<_, _>>()?;
    let policy = Policy { allow, allow_http: values.flag("webhook.allow_http").unwrap_or(false) };
    let proxy = proxy(values, "webhook.proxy")?;
    Ok(Surroundings { policy, extra_ca_pem: http.extra_ca_pem.clone(), proxy, ..Surroundings::default() })
}

fn mapped_hosts(values: &Values) -> Result<Vec<MappedHost>, ConfigError> {
    let Some(Given::Pairs(pairs)) = values.get("mapped_hosts.hosts") else { return Ok(Vec::new()) };
    let map = |(host, address): &(String, String)| match address.parse::<SocketAddr>() {
        Ok(address) => Ok(MappedHost { host: host.to_ascii_lowercase(), address }),
        Err(_) => {
            let reason = format!("{address:?} is no socket address such as 127.0.0.1:8443");
            Err(values.invalid("mapped_hosts.hosts", reason))
        }
    };
    pairs.iter().map(map).collect()
}

fn minutes(number: u64) -> Duration {
    Duration::from_secs(number.saturating_mul(60))
}

fn days(number: u64) -> Duration {
    Duration::from_secs(number.saturating_mul(24 * 60 * 60))
}

fn hours(number: u64) -> Duration {
    Duration::from_secs(number.saturating_mul(3600))
}

/// `None` where it is switched off.
fn refresh(values: &Values) -> Result<Option<Refresh>, ConfigError> {
    let every = hours(values.number("read.refresh_hours").unwrap_or(24));
    let below_percent = percent(values, "read.refresh_below_percent", 50)?;
    Ok((!every.is_zero()).then_some(Refresh { every, below_percent }))
}

/// `None` where it is switched off.
fn sweep(values: &Values) -> Result<Option<Sweep>, ConfigError> {
    let every = hours(values.number("read.sweep_hours").unwrap_or(168));
    let below_percent = percent(values, "read.refresh_below_percent", 50)?;
    let range_rows = sweep_range_rows(values)?;
    Ok((!every.is_zero()).then_some(Sweep { every, below_percent, turn: SWEEP_TURN, range_rows }))
}

fn sweep_range_rows(values: &Values) -> Result<usize, ConfigError> {
    let rows = values.number("read.sweep_range_rows").unwrap_or(250_000);
    let rows = usize::try_from(rows).ok().filter(|rows| *rows > 0);
    rows.ok_or_else(|| values.invalid("read.sweep_range_rows", "it is at least 1"))
}

/// `None` where it is switched off.
fn verifying(values: &Values) -> Result<Option<Verifying>, ConfigError> {
    let every = hours(values.number("verify.every_hours").unwrap_or(168));
    let depth = match values.text("verify.depth").as_deref() {
        None | Some("versions") => Depth::Versions,
        Some("content") => Depth::Content,
        Some(_) => return Err(values.invalid("verify.depth", "it is `versions` or `content`")),
    };
    let repair = values.flag("verify.repair").unwrap_or(false);
    let below_percent = percent(values, "verify.below_percent", 50)?;
    Ok((!every.is_zero()).then_some(Verifying { every, depth, repair, below_percent }))
}

/// How much of each org's API quota may be taken.
fn quota(values: &Values) -> Result<Rules, ConfigError> {
    let default = Rules::default();
    Ok(Rules {
        share_percent: percent(values, "quota.share_percent", default.share_percent)?,
        reserve_percent: percent(values, "quota.reserve_percent", default.reserve_percent)?,
        daily_calls: values.number("quota.daily_calls"),
        daily_bulk_jobs: values.number("quota.daily_bulk_jobs"),
    })
}

/// A share in percent.
fn percent(values: &Values, name: &str, default: u64) -> Result<u64, ConfigError> {
    let given = values.number(name).unwrap_or(default);
    if given > 100 { Err(values.invalid(name, "it is a share in percent, 0 to 100")) } else { Ok(given) }
}

fn level(values: &Values) -> Result<tracing::Level, ConfigError> {
    let Some(text) = values.text("log.level") else { return Ok(tracing::Level::WARN) };
    text.parse().map_err(|_| values.invalid("log.level", "it is error, warn, info, debug or trace"))
}
