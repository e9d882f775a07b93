//! Messages go out in their order, at least once.
//!
//! A message stays in the ledger until its receiver has taken it, and has the same id at every attempt. What a receiver
//! does not take now is tried again after waits that double; what it refuses for itself is put aside after some attempts,
//! so that those behind it arrive.

use std::time::Duration;

use sync::{Timestamp, checkpoint::Epoch, destination::DestinationError};

use super::{
    answer::Verdict,
    ledger::Ledger,
    outbox::{self, Message},
    rows::Stream,
    sender::Sender,
    settings::WebhookSettings,
};

/// The first wait; it doubles with each attempt.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How long messages are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as the settings say; then it is an error.
    Whole,
    /// Until the first does not arrive. It waits for the next call.
    None,
}

/// What delivers one stream's messages.
pub(super) struct Delivery<'a> {
    pub(super) settings: &'a WebhookSettings,
    pub(super) ledger: &'a Ledger,
    pub(super) sender: &'a Sender,
    pub(super) stream: &'a Stream,
    pub(super) epoch: Epoch,
}

/// What follows from an attempt.
enum Next {
    /// The next message, or this one again.
    GoOn,
    Wait {
        reason: String,
        wait: Duration,
    },
}

impl Delivery<'_> {
    /// Sends what waits.
    pub(super) async fn deliver(&self, patience: Patience) -> Result<(), DestinationError> {
        let mut waited = Duration::ZERO;
        while let Some(message) = self.next().await? {
            let next = match self.asked_to_wait(&message) {
                Some(wait) => Next::Wait { reason: "it asked to be left alone".to_owned(), wait },
                None => self.attempt(&message, patience).await?,
            };
            let Next::Wait { reason, wait } = next else { continue };
            if patience == Patience::None {
                tracing::debug!(%reason, "a message waits for its receiver");
                return Ok(());
            }
            waited += wait;
            if waited > self.settings.patience {
                return Err(self.unreachable(reason));
            }
            self.settings.surroundings.clock.sleep(wait).await;
        }
        Ok(())
    }

    async fn next(&self) -> Result<Option<Message>, DestinationError> {
        let (place, key) = (self.settings.place(), self.stream.key.clone());
        let (number, epoch) = (self.stream.number, self.epoch);
        self.ledger.transact(move |file| outbox::next(file, &place, &key, number, epoch)).await
    }

    fn asked_to_wait(&self, message: &Message) -> Option<Duration> {
        let left = message.not_before?.0.checked_sub(self.now().0).filter(|left| *left > 0)?;
        Some(Duration::from_millis(left.unsigned_abs()))
    }

    async fn attempt(&self, message: &Message, patience: Patience) -> Result<Next, DestinationError> {
        let (number, sequence) = (self.stream.number, message.sequence);
        let wait = jittered(message);
        match self.sender.send(&message.id, message.body.clone()).await {
            Verdict::Taken => {
                self.ledger.transact(move |file| outbox::taken(file, number, sequence)).await?;
                Ok(Next::GoOn)
            }
            Verdict::Later { reason, after } => {
                // Longer than its patience nobody waits here: the next run begins later than that.
                let not_before = after.map(|after| self.now().after(after));
                self.note(message, &reason, not_before).await?;
                Ok(Next::Wait { reason, wait: after.unwrap_or_default().max(wait) })
            }
            Verdict::Refused { reason } => {
                self.note(message, &reason, None).await?;
                if message.attempts + 1 < self.settings.attempts {
                    return Ok(Next::Wait { reason, wait });
                }
                self.set_aside(message, reason, patience).await
            }
            Verdict::Denied { reason } => {
                self.note(message, &reason, None).await?;
                Err(DestinationError::Denied { place: self.settings.place(), reason })
            }
            Verdict::Unusable { reason } => {
                self.note(message, &reason, None).await?;
                Err(self.settings.unusable(reason))
            }
        }
    }

    async fn note(
        &self,
        message: &Message,
        reason: &str,
        not_before: Option<Timestamp>,
    ) -> Result<(), DestinationError> {
        let (number, sequence, reason, now) = (self.stream.number, message.sequence, reason.to_owned(), self.now());
        let work =
            move |file: &rusqlite::Transaction<'_>| outbox::failed(file, number, sequence, &reason, now, not_before);
        self.ledger.transact(work).await
    }

    async fn set_aside(&self, message: &Message, reason: String, patience: Patience) -> Result<Next, DestinationError> {
        let (number, sequence, most) = (self.stream.number, message.sequence, self.settings.max_dead);
        let is_aside = self.ledger.transact(move |file| outbox::set_aside(file, number, sequence, most)).await?;
        if is_aside {
            tracing::warn!(message.id = message.id, %reason, "a message is a dead letter now");
            return Ok(Next::GoOn);
        }
        if patience == Patience::None {
            return Ok(Next::Wait { reason, wait: Duration::ZERO });
        }
        Err(self.settings.unusable(format!(
            "{most} messages in a row have become dead letters, and no further one does. The receiver does not take what it \
             is sent: {reason}. Correct it, then run the same command again, and `orgtide webhook replay` what it refused"
        )))
    }

    fn unreachable(&self, reason: String) -> DestinationError {
        let seconds = self.settings.patience.as_secs();
        DestinationError::Unreachable {
            place: self.settings.place(),
            reason: format!(
                "{reason}. Its messages wait in the {}, and the next run sends them first; this one has tried for {seconds} \
                 seconds",
                self.ledger.place()
            ),
        }
    }

    fn now(&self) -> Timestamp {
        self.settings.surroundings.clock.now()
    }
}

/// Between half and all of a time that doubles with each attempt, as the message's id falls.
fn jittered(message: &Message) -> Duration {
    let full = FIRST_WAIT.saturating_mul(1 << message.attempts.min(20)).min(LONGEST_WAIT);
    let fall = message.id.bytes().fold(message.attempts, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    full.mul_f64(0.5 + 0.5 * f64::from(fall % 1000) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_messages_do_not_wait_alike() {
        let wait = |id: &str, attempts: u32| {
            jittered(&Message { sequence: 1, id: id.to_owned(), body: String::new(), attempts, not_before: None })
        };
        for attempts in 0..100 {
            let full = Duration::from_secs(1 << attempts.min(10)).min(LONGEST_WAIT);
            for id in ["msg_a", "msg_b", "msg_0123"] {
                assert!((full / 2..=full).contains(&wait(id, attempts)), "{attempts}");
            }
        }
        assert_ne!(wait("msg_a", 3), wait("msg_b", 3));
    }
}
