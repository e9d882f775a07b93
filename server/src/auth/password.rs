//! Passwords: Argon2id with the parameters that RFC 9106 and the OWASP Password Storage Cheat Sheet call sufficient
//! (19 MiB, two passes, one lane), which are the crate's defaults.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::AuthError;

/// Characters; NIST SP 800-63B asks for length and for nothing else.
pub const SHORTEST: usize = 12;
pub const LONGEST_BYTES: usize = 1024;

/// Each hash takes 19 MiB and a core.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// What is compared when there is no such user, so that an unknown address takes as long as a wrong password.
static NOBODY: LazyLock<SecretString> = LazyLock::new(|| hashed(&"nobody has this password".into()));

/// Whether a password may be one.
///
/// # Errors
/// [`AuthError::ShortPassword`] and [`AuthError::LongPassword`].
pub fn check(password: &SecretString) -> Result<(), AuthError> {
    let password = password.expose_secret();
    match password.chars().count() {
        short if short < SHORTEST => Err(AuthError::ShortPassword(short)),
        _ if password.len() > LONGEST_BYTES => Err(AuthError::LongPassword),
        _ => Ok(()),
    }
}

/// The hash of a password, as the store keeps it.
pub async fn hash(password: SecretString) -> SecretString {
    let _turn = AT_ONCE.acquire().await;
    let hashed = tokio::task::spawn_blocking(move || hashed(&password)).await;
    hashed.expect("hashing does not panic")
}

/// Whether `password` is the one of `hash`; without a hash as slow, and false.
pub async fn is_right(password: SecretString, hash: Option<SecretString>) -> bool {
    let _turn = AT_ONCE.acquire().await;
    let compared = tokio::task::spawn_blocking(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        fits(&password, &hash) && known
    });
    compared.await.unwrap_or(false)
}

fn hashed(password: &SecretString) -> SecretString {
    let hash = Argon2::default().hash_password(password.expose_secret().as_bytes());
    hash.expect("the default parameters and a random salt are valid").to_string().into()
}

fn fits(password: &SecretString, hash: &SecretString) -> bool {
    let password = password.expose_secret().as_bytes();
    if password.len() > LONGEST_BYTES {
        return false;
    }
    PasswordHash::new(hash.expose_secret()).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_alone() {
        let hash = hash("correct horse battery".into()).await;
        assert!(hash.expose_secret().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose_secret());
        assert!(is_right("correct horse battery".into(), Some(hash.clone())).await);
        assert!(!is_right("correct horse batterz".into(), Some(hash)).await);
        assert!(!is_right("nobody has this password".into(), None).await);
        assert!(!is_right("x".into(), Some("no hash".into())).await);
    }

    #[test]
    fn length_is_counted_in_characters_and_bounded() {
        assert_eq!(check(&"elf ‹›‹›‹›‹".into()), Err(AuthError::ShortPassword(11)));
        assert_eq!(check(&"zwölf ‹›‹›‹›".into()), Ok(()));
        assert_eq!(check(&"x".repeat(LONGEST_BYTES + 1).into()), Err(AuthError::LongPassword));
    }
}
