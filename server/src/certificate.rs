//! Makes the key that this installation signs in with, and the certificate that an app knows it by (JWT bearer flow).

use getrandom::SysRng;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyUsagePurpose, PKCS_RSA_SHA256, date_time_ymd};
use rsa::{
    RsaPrivateKey,
    pkcs8::{EncodePrivateKey, LineEnding},
    rand_core::UnwrapErr,
};
use salesforce::{Timestamp, oauth::PrivateKey, time::civil_from_days};

/// Salesforce asks for RSA of at least 2048 bits (help page `remoteaccess_oauth_jwt_flow`).
const BITS: usize = 2048;
/// Nothing reminds anybody of a certificate that ends, so it ends late. What ends a leaked key is a new one in the app.
const LIFE_YEARS: i64 = 20;
/// The longest common name (X.520, `ub-common-name`).
const LONGEST_NAME: usize = 64;

/// A private key, and the certificate that is uploaded to the app.
#[derive(Debug)]
pub struct ClientKey {
    pub key: PrivateKey,
    /// PEM, below the 4 KB that Salesforce takes. Not secret.
    pub certificate_pem: String,
    /// The day on which the certificate ends, at midnight UTC.
    pub ends: Timestamp,
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("the name of the certificate has to have 1 to {LONGEST_NAME} letters, and no control characters")]
    Name,
    #[error("the key cannot be made: {reason}")]
    Key { reason: String },
}

impl ClientKey {
    /// Makes a key and a self-signed certificate for `common_name`, good from the day before `now` on.
    ///
    /// Takes a tenth of a second of computing, now and then several: call it where that blocks nobody
    /// (`tokio::task::spawn_blocking`).
    ///
    /// # Errors
    /// A name that no certificate can have, and a system without randomness.
    pub fn make(common_name: &str, now: Timestamp) -> Result<Self, CertificateError> {
        let is_name = (1..=LONGEST_NAME).contains(&common_name.chars().count());
        if !is_name || common_name.chars().any(char::is_control) {
            return Err(CertificateError::Name);
        }
        let key = new_key().map_err(|reason| CertificateError::Key { reason })?;
        let today = now.0.div_euclid(86_400_000);
        let (certificate_pem, ends) =
            certify(common_name, &key, today).map_err(|error| CertificateError::Key { reason: error.to_string() })?;
        Ok(Self { key, certificate_pem, ends })
    }
}

fn new_key() -> Result<PrivateKey, String> {
    let mut random = UnwrapErr(SysRng);
    let key = RsaPrivateKey::new(&mut random, BITS).map_err(|error| error.to_string())?;
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| error.to_string())?;
    PrivateKey::from_pem(&pem).map_err(|error| error.to_string())
}

/// A self-signed certificate in PEM form, and when it ends. `today` counts days since 1970.
fn certify(common_name: &str, key: &PrivateKey, today: i64) -> Result<(String, Timestamp), rcgen::Error> {
    let signing = rcgen::KeyPair::from_pem_and_sign_algo(key.expose(), &PKCS_RSA_SHA256)?;
    let midnight = |days| {
        let (year, month, day) = civil_from_days(days);
        date_time_ymd(year as i32, month as u8, day as u8)
    };
    let mut certificate = CertificateParams::default();
    certificate.distinguished_name = DistinguishedName::new();
    certificate.distinguished_name.push(DnType::CommonName, common_name);
    certificate.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // A day of tolerance for clocks, and for the org's time zone.
    certificate.not_before = midnight(today - 1);
    let last = today + LIFE_YEARS * 365;
    certificate.not_after = midnight(last);
    Ok((certificate.self_signed(&signing)?.pem(), Timestamp(last * 86_400_000)))
}

#[cfg(test)]
mod tests {
    use emulator::{Emulator, Options, Scenario, scenario::PermittedUsers};
    use salesforce::{
        HostRules, Http, HttpConfig, OrgUrl,
        http::MappedHost,
        oauth::{ClientApp, exchange_assertion},
    };

    use super::*;

    /// 2026-11-22T04:00:00Z.
    const NOW: Timestamp = Timestamp(1_795_320_000_000);

    #[test]
    fn the_key_has_2048_bits_and_the_certificate_fits_into_an_app() {
        let made = ClientKey::make("Orgtide: Müller & Söhne", NOW).unwrap();
        assert_eq!(made.key.bits(), 2048);
        assert!(made.certificate_pem.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(made.certificate_pem.len() < 4096, "{}", made.certificate_pem.len());
        assert_eq!(made.ends.to_string(), "2046-11-17T00:00:00.000Z");
    }

    #[test]
    fn each_key_is_another_one_and_is_never_printed() {
        let [one, other] = [(); 2].map(|()| ClientKey::make("Orgtide", NOW).unwrap());
        assert_ne!(one.key.expose(), other.key.expose());
        let printed = format!("{one:?}");
        let secret = one.key.expose().lines().nth(1).unwrap();
        assert!(!printed.contains(secret) && printed.contains("hidden"), "{printed}");
        assert!(!one.certificate_pem.contains("PRIVATE"));
    }

    #[test]
    fn a_name_that_no_certificate_can_have_is_refused() {
        for name in ["", "two\nlines", &"x".repeat(65)] {
            assert_eq!(ClientKey::make(name, NOW).unwrap_err(), CertificateError::Name);
        }
        assert!(ClientKey::make(&"ü".repeat(64), NOW).is_ok());
    }

    #[tokio::test]
    async fn an_org_that_knows_the_certificate_admits_the_key() {
        let made = ClientKey::make("Orgtide", NOW).unwrap();
        let mut scenario = Scenario::builtin("acme").unwrap();
        let app = scenario.apps.iter_mut().find(|app| app.consumer_key == "3MVG9.acme.integration").unwrap();
        app.certificate = Some(made.certificate_pem.clone());
        app.permitted_users = PermittedUsers::AdminApproved;
        let org_now = scenario.now.unwrap().timestamp_millis();
        let emulator = Emulator::start(scenario, Options::default()).await.unwrap();
        let address = emulator.tls_address().unwrap();
        let http = Http::new(HttpConfig {
            extra_ca_pem: vec![emulator.ca_pem().to_owned()],
            mapped_hosts: emulator.hosts().into_iter().map(|host| MappedHost { host, address }).collect(),
            ..HttpConfig::default()
        })
        .unwrap();
        let login = OrgUrl::parse("acme", HostRules::default()).unwrap();
        let app = ClientApp { client_id: "3MVG9.acme.integration".to_owned(), client_secret: None };
        let user = "integration@acme.example";
        let signed_in = exchange_assertion(&http, &login, &app, &made.key, user, Timestamp(org_now), None).await;
        assert!(signed_in.unwrap().0.access_token.expose().starts_with("00D"));
    }
}
