//! The only place a request to Salesforce is sent.

mod answer;
mod clock;
mod request;
mod resolver;
mod retry;
mod send;
mod usage;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use url::Url;

pub use self::request::MaySend;
pub(crate) use self::{
    answer::{Answer, Receive, Streaming, Unread, Whatever},
    request::{Replay, Request},
    send::judge,
    usage::Usage,
};
use self::{clock::Clocks, resolver::PublicAddresses};
use crate::{host::HostRules, time::Timestamp};

/// Waits. The product waits on the runtime's timer; a test decides itself when time has passed.
pub trait Timer: Send + Sync {
    /// Completes when `duration` has passed.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;

    /// A moment to measure durations from; no time of day.
    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// Waits on the runtime's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuntimeTimer;

impl Timer for RuntimeTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Sends one exact host name to a socket address, for an emulated org; the URL rules stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedHost {
    pub host: String,
    pub address: SocketAddr,
}

/// How often and how long a request is tried again.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included.
    pub attempts: u32,
    /// The first wait; doubles with each attempt, with jitter.
    pub first_wait: Duration,
    /// No wait is longer; also the bound for what `Retry-After` may ask.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 6, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(120) }
    }
}

/// How this process reaches Salesforce.
#[derive(Clone)]
pub struct HttpConfig {
    /// Outgoing HTTPS proxy. The environment's proxy variables are not read here.
    pub proxy: Option<Url>,
    /// Further certificate authorities, PEM bundles.
    pub extra_ca_pem: Vec<String>,
    /// These hosts bypass the proxy and the check for public addresses.
    pub mapped_hosts: Vec<MappedHost>,
    /// Hosts that requests may go to; `instance_url` of a token answer is held against them too.
    pub host_rules: HostRules,
    /// Answers are asked for in gzip. Saves the network; on a local one, inflating costs more than it saves.
    pub compression: bool,
    pub connect_timeout: Duration,
    /// From sending a request to the head of its answer.
    pub response_timeout: Duration,
    /// Between two pieces of a body.
    pub read_timeout: Duration,
    pub retry: RetryPolicy,
    pub timer: Arc<dyn Timer>,
    pub user_agent: String,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            proxy: None,
            extra_ca_pem: Vec::new(),
            mapped_hosts: Vec::new(),
            host_rules: HostRules::default(),
            compression: true,
            connect_timeout: Duration::from_secs(15),
            response_timeout: Duration::from_secs(150),
            read_timeout: Duration::from_secs(60),
            retry: RetryPolicy::default(),
            timer: Arc::new(RuntimeTimer),
            user_agent: concat!("orgtide/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Sends requests; cheap to clone, one connection pool behind all clones.
#[derive(Clone)]
pub struct Http {
    config: Arc<HttpConfig>,
    /// Keeps connections for the next request.
    pooled: reqwest::Client,
    /// Opens a connection for each request, so that "not connected" means "not sent" and never "closed meanwhile".
    fresh: reqwest::Client,
    /// What the hosts' answers say of their clocks.
    clocks: Arc<Clocks>,
}

/// Why the HTTP settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HttpConfigError {
    #[error("the extra certificate bundle cannot be read: {reason}")]
    CertificateBundle { reason: String },
    #[error("the HTTP client cannot be built: {reason}")]
    Client { reason: String },
}

impl Http {
    /// Builds the client. Installs ring as the process's TLS provider when there is none.
    ///
    /// # Errors
    /// A certificate bundle without a certificate, and whatever keeps TLS from being set up.
    pub fn new(config: HttpConfig) -> Result<Self, HttpConfigError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Losing a race for the installation is as good as winning it.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let pooled = build(client(&config)?)?;
        let fresh = build(client(&config)?.pool_max_idle_per_host(0))?;
        Ok(Self { config: Arc::new(config), pooled, fresh, clocks: Arc::default() })
    }

    /// The same, with one attempt at each request.
    pub(crate) fn once(&self) -> Self {
        let mut config = HttpConfig::clone(&self.config);
        config.retry.attempts = 1;
        Self { config: Arc::new(config), ..self.clone() }
    }

    /// The timer everything waits on.
    pub fn timer(&self) -> &dyn Timer {
        &*self.config.timer
    }

    /// What `host`'s clock shows now, by its last answer to this process; `None`: there was none.
    pub(crate) fn time_at(&self, host: &str) -> Option<Timestamp> {
        self.clocks.time_at(host, self.timer().instant())
    }

    /// The rules for hosts that requests may go to.
    pub fn host_rules(&self) -> HostRules {
        self.config.host_rules
    }
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, HttpConfigError> {
    builder.build().map_err(|error| HttpConfigError::Client { reason: send::reason(&error) })
}

/// Flow control windows: a page of Bulk results comes through one HTTP/2 stream at the speed of the network.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;

fn client(config: &HttpConfig) -> Result<reqwest::ClientBuilder, HttpConfigError> {
    let proxy_host = config.proxy.as_ref().and_then(Url::host_str).map(str::to_owned);
    let mut builder = reqwest::Client::builder()
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .user_agent(&config.user_agent)
        // With gzip alone, reqwest sends `Accept-Encoding: gzip`: the one value that Bulk results honour.
        .gzip(config.compression)
        .connect_timeout(config.connect_timeout)
        .http2_initial_stream_window_size(STREAM_WINDOW_BYTES)
        .http2_initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .no_proxy()
        .dns_resolver(PublicAddresses { proxy_host });
    for certificate in extra_certificates(&config.extra_ca_pem)? {
        builder = builder.add_root_certificate(certificate);
    }
    for mapped in &config.mapped_hosts {
        // A URL without a port leaves the port of the mapped address in force (reqwest `dns::Resolve`).
        builder = builder.resolve(&mapped.host, mapped.address);
    }
    if let Some(proxy) = config.proxy.clone() {
        let direct: Vec<String> = config.mapped_hosts.iter().map(|mapped| mapped.host.clone()).collect();
        builder = builder.proxy(reqwest::Proxy::custom(move |url| {
            let is_direct = url.host_str().is_some_and(|host| direct.iter().any(|name| name == host));
            (!is_direct).then(|| proxy.clone())
        }));
    }
    Ok(builder)
}

fn extra_certificates(bundles: &[String]) -> Result<Vec<reqwest::Certificate>, HttpConfigError> {
    let unusable = |reason: String| HttpConfigError::CertificateBundle { reason };
    let mut certificates = Vec::new();
    for bundle in bundles {
        let read = reqwest::Certificate::from_pem_bundle(bundle.as_bytes());
        let read = read.map_err(|error| unusable(send::reason(&error)))?;
        if read.is_empty() {
            return Err(unusable("it holds no certificate in PEM form".to_owned()));
        }
        certificates.extend(read);
    }
    Ok(certificates)
}
