//! A vendor's client as the guides describe it: signs in, reads, and says how far it came.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use emulator::scenario::guide::{Answer, Client, Flow, HostKind, Refusal, Request, Shape};
use emulator::{Emulator, Secret};
use reqwest::Url;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::browser::{Browser, Page};
use crate::client::{Seen, trusting};

/// A code verifier of 43 characters.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A client of a running org, over TLS and under the org's own host names.
pub(crate) struct Vendor<'a> {
    emulator: &'a Emulator,
    http: reqwest::Client,
    client: Client,
}

/// What a sign-in gave.
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: Option<String>,
    pub(crate) instance_url: String,
}

impl<'a> Vendor<'a> {
    pub(crate) fn new(emulator: &'a Emulator, client: Client) -> Self {
        let address = emulator.tls_address().unwrap();
        let mut builder = trusting(emulator).no_proxy().redirect(reqwest::redirect::Policy::none());
        for host in emulator.hosts() {
            builder = builder.resolve(&host, address);
        }
        Self { emulator, http: builder.build().unwrap(), client }
    }

    /// Does all that the guide's client does.
    pub(crate) async fn connect(&self) -> Answer {
        match self.come_as_far_as_possible().await {
            Ok(answer) => answer,
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    async fn come_as_far_as_possible(&self) -> Result<Answer, Refusal> {
        let mut tokens = self.sign_in().await?;
        self.emulator.control().advance(Duration::from_secs(60 * self.client.idle_minutes));
        if self.client.refreshes {
            tokens = self.refresh(tokens.refresh_token.as_deref().unwrap_or_default()).await?;
        }
        self.read(&tokens).await?;
        let needs_refresh = matches!(self.client.flow, Flow::Device | Flow::WebServer) && !self.client.refreshes;
        Ok(if needs_refresh && tokens.refresh_token.is_none() { Answer::NoRefreshToken } else { Answer::Works })
    }

    /// The flow of the guide.
    pub(crate) async fn sign_in(&self) -> Result<Tokens, Refusal> {
        match self.client.flow {
            Flow::ClientCredentials => self.token(&self.with_scope(vec![("grant_type", "client_credentials")])).await,
            Flow::Device => self.device().await,
            Flow::Password => {
                let password = self.password_and_token();
                self.token(&[("grant_type", "password"), ("username", self.username()), ("password", &password)]).await
            }
            Flow::SoapLogin => self.soap_login().await,
            Flow::WebServer => self.web_server().await,
        }
    }

    async fn web_server(&self) -> Result<Tokens, Refusal> {
        let callback = self.client.callback_url.as_deref().unwrap_or_default();
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        let key = self.client.consumer_key.as_str();
        let mut parameters = vec![("response_type", "code"), ("client_id", key), ("redirect_uri", callback)];
        if self.client.pkce {
            parameters.push(("code_challenge", &challenge));
        }
        let parameters = self.with_scope(parameters);
        let url = Url::parse_with_params(&self.url("/services/oauth2/authorize"), parameters).unwrap();
        let mut browser = Browser::tls(self.emulator);
        let page = browser.open(url.as_str()).await;
        let page = self.log_in(&mut browser, page).await?;
        let page = self.answer_consent(&mut browser, page).await;
        let code = page.given("code").filter(|_| page.left_for(callback));
        let code = code.ok_or_else(|| authorize_refusal(&page, callback))?;
        let mut grant = vec![("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", callback)];
        if self.client.pkce {
            grant.push(("code_verifier", VERIFIER));
        }
        self.token(&grant).await
    }

    async fn device(&self) -> Result<Tokens, Refusal> {
        let started = self.post(&self.with_scope(vec![("response_type", "device_code")])).await;
        if started.status != 200 {
            return Err(oauth_refusal(Request::DeviceStart, &started));
        }
        let started = started.json();
        let text = |key: &str| started[key].as_str().unwrap();
        let mut browser = Browser::tls(self.emulator);
        let page = browser.open(text("verification_uri")).await;
        let page = self.log_in(&mut browser, page).await?;
        let page = browser.press(&page, ("", ""), &[("user_code", text("user_code"))]).await;
        if !page.is_consent() {
            let (error, description) = error_on(&page);
            return Err(refusal(Request::DeviceApproval, page.seen.status, error, description));
        }
        self.answer_consent(&mut browser, page).await;
        self.token(&[("grant_type", "device"), ("code", text("device_code"))]).await
    }

    /// Logs in where a page asks for it, with the code that was sent if one is asked for.
    async fn log_in(&self, browser: &mut Browser, page: Page) -> Result<Page, Refusal> {
        if !page.is_login() {
            return Ok(page);
        }
        let mut page = browser.log_in(&page, self.username(), exposed(&self.client.password)).await;
        if page.is_verification() {
            let sent = self.emulator.control().mailbox().last().and_then(|message| message.code.clone());
            let code = self.client.verification_code.clone().or(sent).unwrap();
            page = browser.enter_code(&page, &code).await;
        }
        if page.is_login() || page.is_verification() {
            let (_, problem) = page.seen.text.split_once("id=\"problem\">").unwrap();
            let problem = problem.split("</p>").next().unwrap().to_owned();
            return Err(refusal(Request::Login, page.seen.status, page.heading(), problem));
        }
        Ok(page)
    }

    async fn answer_consent(&self, browser: &mut Browser, page: Page) -> Page {
        match (page.is_consent(), self.client.denies) {
            (false, _) => page,
            (true, false) => browser.allow(&page).await,
            (true, true) => browser.deny(&page).await,
        }
    }

    async fn token(&self, grant: &[(&str, &str)]) -> Result<Tokens, Refusal> {
        self.redeem(Request::Token, grant).await
    }

    /// Redeems a refresh token.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Tokens, Refusal> {
        self.redeem(Request::Refresh, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    async fn redeem(&self, at: Request, grant: &[(&str, &str)]) -> Result<Tokens, Refusal> {
        let answer = self.post(grant).await;
        if answer.status != 200 {
            return Err(oauth_refusal(at, &answer));
        }
        let body = answer.json();
        let text = |key: &str| body[key].as_str().map(str::to_owned);
        Ok(Tokens {
            access_token: text("access_token").unwrap(),
            refresh_token: text("refresh_token"),
            instance_url: text("instance_url").unwrap(),
        })
    }

    /// A request to the token endpoint, with what identifies the client.
    async fn post(&self, parameters: &[(&str, &str)]) -> Seen {
        let secret = Some(exposed(&self.client.consumer_secret)).filter(|secret| !secret.is_empty());
        let own = [("client_id", Some(self.client.consumer_key.as_str())), ("client_secret", secret)];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let form: Vec<(&str, &str)> = parameters.iter().copied().chain(own).collect();
        let request = self.http.post(self.url("/services/oauth2/token")).form(&form);
        Seen::of(request.send().await.unwrap()).await
    }

    async fn soap_login(&self) -> Result<Tokens, Refusal> {
        let (username, password) = (self.username(), self.password_and_token());
        let body = format!(
            "<env:Envelope xmlns:env='http://schemas.xmlsoap.org/soap/envelope/'><env:Body>\
             <n1:login xmlns:n1='urn:partner.soap.sforce.com'><n1:username>{username}</n1:username>\
             <n1:password>{password}</n1:password></n1:login></env:Body></env:Envelope>"
        );
        let request = self.http.post(self.url("/services/Soap/u/62.0")).header("content-type", "text/xml");
        let answer = Seen::of(request.header("SOAPAction", "login").body(body).send().await.unwrap()).await;
        let element = |name: &str| Some(answer.text.split_once(&format!("{name}>"))?.1.split_once("</")?.0.to_owned());
        if answer.status == 200 {
            let url = element("serverUrl").unwrap();
            let instance_url = url.split_once("/services").unwrap().0.to_owned();
            return Ok(Tokens { access_token: element("sessionId").unwrap(), refresh_token: None, instance_url });
        }
        let (error, description) = (element("exceptionCode").unwrap(), element("exceptionMessage").unwrap());
        Err(refusal(Request::Soap, answer.status, error, description))
    }

    /// Reads what the guide's client reads, and finds at least one record.
    pub(crate) async fn read(&self, tokens: &Tokens) -> Result<Vec<Value>, Refusal> {
        let path = format!("/services/data/v{}/query", self.client.api_version);
        let request = self
            .http
            .get(format!("{}{path}", tokens.instance_url))
            .query(&[("q", &self.client.reads)])
            .bearer_auth(&tokens.access_token);
        let answer = Seen::of(request.send().await.unwrap()).await;
        if answer.status != 200 {
            let error = &answer.json()[0];
            let text = |key: &str| error[key].as_str().unwrap().to_owned();
            return Err(refusal(Request::Query, answer.status, text("errorCode"), text("message")));
        }
        let records = answer.json()["records"].as_array().unwrap().clone();
        assert!(!records.is_empty(), "{}", self.client.reads);
        Ok(records)
    }

    /// Parameters with the scopes that the client asks for.
    fn with_scope<'b>(&'b self, mut parameters: Vec<(&'b str, &'b str)>) -> Vec<(&'b str, &'b str)> {
        let scope = self.client.scope.as_deref().filter(|scope| !scope.is_empty());
        parameters.extend(scope.map(|scope| ("scope", scope)));
        parameters
    }

    fn username(&self) -> &str {
        self.client.username.as_deref().unwrap_or_default()
    }

    fn password_and_token(&self) -> String {
        format!("{}{}", exposed(&self.client.password), exposed(&self.client.security_token))
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.host())
    }

    fn host(&self) -> String {
        let hosts = self.emulator.hosts();
        let my_domain = &hosts[0];
        match self.client.host {
            HostKind::MyDomain => my_domain.clone(),
            HostKind::Login => "login.salesforce.com".to_owned(),
            HostKind::Test => "test.salesforce.com".to_owned(),
            HostKind::Lightning => my_domain.replace(".my.salesforce.com", ".lightning.force.com"),
            HostKind::Setup => my_domain.replace(".my.salesforce.com", ".my.salesforce-setup.com"),
        }
    }
}

fn refusal(at: Request, status: u16, error: String, description: String) -> Refusal {
    Refusal { at, status: Some(status), error, description, shape: None }
}

fn oauth_refusal(at: Request, answer: &Seen) -> Refusal {
    let (error, description) = answer.oauth_error();
    refusal(at, answer.status, error, description)
}

/// What an authorization has come to, where it gave no code.
fn authorize_refusal(page: &Page, callback: &str) -> Refusal {
    let (shape, (error, description)) = if page.left_for(callback) {
        (Shape::Redirect, page.error())
    } else if page.url.path().ends_with("RemoteAccessErrorPage.apexp") {
        (Shape::ErrorPage, page.error())
    } else if page.seen.text.contains("<pre") {
        (Shape::Page, error_on(page))
    } else {
        (Shape::Bare, error_in(&page.seen.text))
    };
    Refusal { shape: Some(shape), ..refusal(Request::Authorize, page.seen.status, error, description) }
}

/// The error that a page shows as `error=…&error_description=…`.
fn error_on(page: &Page) -> (String, String) {
    let (_, rest) = page.seen.text.split_once("<pre").unwrap_or_else(|| panic!("no error: {page:?}"));
    let (_, text) = rest.split("</pre>").next().unwrap().split_once('>').unwrap();
    error_in(&text.replace("&#38;", "&").replace("&amp;", "&"))
}

fn error_in(encoded: &str) -> (String, String) {
    let url = Url::parse(&format!("x:?{encoded}")).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let value = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    (value("error").unwrap_or_default(), value("error_description").unwrap_or_default())
}

fn exposed(secret: &Option<Secret>) -> &str {
    secret.as_ref().map_or("", Secret::expose)
}
