//! One attempt: a message is signed and sent, and its answer judged.

use std::error::Error as _;

use reqwest::{Client, Response, header, redirect};
use sync::destination::DestinationError;

use super::{
    answer::{Answer, Verdict, retry_after},
    network::{Admitted, Refused},
    secret::Secrets,
    settings::WebhookSettings,
};

/// So much of an answer is read.
const MOST_OF_AN_ANSWER: usize = 16 * 1024;

/// Sends messages to one receiver.
pub(super) struct Sender {
    settings: WebhookSettings,
    client: Client,
    secrets: Secrets,
}

impl Sender {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// The address is not admitted, there is no secret, or TLS cannot be set up.
    pub(super) fn new(settings: &WebhookSettings) -> Result<Self, DestinationError> {
        let surroundings = &settings.surroundings;
        let admitted = surroundings.policy.admit_url(&settings.url, surroundings.proxy.is_some());
        admitted.map_err(|refused| denied(settings, &refused))?;
        let secrets = settings.secret.read().map_err(|reason| settings.unusable(reason))?;
        let client = client(settings).map_err(|reason| settings.unusable(reason))?;
        Ok(Self { settings: settings.clone(), client, secrets })
    }

    /// Sends a message, with a signature of this moment.
    pub(super) async fn send(&self, id: &str, body: String) -> Verdict {
        let Self { settings, .. } = self;
        tokio::select! {
            verdict = self.exchange(id, body) => verdict,
            () = settings.surroundings.clock.time_out(settings.timeout) => Verdict::Later {
                reason: format!("it has not answered whole within {} seconds", settings.timeout.as_secs()),
                after: None,
            },
        }
    }

    async fn exchange(&self, id: &str, body: String) -> Verdict {
        let seconds = self.settings.surroundings.clock.now().0.div_euclid(1000);
        let signature = self.secrets.sign(id, seconds, body.as_bytes());
        let request = self
            .client
            .post(self.settings.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(body);
        match request.send().await {
            Ok(response) => match self.read(response).await {
                Ok(answer) => answer.judge(self.settings.answers),
                Err(error) => Verdict::Later { reason: reason(&error), after: None },
            },
            Err(error) => match refusal(&error) {
                Some(refused) => Verdict::Denied { reason: refused.to_string() },
                None => Verdict::Later { reason: reason(&error), after: None },
            },
        }
    }

    async fn read(&self, mut response: Response) -> Result<Answer, reqwest::Error> {
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), self.settings.surroundings.clock.now());
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            let room = MOST_OF_AN_ANSWER - body.len();
            body.extend_from_slice(&piece[..piece.len().min(room)]);
            if body.len() == MOST_OF_AN_ANSWER {
                break;
            }
        }
        Ok(Answer { status, retry_after, body })
    }
}

fn denied(settings: &WebhookSettings, refused: &Refused) -> DestinationError {
    DestinationError::Denied { place: settings.place(), reason: refused.to_string() }
}

/// A client that reaches admitted addresses alone, follows nothing, and unpacks nothing.
fn client(settings: &WebhookSettings) -> Result<Client, String> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing a race for the installation is as good as winning it.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let surroundings = &settings.surroundings;
    let admitted = Admitted {
        policy: surroundings.policy.clone(),
        url: settings.url.clone(),
        proxy_host: surroundings.proxy.as_ref().and_then(|proxy| proxy.host_str()).map(str::to_owned),
    };
    let mut builder = Client::builder()
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_gzip()
        .no_proxy()
        .user_agent(concat!("orgtide/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(admitted);
    if let Some(proxy) = &surroundings.proxy {
        builder = builder.proxy(reqwest::Proxy::all(proxy.clone()).map_err(|error| reason(&error))?);
    }
    for bundle in &surroundings.extra_ca_pem {
        let certificates = reqwest::Certificate::from_pem_bundle(bundle.as_bytes()).map_err(|error| reason(&error))?;
        builder = certificates.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
    }
    builder.build().map_err(|error| reason(&error))
}

/// The policy's refusal among an error's causes.
fn refusal(error: &reqwest::Error) -> Option<&Refused> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        cause = error.source();
    }
    None
}

/// The causes of an error, which name no address: its query may hold a secret.
fn reason(error: &reqwest::Error) -> String {
    let mut words = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    words.dedup();
    if words.is_empty() { "the connection failed".to_owned() } else { words.join(": ") }
}
