//! When a connection ends by itself, and what keeps it: what is known, and what is assumed. Pure.

use std::time::Duration;

use salesforce::{
    Timestamp,
    oauth::{Flow, Renewal},
};
use serde::Serialize;

use super::state::ConnectionState;
use crate::store::care::{Lifetimes, TokenPolicy};

/// What nobody has stated is taken for the strictest policy in use: apps of partners have it since 2026 (help page
/// `connected_app_limit_idle_ttl`).
const ASSUMED_IDLE: Duration = days(30);
/// A grant is redeemed at least so often, whatever its policy allows.
const AT_LEAST_EVERY: Duration = days(7);
/// And so often within its idle limit.
const TIMES_WITHIN_THE_LIMIT: u32 = 3;

const fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 3600)
}

/// How something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A person has stated the org's policy.
    Stated,
    /// Nobody has: the strictest policy in use.
    Assumed,
}

/// What keeps a connection from ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unless {
    /// The grant is redeemed before, which happens by itself.
    Renewed,
    /// A person signs in again.
    SignedInAgain,
}

/// The end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct End {
    pub at: Timestamp,
    pub unless: Unless,
    pub basis: Basis,
}

/// What is to come of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// `None`: no end is known.
    pub end: Option<End>,
    /// When its grant is redeemed next without need; `None`: nothing has to be kept alive.
    pub keep_alive_at: Option<Timestamp>,
    /// The same for people, in one or two sentences.
    pub text: String,
}

/// What a forecast is made from.
#[derive(Debug, Clone, Copy)]
pub struct Life<'a> {
    pub flow: Flow,
    pub state: &'a ConnectionState,
    pub signed_in_at: Timestamp,
    pub renewed_at: Timestamp,
    pub lifetimes: &'a Lifetimes,
}

impl Forecast {
    /// Forecasts a connection's life.
    pub fn of(life: Life<'_>) -> Self {
        match life.state {
            ConnectionState::NeedsReauthorization { .. } => return ended("It has ended: it needs a new sign-in."),
            ConnectionState::SandboxRefreshed { .. } => {
                return ended("Its sandbox was refreshed: it waits for somebody to decide what becomes of the rows.");
            }
            ConnectionState::Disconnected { .. } => return ended("It was disconnected."),
            ConnectionState::Pending { .. } | ConnectionState::Connected { .. } | ConnectionState::Degraded { .. } => {}
        }
        match (life.flow.renewal(), life.flow) {
            (Renewal::RefreshToken, _) | (_, Flow::JwtBearer) => of_an_approval(life),
            (Renewal::SameCredentials, flow) => Self { end: None, keep_alive_at: None, text: of_credentials(flow) },
        }
    }
}

fn ended(text: &str) -> Forecast {
    Forecast { end: None, keep_alive_at: None, text: text.to_owned() }
}

/// A person's approval ages by the app's refresh token policy, with a refresh token and behind an assertion alike (help
/// pages `connected_app_manage_oauth`, `remoteaccess_oauth_jwt_flow`).
fn of_an_approval(life: Life<'_>) -> Forecast {
    let idle = |limit: Duration, basis| {
        let end = End { at: life.renewed_at.after(limit), unless: Unless::Renewed, basis };
        let every = AT_LEAST_EVERY.min(limit / TIMES_WITHIN_THE_LIMIT);
        let keep_alive_at = life.renewed_at.after(every);
        let known = match basis {
            Basis::Stated => format!("the org's policy ends what is unused for {}", lasting(limit)),
            Basis::Assumed => format!(
                "assumed, as nobody has stated the org's policy: {} without use, the strictest one in use",
                lasting(limit)
            ),
        };
        let text = format!(
            "It ends on {} unless it is renewed before ({known}). Orgtide renews it by {}, also while it is paused.",
            day(end.at),
            day(keep_alive_at)
        );
        Forecast { end: Some(end), keep_alive_at: Some(keep_alive_at), text }
    };
    let hours = |hours: u32| Duration::from_secs(u64::from(hours) * 3600);
    match life.lifetimes.policy {
        None => idle(ASSUMED_IDLE, Basis::Assumed),
        Some(TokenPolicy::Idle { hours: limit }) => idle(hours(limit), Basis::Stated),
        Some(TokenPolicy::UntilRevoked) => Forecast {
            end: None,
            keep_alive_at: Some(life.renewed_at.after(AT_LEAST_EVERY)),
            text: "No end is known: the org's policy lets it work until somebody revokes it.".to_owned(),
        },
        Some(TokenPolicy::Lifetime { hours: limit }) => {
            let end =
                End { at: life.signed_in_at.after(hours(limit)), unless: Unless::SignedInAgain, basis: Basis::Stated };
            let text = format!(
                "It ends on {} unless somebody signs in again before: the org's policy ends it {} after the sign-in, \
                 whatever is done. An admin changes that in External Client App Manager > the app > Policies > App \
                 Authorization > Refresh Token Policy.",
                day(end.at),
                lasting(hours(limit))
            );
            Forecast { end: Some(end), keep_alive_at: Some(life.renewed_at.after(AT_LEAST_EVERY)), text }
        }
    }
}

fn of_credentials(flow: Flow) -> String {
    match flow.ending() {
        Some(ending) => format!("It works until the org no longer offers this way. {ending}."),
        None => "No end is known: it signs in with the app's own credentials, until the org changes them.".to_owned(),
    }
}

/// `90 days`, or `36 hours` where it is no whole number of days.
fn lasting(limit: Duration) -> String {
    let hours = limit.as_secs() / 3600;
    let (count, noun) = if hours.is_multiple_of(24) { (hours / 24, "day") } else { (hours, "hour") };
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn day(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..10).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600 * 1000;
    /// 2026-11-22.
    const RENEWED: Timestamp = Timestamp(1_795_305_600_000);
    const SIGNED_IN: Timestamp = Timestamp(RENEWED.0 - 10 * DAY);

    fn forecast(flow: Flow, policy: Option<TokenPolicy>) -> Forecast {
        let state = ConnectionState::Connected { since: SIGNED_IN };
        let lifetimes = Lifetimes { policy, session_seconds: None };
        Forecast::of(Life { flow, state: &state, signed_in_at: SIGNED_IN, renewed_at: RENEWED, lifetimes: &lifetimes })
    }

    #[test]
    fn an_unknown_policy_is_taken_for_thirty_days_and_called_assumed() {
        for flow in [Flow::WebServer, Flow::Device, Flow::RefreshToken, Flow::JwtBearer] {
            let forecast = forecast(flow, None);
            let end = forecast.end.unwrap();
            assert_eq!((end.at.0 - RENEWED.0, end.unless, end.basis), (30 * DAY, Unless::Renewed, Basis::Assumed));
            assert_eq!(forecast.keep_alive_at.unwrap().0 - RENEWED.0, 7 * DAY);
            assert!(
                forecast.text.starts_with("It ends on 2026-12-22 unless it is renewed before (assumed"),
                "{forecast:?}"
            );
        }
    }

    #[test]
    fn a_stated_idle_limit_counts_from_the_last_use_and_is_renewed_in_time() {
        let ninety = forecast(Flow::Device, Some(TokenPolicy::Idle { hours: 90 * 24 }));
        assert_eq!(ninety.end.unwrap().at.0 - RENEWED.0, 90 * DAY);
        assert_eq!(ninety.keep_alive_at.unwrap().0 - RENEWED.0, 7 * DAY, "at least weekly");
        assert!(ninety.text.contains("unused for 90 days"), "{}", ninety.text);
        let short = forecast(Flow::Device, Some(TokenPolicy::Idle { hours: 36 }));
        assert_eq!(short.keep_alive_at.unwrap().0 - RENEWED.0, DAY / 2);
        assert!(short.text.contains("36 hours"), "{}", short.text);
    }

    #[test]
    fn a_fixed_lifetime_ends_for_certain_and_only_a_person_helps() {
        let year = forecast(Flow::WebServer, Some(TokenPolicy::Lifetime { hours: 365 * 24 }));
        let end = year.end.unwrap();
        assert_eq!((end.at.0 - SIGNED_IN.0, end.unless), (365 * DAY, Unless::SignedInAgain));
        assert!(year.text.contains("unless somebody signs in again") && year.text.contains("Refresh Token Policy"));
    }

    #[test]
    fn ways_without_an_approval_have_no_end_but_that_of_the_way() {
        let credentials = forecast(Flow::ClientCredentials, None);
        assert_eq!((credentials.end, credentials.keep_alive_at), (None, None));
        assert!(credentials.text.starts_with("No end is known"));
        assert!(forecast(Flow::SoapLogin, None).text.contains("Summer '27"));
        assert!(forecast(Flow::Password, None).text.contains("username-password flow is ending"));
    }

    #[test]
    fn what_has_ended_is_not_kept_alive() {
        let state = ConnectionState::NeedsReauthorization { since: RENEWED, reason: "dead".into(), retry_at: None };
        let lifetimes = Lifetimes::default();
        let (signed_in_at, renewed_at) = (SIGNED_IN, RENEWED);
        let forecast =
            Forecast::of(Life { flow: Flow::Device, state: &state, signed_in_at, renewed_at, lifetimes: &lifetimes });
        assert_eq!((forecast.end, forecast.keep_alive_at), (None, None));
    }
}
