//! A person with a browser: follows links, fills in the forms that Salesforce shows, and reads their mail. It knows
//! forms, not the emulated org: fields are found by their names, as a password manager finds them.

use std::{collections::BTreeMap, net::SocketAddr};

use emulator::Emulator;
use reqwest::{Client, Url, redirect::Policy};

/// More pages than any sign-in has.
const MOST_PAGES: usize = 20;

/// What the person answers when asked for access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Allow,
    Deny,
}

pub(crate) struct Person {
    http: Client,
    /// By host and name.
    cookies: BTreeMap<(String, String), String>,
    username: String,
    password: String,
    /// Where the person's mail is read: the emulator's page, as any browser sees it.
    mailbox: String,
}

/// Where the person ended, and what they see there.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// A form of a page: where it leads, and its fields with their values.
struct Form {
    action: String,
    fields: BTreeMap<String, String>,
    has_decision: bool,
}

impl Person {
    pub(crate) fn new(emulator: &Emulator, username: &str, password: &str) -> Self {
        // Whoever else installs it is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let address: SocketAddr = emulator.tls_address().unwrap();
        let authority = reqwest::Certificate::from_pem(emulator.ca_pem().as_bytes()).unwrap();
        let builder = Client::builder().no_proxy().redirect(Policy::none()).add_root_certificate(authority);
        let builder = emulator.hosts().iter().fold(builder, |builder, host| builder.resolve(host, address));
        Self {
            http: builder.build().unwrap(),
            cookies: BTreeMap::new(),
            username: username.to_owned(),
            password: password.to_owned(),
            mailbox: format!("{}/__emulator/mailbox", emulator.http_url()),
        }
    }

    /// Opens `url` and goes where it leads, signing in and answering on the way, until a page has nothing to fill in.
    pub(crate) async fn visit(&mut self, url: &str, answer: Answer) -> Seen {
        let mut url = Url::parse(url).unwrap();
        let mut form: Option<Vec<(String, String)>> = None;
        for _ in 0..MOST_PAGES {
            let request = match form.take() {
                Some(fields) => self.http.post(url.clone()).form(&fields),
                None => self.http.get(url.clone()),
            };
            let host = url.host_str().unwrap().to_owned();
            let of_host = self.cookies.iter().filter(|((known, _), _)| *known == host);
            let cookies: Vec<String> = of_host.map(|((_, name), value)| format!("{name}={value}")).collect();
            let response = request.header("cookie", cookies.join("; ")).send().await.unwrap();
            for cookie in response.headers().get_all("set-cookie") {
                let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
                let value = rest.split(';').next().unwrap();
                self.cookies.insert((host.clone(), name.to_owned()), value.to_owned());
            }
            if let Some(location) = response.headers().get("location") {
                url = url.join(location.to_str().unwrap()).unwrap();
                continue;
            }
            let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
            match self.filled_in(&text, answer).await {
                Some((action, fields)) => {
                    url = url.join(&action).unwrap();
                    form = Some(fields);
                }
                None => return Seen { url, status, text },
            }
        }
        panic!("no end of pages at {url}");
    }

    /// The first form of a page that asks something, filled in.
    async fn filled_in(&self, page: &str, answer: Answer) -> Option<(String, Vec<(String, String)>)> {
        for mut form in forms(page) {
            if form.fields.contains_key("password") {
                form.fields.insert("username".into(), self.username.clone());
                form.fields.insert("password".into(), self.password.clone());
            } else if form.fields.contains_key("code") {
                form.fields.insert("code".into(), self.newest_code().await);
            } else if form.has_decision {
                form.fields.insert("decision".into(), format!("{answer:?}").to_lowercase());
            } else if form.fields.get("user_code").is_none_or(String::is_empty) {
                continue;
            }
            form.fields.remove("remember");
            return Some((form.action, form.fields.into_iter().collect()));
        }
        None
    }

    /// The verification code of the newest message.
    async fn newest_code(&self) -> String {
        let text = self.http.get(&self.mailbox).send().await.unwrap().text().await.unwrap();
        let messages: serde_json::Value = serde_json::from_str(&text).unwrap();
        messages.as_array().unwrap().last().unwrap()["code"].as_str().unwrap().to_owned()
    }
}

fn forms(page: &str) -> Vec<Form> {
    let bodies = page.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap());
    bodies
        .map(|body| Form {
            action: attribute(body.split('>').next().unwrap(), "action").unwrap_or_default(),
            fields: tags(body, "<input").filter_map(field).collect(),
            has_decision: tags(body, "<button").any(|tag| attribute(tag, "name").as_deref() == Some("decision")),
        })
        .collect()
}

fn field(tag: &str) -> Option<(String, String)> {
    Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))
}

fn tags<'a>(body: &'a str, opening: &'a str) -> impl Iterator<Item = &'a str> {
    body.split(opening).skip(1).map(|rest| rest.split('>').next().unwrap_or_default())
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?;
    Some(value.replace("&#38;", "&").replace("&amp;", "&").replace("&#34;", "\"").replace("&quot;", "\""))
}
