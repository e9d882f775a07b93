//! The listener of `orgtide serve`: connections and their limits, and what every answer carries.
//!
//! It listens on loopback unless told otherwise. What is behind it is `ui` for people and
//! [`crate::api`] for programs. A request is answered
//! only under a host name that is ours, so that no other site can point its own name at a loopback listener.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use salesforce::http::Timer;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use url::Url;

use crate::{api, app::App, hex::hex, ui::Console};

/// A client has this long to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// Requests under way have this long to end when the program is told to end.
const END_WITHIN: Duration = Duration::from_secs(10);
/// How long the listener waits after it could not accept.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
const MOST_CONNECTIONS: usize = 1024;

/// Nothing from elsewhere, nothing inline, in no frame. A form may lead to Salesforce, because Chromium applies
/// `form-action` to the redirect that answers a form as well.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; form-action 'self' https://*.salesforce.com https://*.salesforce.mil \
    https://*.sfcrmproducts.cn https://*.my-salesforce.com; base-uri 'none'; frame-ancestors 'none'";

/// Where the program listens.
#[derive(Debug, Clone)]
pub struct Listen {
    pub address: SocketAddr,
    /// How people reach it from elsewhere, through a proxy that speaks TLS.
    pub public_url: Option<Url>,
    pub production: bool,
}

/// Why the program does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("{address} can be reached from other machines, and serve.public_url is no https address")]
    Unprotected { address: SocketAddr },
    #[error("serve.public_url has the path {path:?}, and the console is at the top of its host")]
    Path { path: String },
    #[error("cannot listen on {address}: {source}")]
    Address { address: SocketAddr, source: std::io::Error },
}

impl ListenError {
    /// What a person does about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unprotected { .. } => {
                "put a proxy that speaks TLS before it and set serve.public_url to its https address, or listen on \
                 127.0.0.1"
            }
            Self::Path { .. } => "give it a host of its own, such as https://orgtide.example.com",
            Self::Address { .. } => "choose another port with --listen, such as 127.0.0.1:0 for any free one",
        }
    }
}

/// Under which names the program answers, and whether they are protected by TLS.
#[derive(Debug, Clone)]
pub struct Site {
    /// Without a path, such as `https://orgtide.example.com` or `http://localhost:8723`.
    pub origin: String,
    pub is_https: bool,
    /// `host[:port]` of the public URL.
    public_host: Option<String>,
    port: u16,
}

impl Site {
    pub(crate) fn new(address: SocketAddr, public_url: Option<&Url>) -> Self {
        // Salesforce admits callback URLs without TLS for `localhost` alone, and a cookie belongs to one name.
        let name = if address.ip().is_loopback() || address.ip().is_unspecified() {
            format!("localhost:{}", address.port())
        } else {
            address.to_string()
        };
        let origin = public_url.map_or_else(|| format!("http://{name}"), |url| url.origin().ascii_serialization());
        let public_host = public_url.map(|_| origin.split_once("//").map_or("", |(_, host)| host).to_owned());
        Self { is_https: origin.starts_with("https://"), origin, public_host, port: address.port() }
    }

    /// Where Salesforce sends a browser back to.
    pub(crate) fn callback_url(&self) -> String {
        format!("{}/oauth/callback", self.origin)
    }

    /// Whether a request for this `Host` is for us.
    fn answers(&self, host: &str) -> bool {
        if self.public_host.as_deref().is_some_and(|public| public.eq_ignore_ascii_case(host)) {
            return true;
        }
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let is_loopback =
            name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        is_loopback && port == Some(self.port)
    }

    /// Whether a page of this origin may change something here, asked for under `host`.
    pub(crate) fn is_own_origin(&self, origin: &str, host: &str) -> bool {
        origin == self.origin || origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host))
    }
}

/// The running listener. It stops accepting when it is dropped.
pub struct Listener {
    address: SocketAddr,
    site: Site,
    console: Console,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Listener {
    /// Begins to listen.
    ///
    /// # Errors
    /// The address is taken, or in production mode it can be reached from other machines without TLS.
    pub async fn start(app: Arc<App>, listen: &Listen) -> Result<Self, ListenError> {
        let is_https = listen.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
        if listen.production && !listen.address.ip().is_loopback() && !is_https {
            return Err(ListenError::Unprotected { address: listen.address });
        }
        if let Some(url) = listen.public_url.as_ref().filter(|url| !matches!(url.path(), "" | "/")) {
            return Err(ListenError::Path { path: url.path().to_owned() });
        }
        let unusable = |source| ListenError::Address { address: listen.address, source };
        let listener = TcpListener::bind(listen.address).await.map_err(unusable)?;
        let address = listener.local_addr().map_err(unusable)?;
        let site = Site::new(address, listen.public_url.as_ref());
        let timer = Arc::clone(&app.config().http.timer);
        let console = Console::new(app, site.clone());
        let router = router(&console, &site);
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, router, timer, stopped));
        Ok(Self { address, site, console, stop, task })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of a page, for people.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site.origin)
    }

    /// Stops listening, and waits until the requests under way have their answers and imports are at a checkpoint.
    pub async fn stop(self) {
        // Whoever does not listen any more has ended anyway.
        let _ = self.stop.send(true);
        let _ = self.task.await;
        self.console.end().await;
    }
}

pub(crate) fn router(console: &Console, site: &Site) -> Router {
    let pages = console.router();
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .merge(api::routes(Arc::clone(&console.app)))
        .merge(pages)
        .layer(middleware::from_fn_with_state(site.clone(), protect))
}

async fn accept(listener: TcpListener, router: Router, timer: Arc<dyn Timer>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(converse(stream, peer, router.clone(), stopped.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection is not accepted");
                timer.sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => {}
        () = timer.sleep(END_WITHIN) => connections.abort_all(),
    }
}

/// One connection to its end.
async fn converse(stream: tokio::net::TcpStream, peer: SocketAddr, router: Router, mut stopped: watch::Receiver<bool>) {
    let service = TowerToHyperService::new(router.layer(axum::Extension(ConnectInfo(peer))));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    server.http2().timer(TokioTimer::new()).max_concurrent_streams(32);
    let connection = server.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection broke");
    }
}

/// Refuses names that are not ours, says on every answer what a browser may do with it, and logs the request without
/// its query.
async fn protect(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let id = RequestId::fresh();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let host = host.or_else(|| request.uri().authority().map(ToString::to_string)).unwrap_or_default();
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(AskedHost(host.clone()));
    let mut response = if site.answers(&host) || path == "/healthz" {
        next.run(request).await
    } else {
        let words =
            format!("This is Orgtide, and {host:?} is not its name. Set serve.public_url to use another one.\n");
        (StatusCode::MISDIRECTED_REQUEST, words).into_response()
    };
    let status = response.status().as_u16();
    tracing::info!(request.id = id.0, %method, path, status, "answered");
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer`, browsers without Fetch Metadata would not say where a form comes from, either.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if site.is_https {
        let a_year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, a_year);
    }
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert("x-request-id", id);
    }
    response
}

/// The `Host` that a request was sent to.
#[derive(Debug, Clone)]
pub(crate) struct AskedHost(pub(crate) String);

/// What names a request in its answer and in the log.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    fn fresh() -> Self {
        let mut bytes = [0_u8; 8];
        getrandom::fill(&mut bytes).expect("the system gives random bytes");
        Self(hex(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_answers_to_its_own_names_alone() {
        let local = Site::new("127.0.0.1:8470".parse().unwrap(), None);
        let public = Url::parse("https://orgtide.example.com/").unwrap();
        let behind = Site::new("127.0.0.1:8470".parse().unwrap(), Some(&public));
        for host in ["127.0.0.1:8470", "localhost:8470", "LOCALHOST:8470", "[::1]:8470"] {
            assert!(local.answers(host) && behind.answers(host), "{host}");
        }
        assert!(behind.answers("Orgtide.example.com"));
        for host in [
            "",
            "localhost",
            "localhost:1",
            "evil.example:8470",
            "127.0.0.1.evil.example:8470",
            "orgtide.example.com:8470",
        ] {
            assert!(!local.answers(host) && !behind.answers(host), "{host}");
        }
        assert!(!local.answers("orgtide.example.com"));
        assert_eq!((local.is_https, behind.is_https), (false, true));
        assert_eq!((&*local.origin, &*behind.origin), ("http://localhost:8470", "https://orgtide.example.com"));
    }

    #[test]
    fn an_origin_is_compared_whole() {
        let site = Site::new("127.0.0.1:8470".parse().unwrap(), None);
        assert!(site.is_own_origin("http://127.0.0.1:8470", "127.0.0.1:8470"));
        assert!(site.is_own_origin("http://localhost:8470", "localhost:8470"));
        for origin in ["null", "http://127.0.0.1", "http://127.0.0.1:8471", "http://127.0.0.1:8470.evil.example"] {
            assert!(!site.is_own_origin(origin, "127.0.0.1:8470"), "{origin}");
        }
    }
}
