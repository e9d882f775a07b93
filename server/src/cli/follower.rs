//! Follows an examination on standard error: what is looked at now, and how long is still waited.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;

use super::{stop_signal, terminal::Terminal};
use crate::diagnose::{Checklist, Step, patience::PROPAGATION};

/// One line that changes; nothing where nobody watches. Ctrl-C ends the waiting.
pub(super) struct Follower {
    line: ProgressBar,
    stop: Option<watch::Receiver<bool>>,
    terminal: Terminal,
}

impl Follower {
    /// `waits`: whoever follows is ready to wait for changes in Setup to take effect.
    pub(super) fn new(terminal: &Terminal, waits: bool) -> Self {
        // indicatif draws nothing when standard error is no terminal.
        let target = if terminal.is_json() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is right");
        let line = ProgressBar::with_draw_target(None, target).with_style(style);
        let stop = waits.then(|| stop_signal(terminal, "Not waiting any longer; Ctrl-C again ends at once."));
        Self { line, stop, terminal: *terminal }
    }

    /// Takes the line away.
    pub(super) fn finish(&self) {
        self.line.finish_and_clear();
    }
}

impl Checklist for Follower {
    fn note(&self, step: Step<'_>) {
        match step {
            Step::Begins(layer) => self.line.set_message(layer.title()),
            Step::Found(_) => {}
            Step::Waiting { finding, again_in, left } => {
                // Where no line can change, the beginning of each wait is told.
                if self.line.is_hidden() && again_in.as_secs().is_multiple_of(30) {
                    self.terminal.notice(&format!("{}: tried again in {} s", finding.code, again_in.as_secs()));
                }
                self.line.set_message(format!(
                    "{}. It may be a change that has not taken effect yet: again in {} s, for at most {}",
                    finding.sentence(),
                    again_in.as_secs(),
                    minutes(left.as_secs())
                ));
            }
            Step::Again => self.line.set_message("trying again"),
        }
    }

    fn patience(&self) -> std::time::Duration {
        if self.stop.is_some() { PROPAGATION } else { std::time::Duration::ZERO }
    }

    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| *stop.borrow())
    }
}

fn minutes(seconds: u64) -> String {
    format!("{}:{:02} min", seconds / 60, seconds % 60)
}
