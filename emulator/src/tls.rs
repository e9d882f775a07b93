//! The certificate authority of an emulated org and the certificate of its hosts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const CERTIFICATE_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca.key.pem";

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The folder of the certificate authority cannot be read or written.
    #[error("the certificate authority cannot be kept in {path}: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    /// The stored key is not one that this program wrote, or a host name is not a DNS name.
    #[error("no certificate could be made: {0}; remove ca.pem and ca.key.pem to start afresh")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the certificate.
    #[error("the certificate is not usable: {0}")]
    Config(#[from] rustls::Error),
}

/// A server configuration for every host of one org, and the authority that vouches for it.
pub(crate) struct HostCertificate {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) ca_pem: String,
}

impl HostCertificate {
    /// Issues a certificate for `hosts`. With a folder the authority in it is used again, or written there.
    pub(crate) fn issue(hosts: &[String], folder: Option<&Path>) -> Result<Self, TlsError> {
        let authority = match folder {
            Some(folder) => Authority::in_folder(folder)?,
            None => Authority::generate()?,
        };
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(hosts.to_vec())?;
        set_validity(&mut params);
        params.use_authority_key_identifier_extension = true;
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        if let Some(first) = hosts.first() {
            params.distinguished_name.push(DnType::CommonName, first);
        }
        let leaf = params.signed_by(&key, &authority.issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), ca_pem: authority.pem })
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn generate() -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let params = authority_params()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    fn in_folder(folder: &Path) -> Result<Self, TlsError> {
        let failed = |source| TlsError::Folder { path: folder.to_path_buf(), source };
        let (certificate, key) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
        if certificate.exists() && key.exists() {
            let pem = fs::read_to_string(certificate).map_err(failed)?;
            let key = KeyPair::from_pem(&fs::read_to_string(key).map_err(failed)?)?;
            // The subject of the authority is a constant, so the key alone restores the issuer.
            return Ok(Self { issuer: Issuer::new(authority_params()?, key), pem });
        }
        fs::create_dir_all(folder).map_err(failed)?;
        let authority = Self::generate()?;
        write_private(&key, &authority.issuer.key().serialize_pem()).map_err(failed)?;
        fs::write(certificate, &authority.pem).map_err(failed)?;
        Ok(authority)
    }
}

fn authority_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    set_validity(&mut params);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Emulated Salesforce org, not trusted");
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    params.key_usages.push(KeyUsagePurpose::CrlSign);
    Ok(params)
}

fn set_validity(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}
