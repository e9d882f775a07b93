//! The console as browsers meet it: who may what, and what every answer carries.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::body::{Body, to_bytes};
use emulator::{Emulator, Options, Scenario};
use futures_util::{FutureExt, future::BoxFuture};
use http::{Method, Request, StatusCode, header};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use salesforce::{
    Timestamp,
    http::{MappedHost, Timer},
};

use super::{
    call::Access,
    routes::{self, Route},
};
use crate::{
    app::App,
    auth::{IDLE_MILLIS, LINK_MILLIS, Role, Token},
    clock::Clock,
    config::{Config, Sources},
    web::{self, Site},
};

mod access;
mod accounts;
mod imports;
mod pages;
mod sandboxes;
mod schedules;
mod verified;
mod waiting;

const HOST: &str = "127.0.0.1:8723";
/// Longer than anything takes that a test waits for, on a busy machine as well.
const PATIENCE: Duration = Duration::from_secs(120);
const PASSWORD: &str = "SENTINEL pass words";

/// A clock that stands until it is moved.
struct Standing(AtomicI64);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Time that passes as soon as somebody waits for it.
struct Hurrying;

impl Timer for Hurrying {
    fn sleep(&self, _: Duration) -> BoxFuture<'_, ()> {
        tokio::task::yield_now().boxed()
    }
}

/// The console of a fresh installation.
struct Installation {
    app: Arc<App>,
    clock: Arc<Standing>,
    service: TowerToHyperService<axum::Router>,
    directory: tempfile::TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
struct Answered {
    status: StatusCode,
    headers: http::HeaderMap,
    body: String,
}

/// A browser.
struct Visitor<'a> {
    installation: &'a Installation,
    session: Option<String>,
}

impl Installation {
    async fn fresh() -> Self {
        Self::with(&[], |_| {}).await
    }

    async fn with(settings: &[(&str, &str)], change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut environment = BTreeMap::from([
            ("ORGTIDE_DATA_DIR".to_owned(), directory.path().join("data").display().to_string()),
            ("HOME".to_owned(), directory.path().display().to_string()),
        ]);
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut config = Config::load(&Sources { environment, ..Sources::default() }).unwrap();
        change(&mut config);
        let clock = Arc::new(Standing(AtomicI64::new(1_795_320_000_000)));
        let public_url = config.serve.public_url.clone();
        let app = Arc::new(App::open(config, clock.clone(), "orgtide serve").await.unwrap());
        let site = Site::new(HOST.parse().unwrap(), public_url.as_ref());
        let router = web::router(&super::Console::new(Arc::clone(&app), site.clone()), &site);
        Self { app, clock, service: TowerToHyperService::new(router), directory }
    }

    fn pass(&self, millis: i64) {
        self.clock.0.fetch_add(millis, Ordering::SeqCst);
    }

    fn visitor(&self) -> Visitor<'_> {
        Visitor { installation: self, session: None }
    }

    /// Somebody of that role, signed in.
    async fn user(&self, role: Role) -> Visitor<'_> {
        let owner = self.app.demonstrate_to("owner@example.com").await.unwrap();
        let owner = self.app.follow_link(&owner, None, "".into(), None).await.unwrap();
        let mut visitor = self.visitor();
        if role == Role::Owner {
            visitor.session = Some(owner.session.expose().to_owned());
            return visitor;
        }
        let email = format!("{role}@example.com");
        let token = match self.app.invite(&owner, &email, role).await {
            Ok(invitation) => invitation,
            Err(_) => self.app.demonstrate_to(&email).await.unwrap(),
        };
        let caller = self.app.follow_link(&token, None, PASSWORD.into(), None).await.unwrap();
        visitor.session = Some(caller.session.expose().to_owned());
        visitor
    }

    async fn send(&self, request: Request<Body>) -> Answered {
        let response = self.service.call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = String::from_utf8(to_bytes(body, 1 << 22).await.unwrap().to_vec()).unwrap();
        Answered { status: parts.status, headers: parts.headers, body }
    }
}

impl Answered {
    fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn place(&self) -> &str {
        self.header(header::LOCATION)
    }

    /// The session that the answer gives.
    fn session(&self) -> Option<String> {
        let cookie = self.headers.get(header::SET_COOKIE)?.to_str().unwrap();
        Some(cookie.split_once('=').unwrap().1.split(';').next().unwrap().to_owned())
    }
}

impl Visitor<'_> {
    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, HOST);
        if let Some(session) = &self.session {
            request = request.header(header::COOKIE, format!("orgtide={session}"));
        }
        request
    }

    async fn get(&self, path: &str) -> Answered {
        self.installation.send(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    /// A page that loads itself again until what it shows is over.
    async fn last(&self, path: &str) -> Answered {
        let over = async {
            loop {
                let page = self.get(path).await;
                if !page.headers.contains_key(header::REFRESH) {
                    return page;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, over).await.unwrap_or_else(|_| panic!("{path} is never over"))
    }

    fn form_token(&self) -> String {
        self.session.as_ref().map(|session| Token::presented(session).form_token()).unwrap_or_default()
    }

    /// Sends a form of a page of ours.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answered {
        let body = self.body(fields);
        let request = self.request(Method::POST, path).header("sec-fetch-site", "same-origin");
        self.installation.send(request.body(body).unwrap()).await
    }

    fn body(&self, fields: &[(&str, &str)]) -> Body {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("form_token", &self.form_token()).extend_pairs(fields);
        Body::from(form.finish())
    }
}

/// A path of the table with something in the place of its parameters.
fn filled(route: &Route) -> String {
    route
        .path
        .replace("{file}", "console.css")
        .replace("{flow}", "client-credentials")
        .replace("{name}", "acme")
        .replace("{id}", "usr_0")
}

/// An installation that reaches an emulated org.
async fn beside(scenario: &str) -> (Emulator, Installation) {
    let emulator = Emulator::start(Scenario::builtin(scenario).unwrap(), Options::default()).await.unwrap();
    let installation = reaching(&emulator, Arc::new(Hurrying)).await;
    (emulator, installation)
}

async fn reaching(emulator: &Emulator, timer: Arc<dyn Timer>) -> Installation {
    let (address, hosts, ca) = (emulator.tls_address().unwrap(), emulator.hosts(), emulator.ca_pem().to_owned());
    Installation::with(&[], |config| {
        config.http.mapped_hosts = hosts.into_iter().map(|host| MappedHost { host, address }).collect();
        config.http.extra_ca_pem = vec![ca];
        config.http.timer = timer;
    })
    .await
}
