//! A person at a browser without scripts, who fills in whatever form is shown until there is none.

use std::collections::BTreeMap;

use emulator::Control;
use reqwest::{Client, RequestBuilder, Url, redirect::Policy};

use crate::acme::Acme;

/// More pages and redirects than any way through has.
const MOST_STEPS: usize = 20;

/// What the person answers.
#[derive(Clone, Copy)]
pub(crate) struct Person<'a> {
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
    pub(crate) decision: &'a str,
}

impl<'a> Person<'a> {
    pub(crate) fn allowing(username: &'a str, password: &'a str) -> Self {
        Self { username, password, decision: "allow" }
    }

    pub(crate) fn denying(self) -> Self {
        Self { decision: "deny", ..self }
    }
}

/// Sam of the scenario `acme`.
pub(crate) const SAM: Person<'_> =
    Person { username: "sam@acme.example", password: "sams-password", decision: "allow" };

/// Where the person ended up: at an address outside Salesforce, or on a page that asks nothing more.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) url: Url,
    pub(crate) text: String,
}

impl Ended {
    /// The query that was brought to `callback`.
    pub(crate) fn query_at(&self, callback: &str) -> &str {
        assert!(self.url.as_str().starts_with(callback), "{self:?}");
        self.url.query().unwrap_or_default()
    }
}

/// A browser with an empty profile.
pub(crate) struct Browser {
    http: Client,
    hosts: Vec<String>,
    /// Where the person reads mail.
    control: Control,
    cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    pub(crate) fn new(acme: &Acme) -> Self {
        let hosts = acme.emulator.hosts();
        let address = acme.emulator.tls_address().unwrap();
        let authority = reqwest::Certificate::from_pem(acme.emulator.ca_pem().as_bytes()).unwrap();
        // The client of the library installs the TLS provider.
        drop(acme.http());
        let builder = Client::builder().no_proxy().redirect(Policy::none()).add_root_certificate(authority);
        let builder = hosts.iter().fold(builder, |builder, host| builder.resolve(host, address));
        let control = acme.emulator.control().clone();
        Self { http: builder.build().unwrap(), hosts, control, cookies: BTreeMap::new() }
    }

    /// Goes where `url` leads, as far as `person` can.
    pub(crate) async fn walk(&mut self, url: &Url, person: Person<'_>) -> Ended {
        let mut url = url.clone();
        let mut request = self.http.get(url.clone());
        for _ in 0..MOST_STEPS {
            let (location, text) = self.send(&url, request).await;
            if let Some(location) = location {
                url = url.join(&location).unwrap();
                if !url.host_str().is_some_and(|host| self.hosts.iter().any(|known| known == host)) {
                    return Ended { url, text };
                }
                request = self.http.get(url.clone());
                continue;
            }
            let asks_again = text.contains("class=\"problem\"");
            let form = Form::first_on(&text).filter(|_| !asks_again);
            let Some(form) = form else { return Ended { url, text } };
            url = url.join(&form.action).unwrap();
            request = self.http.post(url.clone()).form(&self.filled_in(form, person));
        }
        panic!("no end, last at {url}");
    }

    fn filled_in(&self, form: Form, person: Person<'_>) -> Vec<(String, String)> {
        let mut fields = form.fields;
        for (name, value) in &mut fields {
            match name.as_str() {
                "username" => *value = person.username.to_owned(),
                "password" => *value = person.password.to_owned(),
                "code" => *value = self.control.mailbox().pop().and_then(|message| message.code).unwrap(),
                _ => {}
            }
        }
        if form.decides {
            fields.push(("decision".to_owned(), person.decision.to_owned()));
        }
        fields
    }

    /// The address that the answer leads to, and its text.
    async fn send(&mut self, url: &Url, request: RequestBuilder) -> (Option<String>, String) {
        let host = url.host_str().unwrap().to_owned();
        let own = self.cookies.iter().filter(|((known, _), _)| *known == host);
        let cookies: Vec<String> = own.map(|((_, name), value)| format!("{name}={value}")).collect();
        let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            self.cookies.insert((host.clone(), name.to_owned()), value.to_owned());
        }
        let location = answer.headers().get("location").map(|location| location.to_str().unwrap().to_owned());
        (location, answer.text().await.unwrap())
    }
}

/// The first form of a page: its fields with what they hold already, and its buttons.
struct Form {
    action: String,
    fields: Vec<(String, String)>,
    decides: bool,
}

impl Form {
    fn first_on(page: &str) -> Option<Self> {
        let (head, rest) = page.split_once("<form ")?.1.split_once('>')?;
        let form = rest.split("</form>").next()?;
        let inputs = form.split("<input ").skip(1).filter_map(|input| input.split('>').next());
        let fields = inputs.filter(|input| !input.contains("type=\"checkbox\""));
        let fields =
            fields.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default())));
        Some(Self {
            action: attribute(head, "action")?,
            fields: fields.collect(),
            decides: form.contains("name=\"decision\""),
        })
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!("{name}=\""))?.1.split('"').next()?;
    Some(value.replace("&#38;", "&").replace("&amp;", "&"))
}
