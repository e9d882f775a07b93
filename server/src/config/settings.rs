//! The table of all settings, and their values as far as they are given.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use super::{error::ConfigError, spelling};

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Path,
    Flag,
    Number,
    /// In the environment: separated by spaces.
    Words,
    /// In the environment: separated by commas.
    Paths,
    /// In the environment: `name=value`, separated by commas.
    Pairs,
    /// Sections below this one; in the file alone.
    Sections,
}

struct Setting {
    /// The name in the file, with its section.
    name: &'static str,
    variable: &'static str,
    kind: Kind,
}

const SETTINGS: &[Setting] = &[
    Setting { name: "data_dir", variable: "ORGTIDE_DATA_DIR", kind: Kind::Path },
    Setting { name: "database_url", variable: "ORGTIDE_DATABASE_URL", kind: Kind::Text },
    Setting { name: "production", variable: "ORGTIDE_PRODUCTION", kind: Kind::Flag },
    Setting { name: "alternative_domains", variable: "ORGTIDE_ALTERNATIVE_DOMAINS", kind: Kind::Flag },
    Setting { name: "legacy_instance_hosts", variable: "ORGTIDE_LEGACY_INSTANCE_HOSTS", kind: Kind::Flag },
    Setting { name: "key.file", variable: "ORGTIDE_KEY_FILE", kind: Kind::Path },
    Setting { name: "key.command", variable: "ORGTIDE_KEY_COMMAND", kind: Kind::Words },
    Setting { name: "http.proxy", variable: "ORGTIDE_PROXY", kind: Kind::Text },
    Setting { name: "http.extra_ca", variable: "ORGTIDE_EXTRA_CA", kind: Kind::Paths },
    Setting { name: "http.compression", variable: "ORGTIDE_COMPRESSION", kind: Kind::Flag },
    Setting { name: "mapped_hosts.hosts", variable: "ORGTIDE_MAPPED_HOSTS", kind: Kind::Pairs },
    Setting { name: "mapped_hosts.ca", variable: "ORGTIDE_MAPPED_HOSTS_CA", kind: Kind::Path },
    Setting { name: "webhook.allow", variable: "ORGTIDE_WEBHOOK_ALLOW", kind: Kind::Paths },
    Setting { name: "webhook.allow_http", variable: "ORGTIDE_WEBHOOK_ALLOW_HTTP", kind: Kind::Flag },
    Setting { name: "webhook.proxy", variable: "ORGTIDE_WEBHOOK_PROXY", kind: Kind::Text },
    Setting { name: "serve.listen", variable: "ORGTIDE_LISTEN", kind: Kind::Text },
    Setting { name: "serve.public_url", variable: "ORGTIDE_PUBLIC_URL", kind: Kind::Text },
    Setting { name: "serve.workers", variable: "ORGTIDE_WORKERS", kind: Kind::Number },
    Setting { name: "serve.runs_per_org", variable: "ORGTIDE_RUNS_PER_ORG", kind: Kind::Number },
    Setting { name: "client_apps", variable: "", kind: Kind::Sections },
    Setting { name: "read.bulk_threshold", variable: "ORGTIDE_BULK_THRESHOLD", kind: Kind::Number },
    Setting { name: "read.overlap_seconds", variable: "ORGTIDE_OVERLAP_SECONDS", kind: Kind::Number },
    Setting { name: "read.deletions_minutes", variable: "ORGTIDE_DELETIONS_MINUTES", kind: Kind::Number },
    Setting { name: "read.refresh_hours", variable: "ORGTIDE_REFRESH_HOURS", kind: Kind::Number },
    Setting { name: "read.refresh_below_percent", variable: "ORGTIDE_REFRESH_BELOW_PERCENT", kind: Kind::Number },
    Setting { name: "read.sweep_hours", variable: "ORGTIDE_SWEEP_HOURS", kind: Kind::Number },
    Setting { name: "read.sweep_range_rows", variable: "ORGTIDE_SWEEP_RANGE_ROWS", kind: Kind::Number },
    Setting { name: "read.describe_minutes", variable: "ORGTIDE_DESCRIBE_MINUTES", kind: Kind::Number },
    Setting { name: "verify.every_hours", variable: "ORGTIDE_VERIFY_EVERY_HOURS", kind: Kind::Number },
    Setting { name: "verify.depth", variable: "ORGTIDE_VERIFY_DEPTH", kind: Kind::Text },
    Setting { name: "verify.repair", variable: "ORGTIDE_VERIFY_REPAIR", kind: Kind::Flag },
    Setting { name: "verify.below_percent", variable: "ORGTIDE_VERIFY_BELOW_PERCENT", kind: Kind::Number },
    Setting { name: "quota.share_percent", variable: "ORGTIDE_QUOTA_SHARE_PERCENT", kind: Kind::Number },
    Setting { name: "quota.reserve_percent", variable: "ORGTIDE_QUOTA_RESERVE_PERCENT", kind: Kind::Number },
    Setting { name: "quota.daily_calls", variable: "ORGTIDE_QUOTA_DAILY_CALLS", kind: Kind::Number },
    Setting { name: "quota.daily_bulk_jobs", variable: "ORGTIDE_QUOTA_DAILY_BULK_JOBS", kind: Kind::Number },
    Setting { name: "retention.runs_days", variable: "ORGTIDE_RETENTION_RUNS_DAYS", kind: Kind::Number },
    Setting { name: "retention.rejected_days", variable: "ORGTIDE_RETENTION_REJECTED_DAYS", kind: Kind::Number },
    Setting { name: "log.level", variable: "ORGTIDE_LOG_LEVEL", kind: Kind::Text },
    Setting { name: "log.format", variable: "ORGTIDE_LOG_FORMAT", kind: Kind::Text },
];

/// Variables of ours that are no settings: where the file is, and what `connect` asks for,
/// and the secret of webhooks.
const OTHER_VARIABLES: &[&str] = &[
    "ORGTIDE_CONFIG",
    "ORGTIDE_KEY",
    "ORGTIDE_CLIENT_ID",
    "ORGTIDE_CLIENT_SECRET",
    "ORGTIDE_PASSWORD",
    "ORGTIDE_SECURITY_TOKEN",
    "ORGTIDE_REFRESH_TOKEN",
    "ORGTIDE_PRIVATE_KEY",
    "ORGTIDE_WEBHOOK_SECRET",
];

/// Variables that are not for this program: those of tests, proofs and measurements, and those that Kubernetes sets in every
/// container beside a service named `orgtide` (Kubernetes documentation, *Service*, environment variables).
const FOREIGN_PREFIXES: &[&str] =
    &["ORGTIDE_TEST_", "ORGTIDE_PROOF", "ORGTIDE_BENCH", "ORGTIDE_SERVICE_", "ORGTIDE_PORT"];

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    File(PathBuf),
    Variable(&'static str),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "{}", path.display()),
            Self::Variable(name) => write!(out, "the environment variable {name}"),
            Self::Flag(name) => write!(out, "the flag for {name}"),
        }
    }
}

/// A value that was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    Text(String),
    Flag(bool),
    Number(u64),
    List(Vec<String>),
    Pairs(Vec<(String, String)>),
    Sections(toml::Table),
}

/// All values that were given; of several for one setting, the last.
#[derive(Debug, Default)]
pub(super) struct Values {
    given: BTreeMap<&'static str, (Given, Origin)>,
}

impl Values {
    pub(super) fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), reason: error.to_string() })?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
            path: path.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        })?;
        self.read_table("", &table, &Origin::File(path.to_owned()))
    }

    fn read_table(&mut self, section: &str, table: &toml::Table, origin: &Origin) -> Result<(), ConfigError> {
        for (key, value) in table {
            let name = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
            match (SETTINGS.iter().find(|setting| setting.name == name), value) {
                (Some(setting), value) => {
                    let given = from_toml(setting.kind, value).map_err(|reason| invalid(origin, &name, reason))?;
                    self.given.insert(setting.name, (given, origin.clone()));
                }
                (None, toml::Value::Table(inner)) if is_section(&name) => self.read_table(&name, inner, origin)?,
                (None, _) => return Err(unknown(origin.to_string(), &name, SETTINGS.iter().map(|s| s.name))),
            }
        }
        Ok(())
    }

    pub(super) fn read_environment(&mut self, environment: &BTreeMap<String, String>) -> Result<(), ConfigError> {
        for (variable, text) in environment.iter().filter(|(variable, _)| variable.starts_with("ORGTIDE_")) {
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.variable == variable) {
                self.set(setting.name, text, Origin::Variable(setting.variable))?;
            } else if !OTHER_VARIABLES.contains(&variable.as_str())
                && !FOREIGN_PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
            {
                let known = SETTINGS.iter().map(|setting| setting.variable).chain(OTHER_VARIABLES.iter().copied());
                return Err(unknown("the environment".into(), variable, known));
            }
        }
        Ok(())
    }

    /// Sets a value from its text.
    pub(super) fn set(&mut self, name: &'static str, text: &str, origin: Origin) -> Result<(), ConfigError> {
        let setting = SETTINGS.iter().find(|setting| setting.name == name);
        let setting = setting.expect("flags and variables name settings of the table");
        let given = from_text(setting.kind, text).map_err(|reason| invalid(&origin, name, reason))?;
        self.given.insert(setting.name, (given, origin));
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Given> {
        self.given.get(name).map(|(given, _)| given)
    }

    /// A text; an empty one counts as not given.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Some(Given::Text(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Some(Given::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Given::Number(number)) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn list(&self, name: &str) -> Option<Vec<String>> {
        match self.get(name) {
            Some(Given::List(list)) => Some(list.clone()),
            _ => None,
        }
    }

    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(|text| self.resolve(name, &text))
    }

    pub(super) fn paths(&self, name: &str) -> Vec<PathBuf> {
        self.list(name).unwrap_or_default().iter().map(|text| self.resolve(name, text)).collect()
    }

    /// Sections, where they were given, and the directory that relative paths in them start from.
    pub(super) fn sections(&self, name: &str) -> Option<(&toml::Table, String, &Path)> {
        let (given, origin) = self.given.get(name)?;
        let (Given::Sections(table), Origin::File(file)) = (given, origin) else { return None };
        Some((table, origin.to_string(), file.parent().unwrap_or(Path::new(""))))
    }

    /// A relative path of a file starts from the file's directory.
    fn resolve(&self, name: &str, path: &str) -> PathBuf {
        match self.given.get(name).map(|(_, origin)| origin) {
            Some(Origin::File(file)) => file.parent().unwrap_or(Path::new("")).join(path),
            _ => PathBuf::from(path),
        }
    }

    /// The error for a value that was given and cannot be used.
    pub(super) fn invalid(&self, name: &str, reason: impl Into<String>) -> ConfigError {
        let origin = self.given.get(name).map(|(_, origin)| origin.to_string()).unwrap_or_default();
        ConfigError::Invalid { origin, name: name.to_owned(), reason: reason.into() }
    }
}

fn is_section(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name.split_once('.').is_some_and(|(section, _)| section == name))
}

fn invalid(origin: &Origin, name: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Invalid { origin: origin.to_string(), name: name.to_owned(), reason: reason.into() }
}

fn unknown<'a>(origin: String, name: &str, known: impl Iterator<Item = &'a str>) -> ConfigError {
    let suggestion = spelling::closest(name, known).map(str::to_owned);
    ConfigError::Unknown { origin, name: name.to_owned(), suggestion }
}

fn from_toml(kind: Kind, value: &toml::Value) -> Result<Given, &'static str> {
    use toml::Value;
    match (kind, value) {
        (Kind::Text | Kind::Path, Value::String(text)) => Ok(Given::Text(text.clone())),
        (Kind::Flag, Value::Boolean(flag)) => Ok(Given::Flag(*flag)),
        (Kind::Number, Value::Integer(number)) => {
            u64::try_from(*number).map(Given::Number).map_err(|_| "it cannot be negative")
        }
        (Kind::Words | Kind::Paths, Value::Array(items)) => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<_>>();
            texts.map(Given::List).ok_or(expected(kind))
        }
        (Kind::Pairs, Value::Table(table)) => {
            let pairs = table.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
            pairs.collect::<Option<_>>().map(Given::Pairs).ok_or(expected(kind))
        }
        (Kind::Sections, Value::Table(table)) => Ok(Given::Sections(table.clone())),
        _ => Err(expected(kind)),
    }
}

fn from_text(kind: Kind, text: &str) -> Result<Given, &'static str> {
    let parts = |separator: char| text.split(separator).map(str::trim).filter(|part| !part.is_empty());
    match kind {
        Kind::Text | Kind::Path => Ok(Given::Text(text.to_owned())),
        Kind::Flag => match text {
            "true" | "1" => Ok(Given::Flag(true)),
            "false" | "0" | "" => Ok(Given::Flag(false)),
            _ => Err(expected(kind)),
        },
        Kind::Number => text.parse().map(Given::Number).map_err(|_| expected(kind)),
        Kind::Words => Ok(Given::List(parts(' ').map(str::to_owned).collect())),
        Kind::Paths => Ok(Given::List(parts(',').map(str::to_owned).collect())),
        Kind::Pairs => parts(',')
            .map(|pair| pair.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())))
            .collect::<Option<_>>()
            .map(Given::Pairs)
            .ok_or("pairs of host=address, separated by commas, are expected"),
        Kind::Sections => Err(expected(kind)),
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Path => "a text is expected",
        Kind::Flag => "true or false is expected",
        Kind::Number => "a whole number is expected",
        Kind::Words | Kind::Paths => "a list of texts is expected",
        Kind::Pairs => "a table of host = \"address\" is expected",
        Kind::Sections => "sections in the configuration file are expected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_and_its_variable_stand_in_the_reference_page() {
        for setting in SETTINGS.iter().filter(|setting| setting.kind != Kind::Sections) {
            let key = setting.name.rsplit('.').next().unwrap_or_default();
            assert!(super::super::REFERENCE.contains(&format!("{key} = ")), "{}", setting.name);
            assert!(super::super::REFERENCE.contains(setting.variable), "{}", setting.variable);
        }
    }
}
