//! The configuration of an org over time: changes take a while to reach every server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::scenario::Setup;

/// The configuration that is in effect, and changes that are on their way.
pub(crate) struct Configuration {
    state: Mutex<State>,
}

struct State {
    current: Arc<Setup>,
    coming: VecDeque<Change>,
}

/// One change that has been saved and does not hold everywhere yet.
struct Change {
    setup: Arc<Setup>,
    saved: DateTime<Utc>,
    effective: DateTime<Utc>,
}

impl Change {
    fn new(setup: Setup, saved: DateTime<Utc>) -> Self {
        let delay = TimeDelta::minutes(i64::from(setup.org.propagation_minutes));
        let effective = saved.checked_add_signed(delay).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self { setup: Arc::new(setup), saved, effective }
    }

    /// Whether some servers know of the change already.
    fn has_reached_some(&self, now: DateTime<Utc>) -> bool {
        self.setup.org.propagation_alternates && now >= self.saved + (self.effective - self.saved) / 2
    }
}

impl State {
    fn newest(&self) -> &Arc<Setup> {
        self.coming.back().map_or(&self.current, |change| &change.setup)
    }
}

impl Configuration {
    /// The configuration of an org that starts now: its fresh apps are a change that is on its way.
    pub(crate) fn new(setup: Setup, now: DateTime<Utc>) -> Self {
        let mut settled = setup.clone();
        settled.apps.retain(|app| !app.fresh);
        let coming = VecDeque::from([Change::new(setup, now)]);
        Self { state: Mutex::new(State { current: Arc::new(settled), coming }) }
    }

    /// What the server that answers a request knows. Request numbers decide which server that is, so one request sees
    /// one configuration throughout.
    pub(crate) fn in_effect(&self, now: DateTime<Utc>, request: u64) -> Arc<Setup> {
        let mut state = self.lock();
        while state.coming.front().is_some_and(|change| change.effective <= now) {
            if let Some(change) = state.coming.pop_front() {
                state.current = change.setup;
            }
        }
        match state.coming.front() {
            Some(change) if request % 2 == 1 && change.has_reached_some(now) => Arc::clone(&change.setup),
            _ => Arc::clone(&state.current),
        }
    }

    /// What an admin sees in Setup: every change that has been saved.
    pub(crate) fn saved(&self) -> Arc<Setup> {
        Arc::clone(self.lock().newest())
    }

    /// Makes another configuration of the newest one and saves it; it takes effect after the propagation delay that it
    /// names itself. Changes wait for each other, so none is lost.
    ///
    /// # Errors
    /// Those of `change`; nothing is saved then.
    pub(crate) fn change<E>(
        &self,
        now: DateTime<Utc>,
        change: impl FnOnce(&Setup) -> Result<Setup, E>,
    ) -> Result<(), E> {
        let mut state = self.lock();
        let mut change = Change::new(change(state.newest())?, now);
        if let Some(before) = state.coming.back() {
            change.effective = change.effective.max(before.effective);
        }
        state.coming.push_back(change);
        Ok(())
    }

    /// Begins anew with a configuration that holds at once.
    pub(crate) fn restart(&self, setup: Setup) {
        *self.lock() = State { current: Arc::new(setup), coming: VecDeque::new() };
    }

    /// Changes the configuration at once, and every change that is on its way: passwords have no delay.
    pub(crate) fn amend(&self, change: impl Fn(&mut Setup)) {
        let mut state = self.lock();
        let State { current, coming } = &mut *state;
        change(Arc::make_mut(current));
        coming.iter_mut().for_each(|coming| change(Arc::make_mut(&mut coming.setup)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    const KEY: &str = "3MVG9.acme.connected";

    fn acme(change: impl FnOnce(&mut Setup)) -> Setup {
        let mut setup = Scenario::builtin("acme").unwrap().setup();
        change(&mut setup);
        setup
    }

    fn minute(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
    }

    fn blocks(configuration: &Configuration, at: i64, request: u64) -> bool {
        configuration.in_effect(minute(at), request).app(KEY).unwrap().pkce_required == Some(true)
    }

    fn save(configuration: &Configuration, setup: Setup, at: i64) {
        configuration.change(minute(at), |_| Ok::<_, ()>(setup)).unwrap();
    }

    fn require_pkce(setup: &mut Setup) {
        setup.app_mut(KEY).unwrap().pkce_required = Some(true);
    }

    #[test]
    fn a_change_holds_after_the_propagation_delay_and_is_seen_in_setup_at_once() {
        let configuration = Configuration::new(acme(|setup| setup.org.propagation_minutes = 8), minute(-60));
        let mut changed = configuration.in_effect(minute(0), 0).as_ref().clone();
        require_pkce(&mut changed);
        save(&configuration, changed, 0);
        assert_eq!(configuration.saved().app(KEY).unwrap().pkce_required, Some(true));
        assert!(!blocks(&configuration, 7, 1));
        assert!(blocks(&configuration, 8, 0));
    }

    #[test]
    fn servers_disagree_in_the_second_half_when_the_scenario_says_so() {
        let setup = acme(|setup| {
            setup.org.propagation_minutes = 8;
            setup.org.propagation_alternates = true;
        });
        let configuration = Configuration::new(setup.clone(), minute(-60));
        configuration.in_effect(minute(0), 0);
        let mut changed = setup;
        require_pkce(&mut changed);
        save(&configuration, changed, 0);
        assert!(!blocks(&configuration, 3, 1));
        assert!(blocks(&configuration, 4, 1));
        assert!(!blocks(&configuration, 4, 2));
        assert!(blocks(&configuration, 8, 2));
    }

    #[test]
    fn a_fresh_app_is_unknown_at_first() {
        let setup = acme(|setup| {
            setup.org.propagation_minutes = 2;
            setup.app_mut(KEY).unwrap().fresh = true;
        });
        let configuration = Configuration::new(setup, minute(0));
        assert!(configuration.in_effect(minute(1), 0).app(KEY).is_none());
        assert!(configuration.in_effect(minute(2), 0).app(KEY).is_some());
    }

    #[test]
    fn a_later_change_never_overtakes_an_earlier_one() {
        let slow = acme(|setup| setup.org.propagation_minutes = 10);
        let configuration = Configuration::new(acme(|_| {}), minute(-1));
        save(&configuration, slow, 0);
        save(&configuration, acme(require_pkce), 1);
        assert!(!blocks(&configuration, 9, 0));
        assert!(blocks(&configuration, 10, 0));
    }
}
