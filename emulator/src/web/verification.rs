//! The page that asks for a code sent by e-mail.

use super::browser::{Challenge, Purpose, SignedIn, Tried};
use super::page::{self, VerificationPage};
use super::start_url::StartUrl;
use super::visitor::Visitor;
use crate::answer::Answer;
use crate::route::WebRoute;

const WRONG: &str = "The verification code is invalid or has expired. Check the code, or ask for a new one.";
const RESENT: &str = "We sent you a new code. The one before no longer works.";

impl Visitor<'_> {
    pub(super) fn verification(&mut self) -> Answer {
        let Some(mut challenge) = self.browser.challenge.clone() else {
            return page::redirect(WebRoute::Login.path());
        };
        if !self.is_post() {
            return self.verification_page(&challenge, None, None);
        }
        if !self.form_is_genuine() {
            return self.form_is_stale();
        }
        if self.parameters.get("resend").is_some() {
            return self.resend(challenge);
        }
        let code = self.parameters.get("code").unwrap_or_default().trim().to_owned();
        match challenge.attempt(&code, self.now()) {
            Tried::Right => self.verified(challenge),
            Tried::Wrong => {
                self.browser.challenge = Some(challenge.clone());
                self.store();
                self.verification_page(&challenge, Some(WRONG), None)
            }
            Tried::GivenUp => {
                self.browser.challenge = None;
                self.store();
                page::redirect(&to_login(challenge.start_url.as_ref()))
            }
        }
    }

    fn resend(&mut self, mut challenge: Challenge) -> Answer {
        let code = challenge.renew(self.now());
        if let Some(address) = self.address_of(&challenge) {
            self.world.shared.mailbox.send_code(&address, &code, self.now());
        }
        self.browser.challenge = Some(challenge.clone());
        self.store();
        self.verification_page(&challenge, None, Some(RESENT))
    }

    fn verified(&mut self, challenge: Challenge) -> Answer {
        if self.parameters.get("remember").is_some() {
            self.browser.verify(challenge.org, &challenge.username);
        }
        let Challenge { org, username, purpose, start_url, remembers_user, .. } = challenge;
        let session = SignedIn { org, username, level: purpose.level(), last_used: self.now() };
        self.enter(session, remembers_user, start_url)
    }

    fn verification_page(&self, challenge: &Challenge, problem: Option<&str>, news: Option<&str>) -> Answer {
        let address = self.address_of(challenge).unwrap_or_default();
        VerificationPage {
            frame: self.frame(),
            address: &masked(&address),
            problem,
            news,
            may_remember: challenge.purpose == Purpose::VerifyBrowser,
            back: &to_login(challenge.start_url.as_ref()),
        }
        .answer()
    }

    fn address_of(&self, challenge: &Challenge) -> Option<String> {
        let org = self.world.org_that(|org| org.id == challenge.org)?;
        let setup = org.setup(self.call);
        setup.user(&challenge.username).map(|user| user.address().to_owned())
    }
}

fn to_login(start: Option<&StartUrl>) -> String {
    start.map_or_else(|| WebRoute::Login.path().to_owned(), |start| start.after(WebRoute::Login))
}

/// `a***@acme.example`: enough to know which mailbox to look into.
fn masked(address: &str) -> String {
    let Some((name, host)) = address.split_once('@') else { return "your mailbox".to_owned() };
    let first: String = name.chars().take(1).collect();
    format!("{first}***@{host}")
}
