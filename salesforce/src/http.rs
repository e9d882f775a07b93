//! The only place a request to Salesforce is sent.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use url::Url;

/// Waits. The product waits on the runtime's timer; a test decides itself when time has passed.
pub trait Timer: Send + Sync {
    /// Completes when `duration` has passed.
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;
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
    /// Outgoing HTTPS proxy.
    pub proxy: Option<Url>,
    /// Further certificate authorities, PEM bundles.
    pub extra_ca_pem: Vec<String>,
    pub mapped_hosts: Vec<MappedHost>,
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
    // filled by its author
    _config: Arc<HttpConfig>,
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
    /// Builds the client.
    pub fn new(_config: HttpConfig) -> Result<Self, HttpConfigError> {
        todo!()
    }

    /// The timer everything waits on.
    pub fn timer(&self) -> &dyn Timer {
        &*self._config.timer
    }
}
