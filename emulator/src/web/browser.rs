//! Browsers: who is signed in in them, and what they remember. A cookie names one; everything else stays here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use http::header;

use super::bounded::Bounded;
use super::start_url::StartUrl;
use crate::call::{Arrival, Call};
use crate::ids::RecordId;
use crate::org::random_text;
use crate::scenario::SessionLevel;

const COOKIE: &str = "emulated_browser";
/// Browsers that are remembered; beyond it the oldest are forgotten.
const CAPACITY: usize = 5000;
/// Users for whom one browser is verified.
const MAX_VERIFIED: usize = 20;
/// How long a verification code is good for; ours to choose.
const CODE_LIFE: TimeDelta = TimeDelta::minutes(10);
/// Wrong codes until the login starts anew; ours to choose.
const MAX_WRONG_CODES: u32 = 5;

/// One browser.
#[derive(Clone)]
pub(crate) struct Browser {
    /// The value of its cookie.
    key: String,
    /// Stays when the cookie changes.
    pub(super) number: u64,
    /// Stands in every form, so that no other site can send one in the person's name.
    pub(super) form_token: String,
    pub(super) signed_in: Option<SignedIn>,
    /// The user name of *Remember me*.
    pub(super) remembered: Option<String>,
    verified: Vec<(RecordId, String)>,
    pub(super) challenge: Option<Challenge>,
}

/// A person's session in a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedIn {
    pub(crate) org: RecordId,
    pub(crate) username: String,
    pub(crate) level: SessionLevel,
    pub(crate) last_used: DateTime<Utc>,
}

/// A verification code that was sent and has not come back.
#[derive(Clone)]
pub(crate) struct Challenge {
    pub(super) org: RecordId,
    pub(super) username: String,
    pub(super) purpose: Purpose,
    pub(super) start_url: Option<StartUrl>,
    pub(super) remembers_user: bool,
    code: String,
    sent: DateTime<Utc>,
    wrong: u32,
}

/// What a code is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The browser is not known.
    VerifyBrowser,
    /// The user signs in with a second factor.
    SecondFactor,
    /// The app asks for a session of high assurance.
    RaiseLevel,
}

impl Purpose {
    /// Level of the session once the code is given.
    pub(super) fn level(self) -> SessionLevel {
        match self {
            Self::VerifyBrowser => SessionLevel::Standard,
            Self::SecondFactor | Self::RaiseLevel => SessionLevel::HighAssurance,
        }
    }
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    Right,
    /// Wrong, or too old.
    Wrong,
    /// Wrong once too often.
    GivenUp,
}

impl Challenge {
    pub(super) fn new(
        signed_in: &SignedIn,
        purpose: Purpose,
        start_url: Option<StartUrl>,
        remembers_user: bool,
        now: DateTime<Utc>,
    ) -> Self {
        let (org, username) = (signed_in.org, signed_in.username.clone());
        Self { org, username, purpose, start_url, remembers_user, code: six_digits(), sent: now, wrong: 0 }
    }

    /// Another code in the place of the one that was sent.
    pub(super) fn renew(&mut self, now: DateTime<Utc>) -> String {
        (self.code, self.sent) = (six_digits(), now);
        self.code.clone()
    }

    pub(super) fn code(&self) -> &str {
        &self.code
    }

    pub(super) fn attempt(&mut self, code: &str, now: DateTime<Utc>) -> Tried {
        let fresh = now - self.sent < CODE_LIFE;
        if fresh && code == self.code {
            return Tried::Right;
        }
        self.wrong += 1;
        if self.wrong >= MAX_WRONG_CODES { Tried::GivenUp } else { Tried::Wrong }
    }
}

impl Browser {
    fn new(number: u64) -> Self {
        Self {
            key: random_text(40),
            number,
            form_token: random_text(32),
            signed_in: None,
            remembered: None,
            verified: Vec::new(),
            challenge: None,
        }
    }

    pub(super) fn is_verified(&self, org: RecordId, username: &str) -> bool {
        self.verified.iter().any(|(known, user)| *known == org && user.eq_ignore_ascii_case(username))
    }

    pub(super) fn verify(&mut self, org: RecordId, username: &str) {
        if !self.is_verified(org, username) {
            if self.verified.len() == MAX_VERIFIED {
                self.verified.remove(0);
            }
            self.verified.push((org, username.to_owned()));
        }
    }

    /// The header that tells the browser its name. It is kept for 400 days, the most that browsers allow.
    pub(super) fn cookie(&self, arrival: Arrival) -> String {
        let secure = if arrival == Arrival::Tls { "; Secure" } else { "" };
        format!("{COOKIE}={}; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax{secure}", self.key)
    }
}

/// Every browser that has come.
pub(crate) struct Browsers {
    known: Mutex<Known>,
}

struct Known {
    browsers: Bounded<Browser>,
    last: u64,
}

impl Default for Browsers {
    fn default() -> Self {
        Self { known: Mutex::new(Known { browsers: Bounded::new(CAPACITY), last: 0 }) }
    }
}

impl Browsers {
    /// The browser that a call's cookie names.
    pub(super) fn find(&self, call: &Call) -> Option<Browser> {
        let known = self.lock();
        cookies(call).find_map(|key| known.browsers.get(key).cloned())
    }

    /// A browser that has not been here before.
    pub(super) fn open(&self) -> Browser {
        let mut known = self.lock();
        known.last += 1;
        let browser = Browser::new(known.last);
        known.browsers.insert(browser.key.clone(), browser.clone());
        browser
    }

    /// Stores what has changed about a browser.
    pub(super) fn store(&self, browser: &Browser) {
        if let Some(known) = self.lock().browsers.get_mut(&browser.key) {
            *known = browser.clone();
        }
    }

    /// Gives a browser another name, so that nobody who knew the old one is signed in with it.
    pub(super) fn rename(&self, browser: &mut Browser) {
        let mut known = self.lock();
        known.browsers.remove(&browser.key);
        browser.key = random_text(40);
        known.browsers.insert(browser.key.clone(), browser.clone());
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The values of our cookie; a browser sends several when hosts overlap.
fn cookies(call: &Call) -> impl Iterator<Item = &str> {
    let headers = call.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = headers.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

fn six_digits() -> String {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the system has a source of randomness");
    format!("{:06}", u32::from_le_bytes(bytes) % 1_000_000)
}
