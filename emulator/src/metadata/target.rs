//! The org that a folder is deployed into, and what the parts of a deployment ask of it.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use super::oauth::blank;
use super::problem::{Position, Problems};
use crate::jwt::Certificate;
use crate::scenario::{AppKind, AppSpec, Setup, developer_name};
use crate::schema::Schema;
use crate::secret::Secret;

/// A name in a file, with its place.
pub(super) type Reference<'a> = (&'a str, Option<Position>);

/// Which app a file is about.
pub(super) struct Identity<'a> {
    pub(super) kind: AppKind,
    /// Its API name.
    pub(super) name: &'a str,
    pub(super) label: Option<&'a str>,
    /// The file that may choose the consumer key.
    pub(super) file: &'a Path,
    pub(super) key: Option<Reference<'a>>,
}

/// The changed configuration, and what speaks against it.
pub(super) struct Target<'a> {
    pub(super) setup: Setup,
    pub(super) schema: &'a Schema,
    /// Keys and secrets that the org makes up follow from it.
    pub(super) seed: u64,
    pub(super) problems: Problems,
}

impl Target<'_> {
    /// The key of a permission set by its API name.
    pub(super) fn permission_set(&self, name: &str) -> Option<String> {
        key_of(self.setup.permission_sets.keys(), name)
    }

    /// The place of an app by its API name.
    pub(super) fn app(&self, kind: AppKind, name: &str) -> Option<usize> {
        let is_named = |app: &AppSpec| app.name == name || developer_name(&app.name) == name;
        self.setup.apps.iter().position(|app| app.kind == kind && is_named(app))
    }

    /// Puts an app where it was, or behind the others.
    pub(super) fn put(&mut self, place: Option<usize>, app: AppSpec) {
        match place.and_then(|place| self.setup.apps.get_mut(place)) {
            Some(known) => *known = app,
            None => self.setup.apps.push(app),
        }
    }

    /// Permission sets that a file assigns to an app.
    pub(super) fn permission_sets(&mut self, file: &Path, field: &str, names: Vec<Reference<'_>>) -> Vec<String> {
        self.resolve(file, field, "PermissionSet", names, Self::permission_set)
    }

    /// Profiles that a file assigns to an app.
    pub(super) fn profiles(&mut self, file: &Path, field: &str, names: Vec<Reference<'_>>) -> Vec<String> {
        self.resolve(file, field, "Profile", names, |target, name| key_of(target.setup.profiles.keys(), name))
    }

    fn resolve(
        &mut self,
        file: &Path,
        field: &str,
        of: &str,
        names: Vec<Reference<'_>>,
        find: impl Fn(&Self, &str) -> Option<String>,
    ) -> Vec<String> {
        let mut found = Vec::new();
        for (name, at) in names {
            match find(self, name) {
                Some(key) => found.push(key),
                None => self.problems.add(file, at, missing(field, of, name)),
            }
        }
        found
    }

    /// The Run As user, who exists and is active.
    pub(super) fn run_as(&mut self, file: &Path, (username, at): Reference<'_>) -> Option<String> {
        let user = self.setup.user(username).filter(|user| user.active);
        if user.is_none() {
            self.problems.add(file, at, "Enter a valid execution user for the OAuth client credentials flow.");
        }
        user.map(|user| user.username.clone())
    }

    /// A certificate, which must be one that can verify what its owner signs.
    pub(super) fn certificate(&mut self, file: &Path, (pem, at): Reference<'_>) -> Option<String> {
        match Certificate::from_pem(pem) {
            Ok(_) => Some(pem.to_owned()),
            Err(error) => {
                self.problems.add(file, at, format!("The certificate is not valid: {error}"));
                None
            }
        }
    }

    /// The app that a deployment changes, or a new one.
    pub(super) fn app_to_change(&mut self, place: Option<usize>, identity: Identity<'_>) -> AppSpec {
        let known = place.and_then(|place| self.setup.apps.get(place).cloned());
        match known {
            Some(known) => {
                self.check_kept_key(&identity, &known.consumer_key);
                known
            }
            None => self.new_app(identity),
        }
    }

    /// A file may repeat the consumer key of an app that exists, and not change it.
    fn check_kept_key(&mut self, identity: &Identity<'_>, known: &str) {
        if let Some((_, at)) = identity.key.filter(|(key, _)| *key != known) {
            self.problems.add(identity.file, at, "The consumer key can't be changed");
        }
    }

    /// Its consumer key is chosen by the file or made up by the org, its name is the label as long as the app can be
    /// found again by it.
    fn new_app(&mut self, identity: Identity<'_>) -> AppSpec {
        let Identity { kind, name, label, file, key } = identity;
        if let Some((key, at)) = key {
            if !is_consumer_key(key) {
                self.problems.add(file, at, "The consumer key must be 8 to 256 alphanumeric characters long");
            } else if self.setup.app(key).is_some() {
                self.problems.add(file, at, "The consumer key is already taken");
            }
        }
        let key = key.map_or_else(|| self.made_up_key(name), |(key, _)| key.to_owned());
        let label = label.filter(|label| developer_name(label) == name).unwrap_or(name);
        blank(label.to_owned(), kind, key, self.made_up_secret(name))
    }

    /// As real keys look: `3MVG9` and eighty characters more.
    fn made_up_key(&self, name: &str) -> String {
        let tail: String =
            (0..2).map(|part| URL_SAFE_NO_PAD.encode(self.noise(name, &format!("key {part}")))).collect();
        let tail: String = tail.chars().map(|c| if c == '-' { '.' } else { c }).take(80).collect();
        format!("3MVG9{tail}")
    }

    /// As real secrets look: 64 hexadecimal digits.
    fn made_up_secret(&self, name: &str) -> Secret {
        let noise = self.noise(name, "secret");
        Secret::new(noise.iter().map(|byte| format!("{byte:02X}")).collect::<String>())
    }

    fn noise(&self, name: &str, purpose: &str) -> Vec<u8> {
        let (seed, org) = (self.seed, &self.setup.org.id);
        digest(&SHA256, format!("{seed}\n{org}\n{name}\n{purpose}").as_bytes()).as_ref().to_vec()
    }
}

/// What a deployment says of a name that points at nothing.
pub(super) fn missing(field: &str, of: &str, name: &str) -> String {
    format!("In field: {field} - no {of} named {name} found")
}

fn key_of<'a>(mut keys: impl Iterator<Item = &'a String>, name: &str) -> Option<String> {
    keys.find(|key| *key == name || developer_name(key) == name).cloned()
}

/// Alphanumeric as the guide demands, or with the two other characters that keys made by an org have.
fn is_consumer_key(key: &str) -> bool {
    let made_up = key.starts_with("3MVG");
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || made_up && matches!(byte, b'.' | b'_');
    (8..=256).contains(&key.len()) && key.bytes().all(fits)
}
