//! Who may use the console: roles, passwords, one-time links, sessions, and how often somebody may try.
//!
//! What is here decides; [`crate::app::accounts`] does it, `store/users.rs` remembers it. A token is 256 random bits
//! that only its bearer knows: the store has its SHA-256.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use salesforce::{Recovery, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::hex::sha256_hex;

pub mod password;
pub mod throttle;

/// A session ends after this long without a request.
pub const IDLE_MILLIS: i64 = 12 * 60 * 60 * 1000;
/// A session ends this long after signing in, however much it is used.
pub const LIFETIME_MILLIS: i64 = 7 * 24 * 60 * 60 * 1000;
/// How long a one-time link works.
pub const LINK_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// A session's last use is written no more often than this.
pub const SEEN_EVERY_MILLIS: i64 = 60 * 1000;

/// What somebody may do; a higher role may do everything that a lower one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees state and counts; starts, renews and ends the own sign-in to an app that the server configuration has.
    Member,
    /// Connects, imports, disconnects, and invites.
    Admin,
    /// Removes people and gives roles as well.
    Owner,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Member, Self::Admin, Self::Owner];

    pub fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// The role of that name.
pub fn role(name: &str) -> Option<Role> {
    Role::ALL.into_iter().find(|role| role.name() == name)
}

/// What a one-time link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Makes the first owner.
    FirstStart,
    /// Makes an account of that role.
    Invitation(Role),
    /// Sets a password.
    Password,
    /// Signs in; for the demonstration.
    SignIn,
}

impl Purpose {
    pub(crate) fn text(self) -> String {
        match self {
            Self::FirstStart => "first-start".into(),
            Self::Invitation(role) => format!("invitation {role}"),
            Self::Password => "password".into(),
            Self::SignIn => "sign-in".into(),
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        match text {
            "first-start" => Some(Self::FirstStart),
            "password" => Some(Self::Password),
            "sign-in" => Some(Self::SignIn),
            _ => text.strip_prefix("invitation ").and_then(role).map(Self::Invitation),
        }
    }
}

/// 256 random bits as text: a session's cookie, what a one-time link carries, or the state of a sign-in at Salesforce.
#[derive(Clone)]
pub struct Token(SecretString);

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(hidden)")
    }
}

impl Token {
    pub fn fresh() -> Self {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).expect("the system gives random bytes");
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// The token that somebody presents; any text is one, and an unknown one opens nothing.
    pub fn presented(text: &str) -> Self {
        Self(text.into())
    }

    /// For the cookie or the link alone.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// SHA-256 in hex: how the store knows it.
    pub(crate) fn hash(&self) -> String {
        sha256_hex(self.expose())
    }

    /// What a form of this session's pages carries, so that no other site's page can send it.
    pub fn form_token(&self) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.form_key(), FORM).as_ref())
    }

    /// Compares in constant time.
    pub fn is_form_token(&self, text: &str) -> bool {
        let Ok(tag) = URL_SAFE_NO_PAD.decode(text) else { return false };
        hmac::verify(&self.form_key(), FORM, &tag).is_ok()
    }

    /// What binds a sign-in that goes by Salesforce to this browser session. No secret, and opens nothing.
    pub fn binding(&self) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.form_key(), b"sign-in").as_ref())
    }

    fn form_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.expose().as_bytes())
    }
}

const FORM: &[u8] = b"form";

/// Why somebody is not let in, or an account is not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("the address or the password is wrong")]
    WrongPassword,
    #[error("too many attempts to sign in; the next one is possible in {}", minutes(*seconds))]
    TooManyAttempts { seconds: u64 },
    #[error("this link was used before, was replaced by a later one, or is older than a day")]
    LinkGone,
    #[error("{0:?} is no e-mail address")]
    NoEmail(String),
    #[error("a password needs at least {shortest} characters, and this one has {0}", shortest = password::SHORTEST)]
    ShortPassword(usize),
    #[error("a password has at most {longest} bytes", longest = password::LONGEST_BYTES)]
    LongPassword,
    #[error("there is an account for {0} already")]
    EmailTaken(String),
    #[error("the last owner can neither be removed nor become something else")]
    LastOwner,
    #[error("there is no such user")]
    NoSuchUser,
    #[error("the role {0} does not allow that")]
    NotAllowed(Role),
}

impl AuthError {
    /// What cures it.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::TooManyAttempts { seconds } => {
                Recovery::Retry { after: Some(std::time::Duration::from_secs(*seconds)) }
            }
            Self::WrongPassword
            | Self::LinkGone
            | Self::NoEmail(_)
            | Self::ShortPassword(_)
            | Self::LongPassword
            | Self::EmailTaken(_)
            | Self::LastOwner
            | Self::NoSuchUser
            | Self::NotAllowed(_) => Recovery::Configure,
        }
    }

    /// A short, stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongPassword => "wrong_password",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::LinkGone => "link_gone",
            Self::NoEmail(_) | Self::ShortPassword(_) | Self::LongPassword => "input",
            Self::EmailTaken(_) => "name_taken",
            Self::LastOwner => "last_owner",
            Self::NoSuchUser => "unknown_name",
            Self::NotAllowed(_) => "not_allowed",
        }
    }

    /// What a person does about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::WrongPassword => "try again; an owner or an admin can give you a link that sets a new password",
            Self::TooManyAttempts { .. } => "wait, then try again; other people are not affected",
            Self::LinkGone => {
                "ask whoever sent it for another one; for the first start, start `orgtide serve` again and use the \
                 link that it prints"
            }
            Self::NoEmail(_) => "type an address such as ada@example.com",
            Self::ShortPassword(_) | Self::LongPassword => "a few unrelated words are easy to remember and long enough",
            Self::EmailTaken(_) => "sign in with it, or use another address",
            Self::LastOwner => "make somebody else an owner first",
            Self::NoSuchUser => "look at the list again; somebody may have removed it meanwhile",
            Self::NotAllowed(_) => "ask an owner",
        }
    }
}

fn minutes(seconds: u64) -> String {
    match seconds {
        0..=1 => "a second".into(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

/// An address as accounts have it: lower case, with something on both sides of one `@`.
///
/// # Errors
/// [`AuthError::NoEmail`]. Whether mail arrives there is not asked.
pub fn email(typed: &str) -> Result<String, AuthError> {
    let email = typed.trim().to_lowercase();
    let is_plain = |text: &str| !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    let fits = email.len() <= 254
        && email.split_once('@').is_some_and(|(name, host)| {
            is_plain(name) && is_plain(host) && !host.contains('@') && !host.starts_with('.') && !host.ends_with('.')
        });
    if fits { Ok(email) } else { Err(AuthError::NoEmail(typed.trim().chars().take(80).collect())) }
}

/// Whether a session can still be used.
pub fn is_alive(created_at: Timestamp, seen_at: Timestamp, now: Timestamp) -> bool {
    now.0 - seen_at.0 < IDLE_MILLIS && now.0 - created_at.0 < LIFETIME_MILLIS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_token_belongs_to_one_session() {
        let (mine, other) = (Token::fresh(), Token::fresh());
        assert!(mine.is_form_token(&mine.form_token()));
        for wrong in [other.form_token(), String::new(), "%".into(), mine.expose().into(), mine.binding()] {
            assert!(!mine.is_form_token(&wrong), "{wrong}");
        }
    }

    #[test]
    fn purposes_survive_the_store() {
        let invitations = Role::ALL.map(Purpose::Invitation);
        for purpose in invitations.into_iter().chain([Purpose::FirstStart, Purpose::Password, Purpose::SignIn]) {
            assert_eq!(Purpose::from_text(&purpose.text()), Some(purpose));
        }
        assert_eq!(Purpose::from_text("invitation king"), None);
    }

    #[test]
    fn addresses_are_read_as_people_type_them() {
        assert_eq!(email(" Ada@Example.COM ").unwrap(), "ada@example.com");
        for wrong in ["", "ada", "@example.com", "ada@", "a b@c.d", "a@b@c", "ada@.example"] {
            assert!(email(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_when_it_is_old() {
        let begun = Timestamp(0);
        assert!(is_alive(begun, begun, Timestamp(IDLE_MILLIS - 1)));
        assert!(!is_alive(begun, begun, Timestamp(IDLE_MILLIS)));
        assert!(is_alive(begun, Timestamp(LIFETIME_MILLIS - 1), Timestamp(LIFETIME_MILLIS - 1)));
        assert!(!is_alive(begun, Timestamp(LIFETIME_MILLIS - 1), Timestamp(LIFETIME_MILLIS)));
    }
}
