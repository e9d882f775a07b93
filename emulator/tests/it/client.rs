//! A running org and a plain HTTP client for it.

use std::net::SocketAddr;
use std::sync::Once;
use std::time::Duration;

use emulator::{Emulator, Options, Scenario};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

pub(crate) const KEY: &str = "3MVG9.acme.integration";
pub(crate) const SECRET: &str = "acme-integration-secret";
pub(crate) const CONNECTED_KEY: &str = "3MVG9.acme.connected";
pub(crate) const CONNECTED_SECRET: &str = "acme-connected-secret";

/// What comes of something that a test waits for. Fails when nothing does within far more time than it takes.
pub(crate) async fn in_time<T>(what: &str, coming: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(120), coming).await {
        Ok(come) => come,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// An org of the scenario `acme` and a client of its plain listener.
pub(crate) struct Acme {
    pub(crate) emulator: Emulator,
    pub(crate) http: Client,
}

/// Status, headers and text of an answer.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Seen {
    pub(crate) async fn of(response: Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `errorCode` of a data API error.
    pub(crate) fn code(&self) -> String {
        self.json()[0]["errorCode"].as_str().unwrap_or_default().to_owned()
    }

    /// `error` and `error_description` of an OAuth error.
    pub(crate) fn oauth_error(&self) -> (String, String) {
        let body = self.json();
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        (text("error"), text("error_description"))
    }
}

impl Acme {
    /// Waits until every fault has struck a request.
    pub(crate) async fn faults_struck(&self) {
        let left = || self.emulator.control().unused_faults();
        let struck = async {
            while !left().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        in_time(&format!("a request that fits {:?}", left()), struck).await;
    }

    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Scenario)) -> Self {
        let mut scenario = Scenario::builtin("acme").unwrap();
        change(&mut scenario);
        Self::start_in(scenario, Options::default()).await
    }

    pub(crate) async fn start_in(scenario: Scenario, options: Options) -> Self {
        let emulator = Emulator::start(scenario, options).await.unwrap();
        Self { emulator, http: plain_client() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.emulator.http_url())
    }

    pub(crate) async fn token_request(&self, form: &[(&str, &str)]) -> Seen {
        let request = self.http.post(self.url("/services/oauth2/token")).form(form);
        Seen::of(request.send().await.unwrap()).await
    }

    /// An access token of the integration user.
    pub(crate) async fn sign_in(&self) -> String {
        let answer = self.client_credentials(KEY, SECRET).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        access_token(&answer)
    }

    pub(crate) async fn sign_in_as(&self, username: &str, password: &str) -> String {
        let answer = self.password_grant(username, password).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        access_token(&answer)
    }

    /// An access token of the administrator.
    pub(crate) async fn sign_in_as_admin(&self) -> String {
        self.sign_in_as("admin@acme.example", "correct-horseTokenOfAdmin0000000000000").await
    }

    pub(crate) async fn client_credentials(&self, key: &str, secret: &str) -> Seen {
        let form = [("grant_type", "client_credentials"), ("client_id", key), ("client_secret", secret)];
        self.token_request(&form).await
    }

    pub(crate) async fn password_grant(&self, username: &str, password: &str) -> Seen {
        self.token_request(&[
            ("grant_type", "password"),
            ("client_id", CONNECTED_KEY),
            ("client_secret", CONNECTED_SECRET),
            ("username", username),
            ("password", password),
        ])
        .await
    }

    pub(crate) async fn refresh(&self, key: &str, secret: &str, token: &str) -> Seen {
        self.token_request(&[
            ("grant_type", "refresh_token"),
            ("client_id", key),
            ("client_secret", secret),
            ("refresh_token", token),
        ])
        .await
    }

    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.http.request(method, self.url(path)).bearer_auth(token)
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Seen {
        Seen::of(self.request(Method::GET, path, token).send().await.unwrap()).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, token: &str, body: &Value) -> Seen {
        let request = self.request(method, path, token).json(body);
        Seen::of(request.send().await.unwrap()).await
    }
}

pub(crate) fn access_token(answer: &Seen) -> String {
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// A client that knows the org's certificate authority and finds its hosts at the TLS listener.
pub(crate) fn tls_client(emulator: &Emulator) -> Client {
    let address: SocketAddr = emulator.tls_address().unwrap();
    let mut builder = trusting(emulator).no_proxy();
    for host in emulator.hosts() {
        builder = builder.resolve(&host, address);
    }
    builder.build().unwrap()
}

/// The start of a client that trusts the org's certificate authority.
pub(crate) fn trusting(emulator: &Emulator) -> reqwest::ClientBuilder {
    install_provider();
    let ca = reqwest::Certificate::from_pem(emulator.ca_pem().as_bytes()).unwrap();
    Client::builder().tls_certs_only([ca])
}

/// A client without TLS and without the machine's proxy.
pub(crate) fn plain_client() -> Client {
    install_provider();
    Client::builder().no_proxy().build().unwrap()
}

fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().unwrap();
    });
}
