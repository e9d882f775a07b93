//! Assertions that apps sign: the checks that the JWT bearer flow and client assertions have in common.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::OAuthError;
use crate::call::{Arrival, Call};
use crate::jwt::{Certificate, Claims, Unverified};
use crate::org::Org;
use crate::scenario::AppSpec;

/// How long a `jti` is remembered. Assertions live for minutes, but some clients date them far into the future.
const MEMORY: TimeDelta = TimeDelta::days(1);

/// The `jti` claims that have been used, by consumer key.
#[derive(Default)]
pub(crate) struct UsedAssertions {
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    known: HashSet<(String, String)>,
    /// The same, oldest first.
    by_age: VecDeque<(DateTime<Utc>, (String, String))>,
}

impl UsedAssertions {
    /// Whether a `jti` is used for the first time.
    fn is_first_use(&self, consumer_key: &str, jti: &str, now: DateTime<Utc>) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, oldest)) = used.by_age.pop_front_if(|(at, _)| now - *at >= MEMORY) {
            used.known.remove(&oldest);
        }
        let claim = (consumer_key.to_owned(), jti.to_owned());
        let is_first = used.known.insert(claim.clone());
        if is_first {
            used.by_age.push_back((now, claim));
        }
        is_first
    }
}

impl Org {
    /// Checks signature, audience, time and `jti`, in this order (field reports; the code for a repeated `jti` is in the
    /// list of the vendor's mobile client).
    pub(super) fn check_assertion(
        &self,
        call: &Call,
        app: &AppSpec,
        certificate: &str,
        assertion: &Unverified<'_>,
    ) -> Result<(), OAuthError> {
        let certificate = Certificate::from_pem(certificate).ok();
        if !certificate.is_some_and(|certificate| assertion.is_signed_by(&certificate)) {
            return Err(OAuthError::invalid_assertion());
        }
        let claims = assertion.claims();
        if !self.is_addressed(call, claims) {
            return Err(OAuthError::invalid_grant("audience is invalid"));
        }
        let now = self.now();
        if claims.is_expired(now.timestamp()) {
            return Err(OAuthError::invalid_grant("expired authorization code"));
        }
        let fresh = claims.text("jti").is_none_or(|jti| self.used_assertions.is_first_use(&app.consumer_key, jti, now));
        if fresh { Ok(()) } else { Err(OAuthError::new("bad_jti_claim", "jti claim has already been used")) }
    }

    /// Whether an assertion is for this org: for its generic login host or its My Domain, or for the name on the plain
    /// listener under which the caller reached one of them.
    fn is_addressed(&self, call: &Call, claims: &Claims) -> bool {
        let is_caller = |audience: &str| {
            let host = audience.rsplit_once(':').map_or(audience, |(host, _)| host);
            call.arrival == Arrival::Plain && host == call.host
        };
        let own = [self.hosts.my_domain(), self.hosts.generic()];
        claims.audiences().any(|audience| own.contains(&audience.as_str()) || is_caller(&audience))
    }
}
