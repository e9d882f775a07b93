//! The listeners of emulated orgs.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::call::Arrival;
use crate::control::Control;
use crate::org::PopulateError;
use crate::proxy;
use crate::scenario::Scenario;
use crate::tls::{HostCertificate, TlsError};
use crate::world::{Listeners, World};

/// Large enough that the emulator's own answer to an oversized request is given.
const HEADER_SPACE: u32 = 256 << 10;

/// Where an emulator listens and keeps files.
#[derive(Clone, Debug)]
pub struct Options {
    /// Plain HTTP: stands for the first org's My Domain, and serves the emulator's page and the control routes.
    pub http: Option<SocketAddr>,
    /// TLS under the org's host names.
    pub tls: Option<SocketAddr>,
    /// A proxy for `CONNECT` requests to the org's host names.
    pub proxy: Option<SocketAddr>,
    /// Folder of the certificate authority: `ca.pem` and its key are used again or written there. Without it, the
    /// authority lives as long as the emulator.
    pub certificate_authority: Option<PathBuf>,
    /// Folder for Bulk uploads and results; by default the system's folder for temporary files.
    pub spool: Option<PathBuf>,
}

impl Default for Options {
    /// All three listeners on free ports of 127.0.0.1.
    fn default() -> Self {
        let free = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        Self { http: free, tls: free, proxy: free, certificate_authority: None, spool: None }
    }
}

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An emulated org has no protection of its own.
    #[error("{0} is not a loopback address; an emulated org listens on 127.0.0.1 or ::1 only")]
    NotLoopback(SocketAddr),
    /// The address is taken or not available.
    #[error("cannot listen on {address}: {source}; choose another port, or 0 for a free one")]
    Listen { address: SocketAddr, source: io::Error },
    /// No certificate could be made.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The data of the scenario cannot be made.
    #[error(transparent)]
    Populate(#[from] PopulateError),
}

/// Running orgs. They stop when it is dropped.
pub struct Emulator {
    world: Arc<World>,
    control: Control,
    http: Option<SocketAddr>,
    listeners: JoinSet<()>,
}

impl Emulator {
    /// Starts the org of a scenario and its listeners.
    ///
    /// # Errors
    /// When an address is not on loopback or not free, or the certificate authority cannot be kept.
    pub async fn start(scenario: Scenario, options: Options) -> Result<Self, StartError> {
        Self::start_all(vec![scenario], options).await
    }

    /// Starts the orgs of several scenarios, sandboxes included, behind the same listeners. The first is the one that
    /// plain HTTP stands for; clock and caller address are its.
    ///
    /// # Errors
    /// As [`Emulator::start`], and when two orgs have the same org id, My Domain or user name.
    pub async fn start_all(scenarios: Vec<Scenario>, options: Options) -> Result<Self, StartError> {
        let world = World::new(scenarios, options.spool)?;
        let hosts = world.hosts();
        let certificate = HostCertificate::issue(&hosts, options.certificate_authority.as_deref())?;
        let acceptor = TlsAcceptor::from(Arc::clone(&certificate.config));
        let http = listen(options.http).await?;
        let tls = listen(options.tls).await?;
        let proxy = listen(options.proxy).await?;
        let address = |listener: &Option<TcpListener>| listener.as_ref().and_then(|l| l.local_addr().ok());
        let mut emulator = Self {
            control: Control::new(Arc::clone(&world), world.primary()),
            http: address(&http),
            listeners: JoinSet::new(),
            world,
        };
        let known = Listeners { tls: address(&tls), proxy: address(&proxy), ca_pem: certificate.ca_pem };
        let _ = emulator.world.shared.listeners.set(known);
        if let Some(address) = emulator.http {
            let _ = emulator.world.shared.http_url.set(format!("http://{address}"));
        }
        emulator.spawn(http, |world, stream| serve(world, stream, Arrival::Plain));
        let tls_acceptor = acceptor.clone();
        emulator.spawn(tls, move |world, stream| serve_tls(world, stream, tls_acceptor.clone()));
        let plain = emulator.http;
        emulator.spawn(proxy, move |world, stream| serve_proxy(world, stream, acceptor.clone(), plain));
        Ok(emulator)
    }

    fn spawn<F>(&mut self, listener: Option<TcpListener>, handle: impl Fn(Arc<World>, TcpStream) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if let Some(listener) = listener {
            let world = Arc::clone(&self.world);
            self.listeners.spawn(accept(listener, move |stream| handle(Arc::clone(&world), stream)));
        }
    }

    /// `http://127.0.0.1:port` of the plain listener; empty when there is none.
    pub fn http_url(&self) -> &str {
        self.world.shared.http_url.get().map_or("", String::as_str)
    }

    fn known(&self) -> &Listeners {
        self.world.shared.listeners.get().expect("the listeners are known before an emulator has started")
    }

    /// Address of the TLS listener.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.known().tls
    }

    /// Address of the proxy.
    pub fn proxy_address(&self) -> Option<SocketAddr> {
        self.known().proxy
    }

    /// The certificate authority that clients have to trust, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.known().ca_pem
    }

    /// Every host name that the orgs answer to, the first org's My Domain first.
    pub fn hosts(&self) -> Vec<String> {
        self.world.hosts()
    }

    /// Changes the first org while it runs; [`Control::org`] leads to the others.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Stops all listeners and connections, and waits until they are gone.
    pub async fn stop(mut self) {
        self.listeners.shutdown().await;
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let now = self.world.shared.clock.now();
        self.world.orgs().iter().for_each(|org| org.jobs.abort_all(now));
    }
}

async fn listen(address: Option<SocketAddr>) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = address else {
        return Ok(None);
    };
    if !address.ip().is_loopback() {
        return Err(StartError::NotLoopback(address));
    }
    let listener = TcpListener::bind(address).await;
    listener.map(Some).map_err(|source| StartError::Listen { address, source })
}

/// How long a listener waits after it could not accept.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Accepts until the task is aborted; its connections end with it.
async fn accept<F>(listener: TcpListener, handle: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Small answers must not wait for an acknowledgement; failure only costs speed.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(handle(stream));
                }
                Err(error) => {
                    // Out of descriptors, most likely: connections that end give some back.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn serve_tls(world: Arc<World>, stream: TcpStream, acceptor: TlsAcceptor) {
    match acceptor.accept(stream).await {
        Ok(stream) => serve(world, stream, Arrival::Tls).await,
        Err(error) => tracing::debug!(%error, "a TLS handshake failed"),
    }
}

async fn serve_proxy(world: Arc<World>, mut stream: TcpStream, acceptor: TlsAcceptor, plain: Option<SocketAddr>) {
    match proxy::connect(&mut stream, &world, plain).await {
        Ok(proxy::Verdict::Tls) => serve_tls(world, stream, acceptor).await,
        Ok(proxy::Verdict::Plain) => serve(world, stream, Arrival::Plain).await,
        Ok(proxy::Verdict::Refused) => {}
        Err(error) => tracing::debug!(%error, "a proxy connection failed"),
    }
}

async fn serve<I>(world: Arc<World>, stream: I, arrival: Arrival)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| Arc::clone(&world).serve(request, arrival));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The casing of HTTP/1.1 there: Airbyte takes a `content-type` in small letters for another kind of answer.
    builder.http1().auto_date_header(false).title_case_headers(true);
    builder
        .http2()
        .auto_date_header(false)
        .max_header_list_size(HEADER_SPACE)
        .max_frame_size(64 << 10)
        .max_send_buf_size(1 << 20);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
