//! Which database, schema and tables; and where the password is.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sync::destination::DestinationError;
use tokio_postgres::{Config, config::Host};

use super::{name::identifier, password::PasswordSource, tls::Verification};

/// Stands for the connection's name in `schema` and `prefix`.
const CONNECTION: &str = "{connection}";
/// What has a meaning of its own in the query of a URL.
const RESERVED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'&').add(b'+').add(b'<').add(b'>');
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that is silently gone is noticed after about two minutes.
const KEEPALIVE: Duration = Duration::from_secs(30);
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(120);

/// Which database, and how it is written; see [`PostgresSettings::parse`].
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// Server, user and database, without what is Orgtide's own and without a password.
    url: String,
    config: Config,
    /// Where the tables are; [`CONNECTION`] in it is the connection's name.
    schema: String,
    /// What the tables' names begin with; [`CONNECTION`] in it is the connection's name.
    prefix: String,
    password: PasswordSource,
    verification: Verification,
    /// How long to wait for a lock that another program holds.
    pub lock_timeout: Duration,
}

/// A parameter of the address that is Orgtide's own.
#[derive(Debug, Clone, Copy)]
enum Own {
    Schema,
    Prefix,
    PasswordEnv,
    Passfile,
    SslMode,
    SslRootCert,
}

const OWN: [(&str, Own); 6] = [
    ("schema", Own::Schema),
    ("prefix", Own::Prefix),
    ("password_env", Own::PasswordEnv),
    ("passfile", Own::Passfile),
    ("sslmode", Own::SslMode),
    ("sslrootcert", Own::SslRootCert),
];

impl PostgresSettings {
    /// Reads `postgres://user@host:5432/database?schema=sales&prefix=acme_`. Further parameters are PostgreSQL's own,
    /// such as `host=/run/postgresql` for a socket.
    ///
    /// # Errors
    /// A parameter is unknown, or the address contains a password: it is stored and shown.
    pub fn parse(text: &str) -> Result<Self, DestinationError> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match OWN.iter().find(|(known, _)| *known == name) {
                Some((_, parameter)) => own.push((*parameter, decoded(value)?)),
                None => others.push(parameter),
            }
        }
        let url = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
        let mut settings = Self {
            config: config(&url, &others)?,
            url,
            schema: "public".to_owned(),
            prefix: String::new(),
            password: PasswordSource::default(),
            verification: Verification::default(),
            lock_timeout: Duration::from_secs(30),
        };
        for (parameter, value) in own {
            settings.take(parameter, value)?;
        }
        settings.verification.apply(&mut settings.config);
        Ok(settings)
    }

    fn take(&mut self, parameter: Own, value: String) -> Result<(), DestinationError> {
        match parameter {
            Own::Schema if value.is_empty() => return Err(unusable("schema= needs a name".to_owned())),
            Own::Schema => self.schema = value,
            Own::Prefix => self.prefix = value,
            Own::PasswordEnv => self.password = PasswordSource::Variable(value),
            Own::Passfile => self.password = PasswordSource::File(PathBuf::from(value)),
            Own::SslMode => self.verification.take_mode(&value).map_err(unusable)?,
            Own::SslRootCert => self.verification.roots = Some(PathBuf::from(value)),
        }
        Ok(())
    }

    /// The same with paths that mean the same from any working directory.
    #[must_use]
    pub fn absolute(mut self) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if let PasswordSource::File(path) = &mut self.password {
            *path = absolute(path);
        }
        if let Some(path) = &mut self.verification.roots {
            *path = absolute(path);
        }
        self
    }

    /// The schema that holds a connection's tables.
    pub fn schema_of(&self, connection: &str) -> String {
        identifier(&self.schema.replace(CONNECTION, connection)).into_owned()
    }

    /// What a table of a connection is called.
    pub fn table_of(&self, connection: &str, table: &str) -> String {
        let prefix = self.prefix.replace(CONNECTION, connection);
        identifier(&format!("{prefix}{table}")).into_owned()
    }

    /// The database, as messages name it.
    pub(super) fn place(&self) -> String {
        format!("PostgreSQL database {}", database(&self.config))
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    pub(super) fn password(&self) -> &PasswordSource {
        &self.password
    }

    pub(super) fn verification(&self) -> &Verification {
        &self.verification
    }
}

impl FromStr for PostgresSettings {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        Self::parse(text)
    }
}

impl fmt::Display for PostgresSettings {
    /// Writes what [`PostgresSettings::parse`] reads.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut own = vec![("schema", self.schema.clone())];
        if !self.prefix.is_empty() {
            own.push(("prefix", self.prefix.clone()));
        }
        match &self.password {
            PasswordSource::Usual => {}
            PasswordSource::Variable(name) => own.push(("password_env", name.clone())),
            PasswordSource::File(path) => own.push(("passfile", path.display().to_string())),
        }
        own.extend(self.verification.parameters());
        out.write_str(&self.url)?;
        let mut separator = if self.url.contains('?') { '&' } else { '?' };
        for (name, value) in own {
            write!(out, "{separator}{name}={}", utf8_percent_encode(&value, RESERVED))?;
            separator = '&';
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PostgresSettings({self})")
    }
}

/// PostgreSQL's own part of the address.
fn config(url: &str, parameters: &[&str]) -> Result<Config, DestinationError> {
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        let known: Vec<&str> = OWN.iter().map(|(name, _)| *name).collect();
        unusable(format!(
            "{reason}; write postgres://user@host:5432/database, with PostgreSQL's parameters and: {}",
            known.join(", ")
        ))
    })?;
    if config.get_password().is_some() {
        return Err(unusable(
            "it contains a password, and addresses are stored and shown. Leave it out, and put the password into \
             ~/.pgpass, or into an environment variable that the address names: ?password_env=NAME"
                .to_owned(),
        ));
    }
    let has = |name: &str| parameters.iter().any(|parameter| parameter.starts_with(name));
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        config.host("localhost");
    }
    if !has("application_name=") {
        config.application_name("orgtide");
    }
    if !has("connect_timeout=") {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if !has("keepalives_idle=") {
        config.keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE).keepalives_retries(3);
    }
    if !has("tcp_user_timeout=") {
        config.tcp_user_timeout(ACKNOWLEDGED_WITHIN);
    }
    Ok(config)
}

fn decoded(value: &str) -> Result<String, DestinationError> {
    let text = percent_decode_str(value).decode_utf8();
    text.map(|text| text.into_owned()).map_err(|_| unusable(format!("{value:?} is no percent-encoded UTF-8")))
}

/// Never repeats the address: whoever mistypes one may have a password in it.
fn unusable(reason: String) -> DestinationError {
    DestinationError::Unusable { place: "the PostgreSQL address".to_owned(), reason }
}

/// Host and database, without the user.
fn database(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(folder)) => folder.display().to_string(),
        None => config.get_hostaddrs().first().map(ToString::to_string).unwrap_or_default(),
    };
    let port = config.get_ports().first().filter(|port| **port != 5432).map(|port| format!(":{port}"));
    let database = config.get_dbname().or(config.get_user()).unwrap_or("of the user");
    format!("{host}{}/{database}", port.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        PostgresSettings::parse(text).map_or_else(|error| error.to_string(), |settings| settings.to_string())
    }

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for (text, written) in [
            ("postgres://u@h/d", "postgres://u@h/d?schema=public"),
            ("postgres://u@h/d?schema=crm&prefix=acme_", "postgres://u@h/d?schema=crm&prefix=acme_"),
            (
                "postgres://u@h/d?passfile=/p%20q&connect_timeout=3&schema={connection}",
                "postgres://u@h/d?connect_timeout=3&schema={connection}&passfile=/p%20q",
            ),
            (
                "postgres://u@h/d?password_env=DB&sslmode=require",
                "postgres://u@h/d?schema=public&password_env=DB&sslmode=require",
            ),
        ] {
            assert_eq!(read(text), written);
            assert_eq!(read(written), written);
        }
    }

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        for text in
            ["postgres://u:hunter2@h/d", "postgres://h/d?password=hunter2", "postgres://u:hunter2@h/d?sslmode=no"]
        {
            let said = read(text);
            assert!(said.contains("~/.pgpass") && said.contains("password_env"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn what_an_address_cannot_say_is_refused_with_what_it_can() {
        assert!(read("postgres://u@h/d?shema=x").contains("shema"), "{}", read("postgres://u@h/d?shema=x"));
        assert!(read("postgres://u@h/d?schema=").contains("needs a name"));
        assert!(read("postgres://u@h/d?sslmode=maybe").contains("verify-full"));
        assert!(read("postgres://u@h:port/d").contains("postgres://user@host:5432/database"));
    }

    #[test]
    fn a_connection_has_a_schema_and_a_prefix_of_its_own_where_the_address_says_so() {
        let settings = PostgresSettings::parse("postgres://u@h/d?schema=sf_{connection}&prefix={connection}.").unwrap();
        assert_eq!(settings.schema_of("acme"), "sf_acme");
        assert_eq!(settings.table_of("acme", "Contact"), "acme.Contact");
        assert_eq!(settings.place(), "PostgreSQL database h/d");
        let socket = PostgresSettings::parse("postgres:///d?host=/run/postgresql&port=6000").unwrap();
        assert_eq!(socket.place(), "PostgreSQL database /run/postgresql:6000/d");
    }
}
