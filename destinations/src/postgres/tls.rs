//! TLS to the server, by rustls.

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{FutureExt, future::BoxFuture};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    Config, Socket,
    config::SslMode,
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream},
};
use tokio_rustls::TlsConnector;

/// What the connection must be protected against, in libpq's words (*SSL Support*, `sslmode`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    Disable,
    /// TLS where the server has it; whoever stands in between can take it away.
    #[default]
    Prefer,
    /// TLS, to whoever answers.
    Require,
    /// TLS, to a server whose certificate is trusted and names the host.
    VerifyFull,
}

const MODES: [(&str, Mode); 4] = [
    ("disable", Mode::Disable),
    ("prefer", Mode::Prefer),
    ("require", Mode::Require),
    ("verify-full", Mode::VerifyFull),
];

/// Whether TLS is spoken, and which servers are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verification {
    mode: Mode,
    /// Certificates to trust instead of the system's, as PEM; they are verified whatever the mode's name.
    pub(super) roots: Option<PathBuf>,
}

impl Verification {
    pub(super) fn take_mode(&mut self, name: &str) -> Result<(), String> {
        let found = MODES.iter().find(|(known, _)| *known == name);
        let names: Vec<&str> = MODES.iter().map(|(known, _)| *known).collect();
        self.mode = found.ok_or_else(|| format!("sslmode is {}, not {name:?}", names.join(", ")))?.1;
        Ok(())
    }

    /// As parameters of an address.
    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        let mode = MODES.iter().find(|(_, mode)| *mode == self.mode && *mode != Mode::default());
        let mode = mode.map(|(name, _)| ("sslmode", (*name).to_owned()));
        let roots = self.roots.as_ref().map(|path| ("sslrootcert", path.display().to_string()));
        mode.into_iter().chain(roots).collect()
    }

    pub(super) fn apply(&self, config: &mut Config) {
        config.ssl_mode(match (self.mode, &self.roots) {
            (Mode::Disable, _) => SslMode::Disable,
            (Mode::Prefer, None) => SslMode::Prefer,
            (Mode::Require | Mode::VerifyFull, _) | (Mode::Prefer, Some(_)) => SslMode::Require,
        });
    }

    /// # Errors
    /// In words: the certificates cannot be read.
    pub(super) fn connector(&self) -> Result<Tls, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match (&self.roots, self.mode) {
            (Some(path), _) => builder.with_root_certificates(roots(path)?),
            (None, Mode::VerifyFull) => builder.with_platform_verifier().map_err(|error| error.to_string())?,
            (None, Mode::Disable | Mode::Prefer | Mode::Require) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
            }
        };
        Ok(Tls(TlsConnector::from(Arc::new(builder.with_no_client_auth()))))
    }
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let failed = |reason: String| format!("the certificates in {}: {reason}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))? {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("there are none; it takes a file with BEGIN CERTIFICATE".to_owned()));
    }
    Ok(roots)
}

/// Takes any certificate, as libpq does in the modes `prefer` and `require`; the handshake itself is checked.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Makes handshakes for [`tokio_postgres`].
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

/// One handshake to come.
pub(super) struct Handshake {
    connector: TlsConnector,
    /// `None`: a socket without a host, which is never encrypted.
    name: Option<ServerName<'static>>,
}

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Encrypted;
    type TlsConnect = Handshake;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, Self::Error> {
        let name = if host.is_empty() { None } else { Some(ServerName::try_from(host.to_owned())?) };
        Ok(Handshake { connector: self.0.clone(), name })
    }
}

impl TlsConnect<Socket> for Handshake {
    type Stream = Encrypted;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Encrypted>>;

    fn connect(self, stream: Socket) -> Self::Future {
        async move {
            let name = self.name.ok_or_else(|| io::Error::other("the server has no host name to check"))?;
            Ok(Encrypted(self.connector.connect(name, stream).await?))
        }
        .boxed()
    }
}

/// A connection inside TLS.
pub(super) struct Encrypted(tokio_rustls::client::TlsStream<Socket>);

impl TlsStream for Encrypted {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
