//! E-mail that an org sends, such as verification codes. It never leaves the emulator.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The oldest messages are dropped beyond this number.
const CAPACITY: usize = 1000;

/// One message. Its text may hold a verification code, so `Debug` shows no text.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Number of the message, from 1.
    pub number: u64,
    /// Emulated time of sending.
    pub at: DateTime<Utc>,
    /// Address of the recipient.
    pub to: String,
    pub subject: String,
    pub text: String,
    /// The verification code in the text.
    pub code: Option<String>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Message {{ number: {}, to: {:?}, subject: {:?}, … }}", self.number, self.to, self.subject)
    }
}

/// The messages of all orgs, oldest first.
#[derive(Default)]
pub(crate) struct Mailbox {
    messages: Mutex<VecDeque<Message>>,
}

impl Mailbox {
    /// Sends a message that asks for a verification code.
    pub(crate) fn send_code(&self, to: &str, code: &str, at: DateTime<Utc>) {
        let subject = "Verify your identity in Salesforce";
        let text = format!(
            "You recently attempted to log in to your Salesforce org from a new browser or app.\n\
             To complete the login process, enter this verification code:\n\nVerification code: {code}"
        );
        let mut messages = self.lock();
        let number = messages.back().map_or(0, |last| last.number) + 1;
        if messages.len() == CAPACITY {
            messages.pop_front();
        }
        let (to, subject, code) = (to.to_owned(), subject.to_owned(), Some(code.to_owned()));
        messages.push_back(Message { number, at, to, subject, text, code });
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
