//! The secret that messages are signed with, as in *Standard Webhooks* (standardwebhooks.com, specification 1.0.0).
//!
//! It never stands in an address, because addresses are stored and shown.

use std::{env, ffi::OsString, fs, path::Path, path::PathBuf};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};

/// The variable that is asked where an address names no other.
pub(super) const VARIABLE: &str = "ORGTIDE_WEBHOOK_SECRET";

const PREFIX: &str = "whsec_";
/// A signing secret has so many bytes (*Standard Webhooks*, "Signature scheme").
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;
/// More secrets than an old and a new one are a mistake.
const MOST: usize = 2;

/// Where the secret is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum SecretSource {
    /// [`VARIABLE`].
    #[default]
    Usual,
    /// An environment variable.
    Variable(String),
    File(PathBuf),
}

/// One secret, or two while one takes the other's place: messages carry a signature by each.
pub(super) struct Secrets(Vec<hmac::Key>);

/// Makes a secret of 32 random bytes, as text.
///
/// # Errors
/// The system has no randomness.
pub fn generate() -> Result<SecretString, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{PREFIX}{}", STANDARD.encode(bytes)).into())
}

impl SecretSource {
    /// Reads the secrets.
    ///
    /// # Errors
    /// In words: nothing is there, or it is no secret.
    pub(super) fn read(&self) -> Result<Secrets, String> {
        self.look_up(|name| env::var_os(name))
    }

    fn look_up(&self, variable: impl Fn(&str) -> Option<OsString>) -> Result<Secrets, String> {
        let of_variable = |name: &str| {
            let text = variable(name).and_then(|value| value.into_string().ok()).filter(|text| !text.trim().is_empty());
            let text = text.map(SecretString::from).ok_or_else(|| {
                format!(
                    "the environment variable {name}, which is to hold the signing secret, is not set; `orgtide webhook \
                     secret` makes one, and its receiver needs it too"
                )
            })?;
            Secrets::parse(&text).map_err(|reason| format!("the environment variable {name} {reason}"))
        };
        match self {
            Self::Usual => of_variable(VARIABLE),
            Self::Variable(name) => of_variable(name),
            Self::File(path) => {
                refuse_shared(path)?;
                let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
                Secrets::parse(&text.into()).map_err(|reason| format!("the file {} {reason}", path.display()))
            }
        }
    }
}

impl Secrets {
    /// Reads secrets that are separated by blanks or lines.
    fn parse(text: &SecretString) -> Result<Self, String> {
        let keys: Option<Vec<hmac::Key>> = text.expose_secret().split_whitespace().map(key).collect();
        match keys {
            Some(keys) if (1..=MOST).contains(&keys.len()) => Ok(Self(keys)),
            Some(keys) if keys.len() > MOST => {
                Err(format!("holds {} secrets; there may be two, an old and a new one", keys.len()))
            }
            _ => {
                Err("holds no signing secret: it is whsec_ and 24 to 64 bytes in base64, as `orgtide webhook secret` \
                      makes one"
                    .to_owned())
            }
        }
    }

    /// The header `webhook-signature`: a signature of `id.seconds.body` by each secret.
    pub(super) fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let sign = |key: &hmac::Key| {
            let mut context = hmac::Context::with_key(key);
            context.update(format!("{id}.{seconds}.").as_bytes());
            context.update(body);
            format!("v1,{}", STANDARD.encode(context.sign()))
        };
        self.0.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

fn key(text: &str) -> Option<hmac::Key> {
    let encoded = text.strip_prefix(PREFIX)?;
    let bytes = STANDARD.decode(encoded).or_else(|_| STANDARD_NO_PAD.decode(encoded)).ok()?;
    LENGTHS.contains(&bytes.len()).then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("the file {} of the signing secret: {error}", path.display())
}

/// A secret that others can read is not used.
#[cfg(unix)]
fn refuse_shared(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;

    let found = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if found.permissions().mode() & 0o077 != 0 {
        return Err(format!("others can read the signing secret in {0}: chmod 600 {0}", path.display()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_shared(_path: &Path) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(source: &SecretSource, variables: &[(&str, &str)]) -> Result<Secrets, String> {
        source.look_up(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
    }

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    // The example of the specification's reference libraries.
    #[test]
    fn a_message_is_signed_as_the_specification_says() {
        let secrets = secrets(&SecretSource::Usual, &[(VARIABLE, SECRET)]).unwrap_or_else(|error| panic!("{error}"));
        let signature = secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_is_replaced_both_sign() {
        let two = format!("{SECRET}\n {}\n", generate().unwrap().expose_secret());
        let secrets = secrets(&SecretSource::Variable("HOOK".to_owned()), &[("HOOK", &two)]);
        let signature = secrets.unwrap_or_else(|error| panic!("{error}")).sign("msg_1", 0, b"{}");
        let signatures: Vec<&str> = signature.split(' ').collect();
        assert!(signatures.len() == 2 && signatures.iter().all(|one| one.starts_with("v1,")), "{signature}");
        assert_ne!(signatures[0], signatures[1]);
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_repeated() {
        let said = |value: &str| secrets(&SecretSource::Usual, &[(VARIABLE, value)]).err().unwrap_or_default();
        for wrong in ["hunter2hunter2", "whsec_", "whsec_hunter2=", "whsec_***hunter2", &format!("{SECRET} hunter2")] {
            let said = said(wrong);
            assert!(said.contains("holds no signing secret") && !said.contains("hunter2"), "{said}");
        }
        assert!(said(&[SECRET; 3].join(" ")).contains("3 secrets"));
        for nothing in ["", "  "] {
            assert!(said(nothing).contains("orgtide webhook secret"), "{}", said(nothing));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let source = SecretSource::File(path.clone());
        assert!(secrets(&source, &[]).err().unwrap().contains("secret"));
        fs::write(&path, SECRET).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(secrets(&source, &[]).err().unwrap().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(secrets(&source, &[]).is_ok());
    }
}
