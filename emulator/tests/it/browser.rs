//! A browser without scripts: it keeps cookies, follows redirects while they stay with the emulated hosts, and fills in
//! forms.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use emulator::Emulator;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};

use crate::client::{Seen, trusting};

/// More redirects than any page needs.
const MOST_REDIRECTS: usize = 12;

/// One browser with an empty profile.
#[derive(Clone)]
pub(crate) struct Browser {
    http: Client,
    /// Addresses that it may follow redirects to.
    hosts: Vec<String>,
    /// By host and name.
    cookies: BTreeMap<(String, String), String>,
}

/// What the browser shows, or the address to which it was sent away.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) seen: Seen,
}

impl Browser {
    /// A browser that reaches the orgs over plain HTTP: by the listener's address, or as `login.localhost`,
    /// `test.localhost` and `<My Domain>.localhost`.
    pub(crate) fn plain(emulator: &Emulator) -> Self {
        let address: SocketAddr = emulator.http_url().trim_start_matches("http://").parse().unwrap();
        let own = emulator.hosts().into_iter().filter_map(|host| {
            let name = host.split('.').next()?;
            host.ends_with(".my.salesforce.com").then(|| format!("{name}.localhost"))
        });
        let hosts: Vec<String> =
            ["127.0.0.1", "login.localhost", "test.localhost"].map(str::to_owned).into_iter().chain(own).collect();
        Self::new(Client::builder(), &hosts, address)
    }

    /// A browser that knows the orgs' certificate authority and reaches them by their names.
    pub(crate) fn tls(emulator: &Emulator) -> Self {
        Self::new(trusting(emulator), &emulator.hosts(), emulator.tls_address().unwrap())
    }

    fn new(builder: reqwest::ClientBuilder, hosts: &[String], address: SocketAddr) -> Self {
        let builder = hosts.iter().fold(builder, |builder, host| builder.resolve(host, address));
        let http = builder.no_proxy().redirect(Policy::none()).build().unwrap();
        Self { http, hosts: hosts.to_vec(), cookies: BTreeMap::new() }
    }

    /// Opens an address.
    pub(crate) async fn open(&mut self, url: &str) -> Page {
        let url = Url::parse(url).unwrap();
        let request = self.http.get(url.clone());
        self.follow(url, request).await
    }

    /// Sends a form that no page showed.
    pub(crate) async fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Page {
        let url = Url::parse(url).unwrap();
        let request = self.http.post(url.clone()).form(form);
        self.follow(url, request).await
    }

    /// Presses a button of the form that has it, after filling in `fields`. A form without that button, or a page without
    /// a form, fails the test. An empty name presses the button that has none.
    pub(crate) async fn press(&mut self, page: &Page, button: (&str, &str), fields: &[(&str, &str)]) -> Page {
        let form = page.form_with(button);
        let mut sent = hidden_fields(form);
        sent.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        if !button.0.is_empty() {
            sent.push((button.0.to_owned(), button.1.to_owned()));
        }
        let url = page.url.join(&attribute(form, "action")).unwrap();
        let request = self.http.post(url.clone()).form(&sent);
        self.follow(url, request).await
    }

    pub(crate) async fn log_in(&mut self, page: &Page, username: &str, password: &str) -> Page {
        assert!(page.is_login(), "no login page: {page:?}");
        self.press(page, ("", ""), &[("username", username), ("password", password)]).await
    }

    pub(crate) async fn enter_code(&mut self, page: &Page, code: &str) -> Page {
        self.press(page, ("", ""), &[("code", code)]).await
    }

    pub(crate) async fn allow(&mut self, page: &Page) -> Page {
        self.press(page, ("decision", "allow"), &[]).await
    }

    pub(crate) async fn deny(&mut self, page: &Page) -> Page {
        self.press(page, ("decision", "deny"), &[]).await
    }

    /// Forgets every cookie.
    pub(crate) fn forget(&mut self) {
        self.cookies.clear();
    }

    /// Sends a request with the cookies of its host, and goes where the answers lead.
    pub(crate) async fn follow(&mut self, mut url: Url, mut request: RequestBuilder) -> Page {
        for _ in 0..MOST_REDIRECTS {
            let host = url.host_str().unwrap().to_owned();
            let of_host = self.cookies.iter().filter(|((known, _), _)| *known == host);
            let cookies: Vec<String> = of_host.map(|((_, name), value)| format!("{name}={value}")).collect();
            let seen = Seen::of(request.header("cookie", cookies.join("; ")).send().await.unwrap()).await;
            self.keep_cookies(&host, &seen);
            if seen.status != 302 {
                return Page { url, seen };
            }
            url = url.join(seen.header("location")).unwrap();
            if !url.host_str().is_some_and(|host| self.hosts.iter().any(|known| known == host)) {
                return Page { url, seen };
            }
            request = self.http.get(url.clone());
        }
        panic!("too many redirects, the last to {url}");
    }

    fn keep_cookies(&mut self, host: &str, seen: &Seen) {
        for cookie in seen.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.insert((host.to_owned(), name.to_owned()), value.to_owned());
        }
    }
}

impl Page {
    /// Whether the browser was sent to `callback`.
    pub(crate) fn left_for(&self, callback: &str) -> bool {
        self.url.as_str().starts_with(callback)
    }

    /// A parameter that the callback was given, in its query or its fragment, decoded.
    pub(crate) fn given(&self, name: &str) -> Option<String> {
        let fragment = self.url.fragment().unwrap_or_default();
        let pairs = url_pairs(self.url.query().unwrap_or_default()).chain(url_pairs(fragment));
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// `error` and `error_description` that the callback was given.
    pub(crate) fn error(&self) -> (String, String) {
        let given = |name| self.given(name).unwrap_or_default();
        (given("error"), given("error_description"))
    }

    pub(crate) fn heading(&self) -> String {
        let (_, rest) = self.seen.text.split_once("<h1>").unwrap_or_else(|| panic!("no heading: {self:?}"));
        let heading = rest.split("</h1>").next().unwrap();
        heading.split('<').next().unwrap().trim().to_owned()
    }

    pub(crate) fn is_login(&self) -> bool {
        self.seen.status == 200 && self.heading() == "Log in"
    }

    pub(crate) fn is_consent(&self) -> bool {
        self.seen.status == 200 && self.heading() == "Allow Access?"
    }

    pub(crate) fn is_verification(&self) -> bool {
        self.seen.status == 200 && self.heading() == "Verify your identity"
    }

    /// Where the link with a text leads.
    pub(crate) fn link(&self, text: &str) -> String {
        let (before, _) =
            self.seen.text.split_once(&format!(">{text}</a>")).unwrap_or_else(|| panic!("no {text}: {self:?}"));
        let (_, tag) = before.rsplit_once("<a ").unwrap();
        self.url.join(&attribute(tag, "href")).unwrap().into()
    }

    fn form_with(&self, button: (&str, &str)) -> &str {
        let has_button = |form: &&str| match button {
            ("", _) => form.contains("type=\"submit\">"),
            (name, value) => form.contains(&format!("name=\"{name}\" value=\"{value}\"")),
        };
        let forms = self.seen.text.split("<form ").skip(1).map(|form| form.split("</form>").next().unwrap());
        forms.into_iter().find(has_button).unwrap_or_else(|| panic!("no button {button:?} on {self:?}"))
    }
}

fn url_pairs(encoded: &str) -> impl Iterator<Item = (String, String)> {
    let url = Url::parse(&format!("x:?{encoded}")).unwrap();
    url.query_pairs().into_owned().collect::<Vec<_>>().into_iter()
}

fn hidden_fields(form: &str) -> Vec<(String, String)> {
    let inputs = form.split("<input ").skip(1).map(|input| input.split('>').next().unwrap());
    let hidden = inputs.filter(|input| input.contains("type=\"hidden\""));
    hidden.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect()
}

fn attribute(tag: &str, name: &str) -> String {
    let (_, rest) = tag.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name} in {tag}"));
    let value = rest.split('"').next().unwrap();
    ["&#38;", "&amp;"].iter().fold(value.to_owned(), |value, entity| value.replace(entity, "&"))
}

/// The callback of the apps of the scenario `acme`.
pub(crate) const CALLBACK: &str = "https://app.example/callback";

/// An app's link: the web server flow with [`CALLBACK`], unless `more` says otherwise. An empty value leaves a parameter
/// out.
pub(crate) fn authorize_url(base: &str, key: &str, more: &[(&str, &str)]) -> String {
    let mut parameters = vec![("response_type", "code"), ("client_id", key), ("redirect_uri", CALLBACK)];
    for (name, value) in more {
        parameters.retain(|(known, _)| known != name);
        parameters.push((name, value));
    }
    parameters.retain(|(_, value)| !value.is_empty());
    let base = format!("{base}/services/oauth2/authorize");
    Url::parse_with_params(&base, parameters).unwrap().into()
}
