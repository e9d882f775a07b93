//! A vendor's client as the guides describe it: signs in, reads, and says how far it came.

use std::time::Duration;

use emulator::scenario::guide::{Answer, Client, Flow, HostKind, Refusal, Request};
use emulator::{Emulator, Secret};
use serde_json::Value;

use crate::client::{Seen, trusting};

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
        let wants_refresh = self.client.scope.as_deref().is_some_and(|scope| scope.contains("refresh_token"));
        let lacks_refresh = wants_refresh && !self.client.refreshes && tokens.refresh_token.is_none();
        Ok(if lacks_refresh { Answer::NoRefreshToken } else { Answer::Works })
    }

    /// The flow of the guide.
    pub(crate) async fn sign_in(&self) -> Result<Tokens, Refusal> {
        match self.client.flow {
            Flow::ClientCredentials => self.token(&[("grant_type", "client_credentials")]).await,
            Flow::Password => {
                let username = self.client.username.as_deref().unwrap_or_default();
                let password = format!("{}{}", exposed(&self.client.password), exposed(&self.client.security_token));
                self.token(&[("grant_type", "password"), ("username", username), ("password", &password)]).await
            }
            Flow::SoapLogin => self.soap_login().await,
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
        let secret = self.client.consumer_secret.as_ref().map(Secret::expose);
        let own = [("client_id", Some(self.client.consumer_key.as_str())), ("client_secret", secret)];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let form: Vec<(&str, &str)> = parameters.iter().copied().chain(own).chain(self.scope()).collect();
        let request = self.http.post(self.url("/services/oauth2/token")).form(&form);
        Seen::of(request.send().await.unwrap()).await
    }

    /// The scopes that the client asks for, where a token request carries them.
    fn scope(&self) -> Option<(&'static str, &str)> {
        let asks = self.client.flow == Flow::ClientCredentials;
        self.client.scope.as_deref().filter(|_| asks).map(|scope| ("scope", scope))
    }

    async fn soap_login(&self) -> Result<Tokens, Refusal> {
        let username = self.client.username.as_deref().unwrap_or_default();
        let password = format!("{}{}", exposed(&self.client.password), exposed(&self.client.security_token));
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
        Err(Refusal {
            at: Request::Soap,
            status: Some(answer.status),
            error: element("exceptionCode").unwrap(),
            description: element("exceptionMessage").unwrap(),
            shape: None,
        })
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
            return Err(Refusal {
                at: Request::Query,
                status: Some(answer.status),
                error: text("errorCode"),
                description: text("message"),
                shape: None,
            });
        }
        let records = answer.json()["records"].as_array().unwrap().clone();
        assert!(!records.is_empty(), "{}", self.client.reads);
        Ok(records)
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

fn oauth_refusal(at: Request, answer: &Seen) -> Refusal {
    let (error, description) = answer.oauth_error();
    Refusal { at, status: Some(answer.status), error, description, shape: None }
}

fn exposed(secret: &Option<Secret>) -> &str {
    secret.as_ref().map_or("", Secret::expose)
}
