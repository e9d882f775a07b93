//! Where messages go, how large they are, and how often they are tried.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sync::destination::DestinationError;
use url::Url;

use super::{secret::SecretSource, surroundings::Surroundings};

/// What has a meaning of its own in the query of a URL.
const RESERVED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'&').add(b'+').add(b'<').add(b'>');

const SCHEME: &str = "webhook:";

/// What an answer has to be for a message to be taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Answers {
    /// Its status is 2xx, and its body does not say that something failed.
    #[default]
    Body,
    /// Its status is 2xx.
    Status,
}

/// Which receiver, and how it is sent to; see [`WebhookSettings::parse`].
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Without what is Orgtide's own.
    pub(super) url: Url,
    pub(super) secret: SecretSource,
    /// The ledger's file. Remembered streams always have one.
    pub(super) ledger: Option<PathBuf>,
    /// A message has so many rows at most.
    pub(super) max_rows: usize,
    /// Rows of a message have so many bytes together; a larger row goes alone.
    pub(super) max_bytes: usize,
    /// A message that is refused so often becomes a dead letter.
    pub(super) attempts: u32,
    /// So many dead letters in a row end the run.
    pub(super) max_dead: u32,
    /// How long a run waits for a receiver that does not take messages.
    pub(super) patience: Duration,
    /// How long a receiver has to answer.
    pub(super) timeout: Duration,
    pub(super) answers: Answers,
    pub(super) surroundings: Surroundings,
}

impl PartialEq for WebhookSettings {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for WebhookSettings {}

/// A parameter of the address that is Orgtide's own.
#[derive(Debug, Clone, Copy)]
enum Own {
    Ledger,
    SecretFile,
    SecretEnv,
    Rows,
    Bytes,
    Attempts,
    Dead,
    Patience,
    Timeout,
    Answers,
}

const OWN: [(&str, Own); 10] = [
    ("ledger", Own::Ledger),
    ("secret_file", Own::SecretFile),
    ("secret_env", Own::SecretEnv),
    ("rows", Own::Rows),
    ("bytes", Own::Bytes),
    ("attempts", Own::Attempts),
    ("dead", Own::Dead),
    ("patience", Own::Patience),
    ("timeout", Own::Timeout),
    ("answers", Own::Answers),
];

impl WebhookSettings {
    /// Reads `webhook:https://hooks.example.com/salesforce?secret_file=/run/secrets/hook&rows=100`. Further parameters
    /// are the receiver's own.
    ///
    /// # Errors
    /// It is no `https://` or `http://` address, has a password, or a value is none for its parameter.
    pub fn parse(text: &str) -> Result<Self, DestinationError> {
        let text = text.strip_prefix(SCHEME).unwrap_or(text);
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match OWN.iter().find(|(known, _)| *known == name) {
                Some((name, parameter)) => own.push((*name, *parameter, decoded(value)?)),
                None => others.push(parameter),
            }
        }
        let url = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
        let mut settings = Self {
            url: receiver(&url)?,
            secret: SecretSource::default(),
            ledger: None,
            max_rows: 500,
            max_bytes: 1024 * 1024,
            attempts: 3,
            max_dead: 100,
            patience: Duration::from_secs(300),
            timeout: Duration::from_secs(20),
            answers: Answers::default(),
            surroundings: Surroundings::default(),
        };
        for (name, parameter, value) in own {
            settings.take(name, parameter, value)?;
        }
        Ok(settings)
    }

    fn take(&mut self, name: &str, parameter: Own, value: String) -> Result<(), DestinationError> {
        let number = |range: std::ops::RangeInclusive<u32>| {
            let given = value.parse().ok().filter(|number| range.contains(number));
            given.ok_or_else(|| unusable(format!("{name}= is a number from {} to {}", range.start(), range.end())))
        };
        match parameter {
            Own::Ledger | Own::SecretFile | Own::SecretEnv if value.is_empty() => {
                return Err(unusable(format!("{name}= needs a name")));
            }
            Own::Ledger => self.ledger = Some(PathBuf::from(value)),
            Own::SecretFile => self.secret = SecretSource::File(PathBuf::from(value)),
            Own::SecretEnv => self.secret = SecretSource::Variable(value),
            Own::Rows => self.max_rows = number(1..=10_000)? as usize,
            Own::Bytes => self.max_bytes = number(1024..=16 * 1024 * 1024)? as usize,
            Own::Attempts => self.attempts = number(1..=100)?,
            Own::Dead => self.max_dead = number(1..=1_000_000)?,
            Own::Patience => self.patience = Duration::from_secs(number(0..=86_400)?.into()),
            Own::Timeout => self.timeout = Duration::from_secs(number(1..=300)?.into()),
            Own::Answers => {
                self.answers = match value.as_str() {
                    "body" => Answers::Body,
                    "status" => Answers::Status,
                    _ => return Err(unusable("answers= is body or status".to_owned())),
                }
            }
        }
        Ok(())
    }

    /// The same with paths that mean the same from any working directory.
    #[must_use]
    pub fn absolute(mut self) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if let SecretSource::File(path) = &mut self.secret {
            *path = absolute(path);
        }
        if let Some(path) = &mut self.ledger {
            *path = absolute(path);
        }
        self
    }

    /// The same with a ledger of its own in `folder`, unless the address names one. Another receiver has another ledger:
    /// each is told everything.
    #[must_use]
    pub fn with_ledger_in(mut self, folder: &Path, connection: &str) -> Self {
        if self.ledger.is_none() {
            let digest = ring::digest::digest(&ring::digest::SHA256, self.url.as_str().as_bytes());
            let [a, b, c, d] = digest.as_ref()[..4] else { unreachable!("a digest has 32 bytes") };
            let name = format!("{connection}.webhook-{a:02x}{b:02x}{c:02x}{d:02x}.db");
            self.ledger = Some(folder.join(name));
        }
        self
    }

    /// The same, reaching its receiver as the program around it may.
    #[must_use]
    pub fn within(mut self, surroundings: &Surroundings) -> Self {
        self.surroundings = surroundings.clone();
        self
    }

    /// The receiver, as messages name it: what a query holds may be its secret.
    pub fn place(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        format!("webhook {url}")
    }

    pub(super) fn unusable(&self, reason: String) -> DestinationError {
        DestinationError::Unusable { place: self.place(), reason }
    }
}

impl fmt::Display for WebhookSettings {
    /// Writes what [`WebhookSettings::parse`] reads.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = Self::parse("https://localhost").expect("a URL without parameters");
        let mut own: Vec<(&str, String)> = Vec::new();
        match &self.secret {
            SecretSource::Usual => {}
            SecretSource::Variable(name) => own.push(("secret_env", name.clone())),
            SecretSource::File(path) => own.push(("secret_file", path.display().to_string())),
        }
        own.extend(self.ledger.iter().map(|path| ("ledger", path.display().to_string())));
        let numbers = |settings: &Self| {
            [
                ("rows", settings.max_rows as u64),
                ("bytes", settings.max_bytes as u64),
                ("attempts", settings.attempts.into()),
                ("dead", settings.max_dead.into()),
                ("patience", settings.patience.as_secs()),
                ("timeout", settings.timeout.as_secs()),
            ]
        };
        let given = numbers(self).into_iter().zip(numbers(&usual)).filter(|(given, usual)| given != usual);
        own.extend(given.map(|((name, number), _)| (name, number.to_string())));
        if self.answers == Answers::Status {
            own.push(("answers", "status".to_owned()));
        }
        write!(out, "{SCHEME}{}", self.url)?;
        let mut separator = if self.url.query().is_some() { '&' } else { '?' };
        for (name, value) in own {
            write!(out, "{separator}{name}={}", utf8_percent_encode(&value, RESERVED))?;
            separator = '&';
        }
        Ok(())
    }
}

/// The receiver's address. What is wrong is not repeated: there may be a secret in it.
fn receiver(text: &str) -> Result<Url, DestinationError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    let url = url.ok_or_else(|| unusable("write webhook:https://<host>/<path>".to_owned()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable(
            "it contains a user or a password, and addresses are stored and shown: a receiver knows its messages by their \
             signature"
                .to_owned(),
        ));
    }
    if url.fragment().is_some() {
        return Err(unusable("what follows # in an address is never sent; leave it out".to_owned()));
    }
    Ok(url)
}

fn decoded(value: &str) -> Result<String, DestinationError> {
    let text = percent_decode_str(value).decode_utf8();
    text.map(Into::into).map_err(|_| unusable("a parameter is no UTF-8".to_owned()))
}

fn unusable(reason: String) -> DestinationError {
    DestinationError::Unusable { place: "the webhook's address".to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        WebhookSettings::parse(text).map_or_else(|error| error.to_string(), |settings| settings.to_string())
    }

    #[test]
    fn an_address_is_written_as_it_was_read_with_what_departs_from_the_usual() {
        for text in [
            "webhook:https://hooks.example.com/salesforce",
            "webhook:https://hooks.example.com/s?tenant=7&a=b%20c",
            "webhook:https://hooks.example.com/s?tenant=7&secret_file=/run/secrets/a%20b&ledger=/data/x.db",
            "webhook:https://hooks.example.com/s?secret_env=HOOK&rows=10&bytes=4096&attempts=1&dead=5&patience=0&timeout=5&answers=status",
        ] {
            assert_eq!(read(text), text);
        }
        assert_eq!(read("webhook:https://EXAMPLE.com?rows=500&answers=body"), "webhook:https://example.com/");
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_and_its_secrets_are_not() {
        for (text, words) in [
            ("webhook:", "webhook:https://"),
            ("webhook:ftp://h/", "webhook:https://"),
            ("webhook:hooks.example.com", "webhook:https://"),
            ("webhook:https://u:hunter2@h/", "a user or a password"),
            ("webhook:https://hunter2@h/", "a user or a password"),
            ("webhook:https://h/#hunter2", "never sent"),
            ("webhook:https://h/?rows=0", "rows= is a number from 1"),
            ("webhook:https://h/?timeout=hunter2", "timeout= is a number"),
            ("webhook:https://h/?answers=hunter2", "body or status"),
            ("webhook:https://h/?ledger=", "ledger= needs a name"),
            ("webhook:https://h/?ledger=%ff", "UTF-8"),
        ] {
            let said = read(text);
            assert!(said.contains(words) && !said.contains("hunter2"), "{text}: {said}");
        }
    }

    #[test]
    fn each_receiver_has_a_ledger_of_its_own_and_the_receivers_query_is_not_shown() {
        let settings = |text: &str| WebhookSettings::parse(text).unwrap().with_ledger_in(Path::new("/data"), "acme");
        let (one, other) = (settings("webhook:https://h/a?key=hunter2"), settings("webhook:https://h/b"));
        assert!(one.ledger.as_ref().unwrap().to_str().unwrap().starts_with("/data/acme.webhook-"));
        assert_ne!(one.ledger, other.ledger);
        assert_eq!(one.place(), "webhook https://h/a");
        assert_eq!(settings("webhook:https://h/a?ledger=/x.db").ledger, Some(PathBuf::from("/x.db")));
        assert_eq!(WebhookSettings::parse(&one.to_string()).unwrap(), one);
    }
}
