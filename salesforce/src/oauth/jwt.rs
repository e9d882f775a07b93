//! The JWT bearer flow: a signed assertion in the place of a person.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Method;
use ring::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use rustls::pki_types::{PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{ClientApp, Grant, TOKEN_ENDPOINT, TokenSet, authorize::random_text, exchange};
use crate::{
    error::{ApiError, OAuthCause, OAuthError},
    host::OrgUrl,
    http::{Http, Request, Whatever},
    secret::Assertion,
    time::Timestamp,
};

/// How long an assertion is good (help page `remoteaccess_oauth_jwt_flow`: within three minutes).
const LIFE: Duration = Duration::from_secs(180);
/// Clocks that differ by less need no correction: the assertion is good in both.
const TOLERATED_SKEW: Duration = Duration::from_secs(60);

/// The private key whose certificate the app knows: RSA, as the flow signs with RS256 only.
#[derive(Clone)]
pub struct PrivateKey {
    pem: SecretString,
    key: Arc<KeyPair>,
}

/// Why a text is no key to sign with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("this is no key in PEM form, which begins with -----BEGIN PRIVATE KEY-----")]
    NotPem,
    #[error("this is the certificate, which belongs into the app. Paste the private key that was made with it")]
    Certificate,
    #[error("this is a public key. Paste the private key that belongs to it")]
    PublicKey,
    #[error(
        "the key is protected by a passphrase. Take the protection off (openssl pkcs8 -in protected.pem -out key.pem); \
         it is sealed here"
    )]
    Encrypted,
    #[error("this is a key of OpenSSH. Convert it (ssh-keygen -p -m PKCS8 -f key), or make one for this purpose")]
    OpenSsh,
    #[error("the key is not an RSA key, and Salesforce accepts signatures by RS256 only. Make an RSA key of 2048 bits")]
    NotRsa,
    #[error("the key is shorter than 2048 bits, which Salesforce does not accept. Make an RSA key of 2048 bits")]
    Short,
    #[error("the key has an unusual length. Make an RSA key of 2048 or 4096 bits")]
    Length,
    #[error("the key is damaged: {reason}. Copy the whole file, with its first and its last line")]
    Damaged { reason: &'static str },
}

impl PrivateKey {
    /// Reads a key in PEM form, PKCS#8 or PKCS#1, with 2048 to 4096 bits.
    ///
    /// # Errors
    /// Says what the text is instead.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let rejected = |error: ring::error::KeyRejected| match error.to_string().as_str() {
            "TooSmall" => KeyError::Short,
            "TooLarge" | "PrivateModulusLenNotMultipleOf512Bits" => KeyError::Length,
            "WrongAlgorithm" => KeyError::NotRsa,
            "InvalidEncoding" => KeyError::Damaged { reason: "it is not encoded as keys are" },
            _ => KeyError::Damaged { reason: "its numbers do not fit together" },
        };
        let unreadable = |_| KeyError::Damaged { reason: "its letters are not Base64" };
        let key = match Block::of(pem)? {
            Block::Pkcs8 => {
                let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(unreadable)?;
                KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(rejected)?
            }
            Block::Pkcs1 => {
                let der = PrivatePkcs1KeyDer::from_pem_slice(pem.as_bytes()).map_err(unreadable)?;
                KeyPair::from_der(der.secret_pkcs1_der()).map_err(rejected)?
            }
        };
        Ok(Self { pem: pem.into(), key: Arc::new(key) })
    }

    /// Returns the key in PEM form, for the one place that seals it.
    pub fn expose(&self) -> &str {
        self.pem.expose_secret()
    }

    /// The length of the modulus.
    pub fn bits(&self) -> usize {
        self.key.public().modulus_len() * 8
    }

    /// A JWT in compact form, signed with RS256 (RFC 7515, section 7.1; RFC 7518, section 3.3).
    fn sign(&self, claims: &serde_json::Value) -> Assertion {
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "RS256", "typ": "JWT"})), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .expect("the signature is as long as the modulus, and the system has a source of randomness");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)).into()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PrivateKey(hidden)")
    }
}

/// The forms of RSA keys in PEM.
enum Block {
    Pkcs8,
    Pkcs1,
}

impl Block {
    /// The key in `pem`, or what there is in its place.
    fn of(pem: &str) -> Result<Self, KeyError> {
        let has = |label: &str| pem.contains(&format!("-----BEGIN {label}-----"));
        // The older form says in a header that it is protected (RFC 1421, section 4.6.1.1).
        if has("ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        if has("PRIVATE KEY") {
            return Ok(Self::Pkcs8);
        }
        if has("RSA PRIVATE KEY") {
            return Ok(Self::Pkcs1);
        }
        Err(match () {
            () if has("EC PRIVATE KEY") || has("DSA PRIVATE KEY") => KeyError::NotRsa,
            () if has("OPENSSH PRIVATE KEY") => KeyError::OpenSsh,
            () if has("CERTIFICATE") || has("CERTIFICATE REQUEST") => KeyError::Certificate,
            () if has("PUBLIC KEY") || has("RSA PUBLIC KEY") => KeyError::PublicKey,
            () => KeyError::NotPem,
        })
    }
}

/// For whom an assertion is: the environment's login host, or the org itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Audience(pub OrgUrl);

impl fmt::Display for Audience {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The audiences to try at `login`, the likeliest first (sfdx-core `src/util/sfdcUrl.ts`, `getLoginAudienceCombos`).
///
/// A generic host stands for itself. At a My Domain it is that of the environment, then the My Domain, then the other
/// environment's, since a host name does not always tell. The generic hosts do not serve government and Chinese orgs.
pub fn audiences(login: &OrgUrl) -> Vec<Audience> {
    if login.is_generic() {
        return vec![Audience(login.clone())];
    }
    let own = Audience(login.clone());
    if !login.host().ends_with("salesforce.com") {
        return vec![own];
    }
    let is_sandbox = [".sandbox.", ".scratch.", "--"].iter().any(|part| login.host().contains(part));
    let (production, sandboxes) = (Audience(OrgUrl::production_login()), Audience(OrgUrl::sandbox_login()));
    if is_sandbox { vec![sandboxes, own, production] } else { vec![production, own, sandboxes] }
}

/// An assertion that the app with `client_id` makes about `username` (help page `remoteaccess_oauth_jwt_flow`). It is
/// good for three minutes from `now`, once.
pub fn assertion(key: &PrivateKey, client_id: &str, username: &str, audience: &Audience, now: Timestamp) -> Assertion {
    let expires = now.0.div_euclid(1000) + LIFE.as_secs() as i64;
    key.sign(&json!({
        "iss": client_id,
        "sub": username,
        "aud": audience.to_string(),
        "exp": expires,
        "jti": random_text(),
    }))
}

/// Signs in as `username`, trying one audience after the other while Salesforce says that it is the wrong one. Gives
/// the one that it accepted, to be preferred the next time.
///
/// Where an assertion is past when it arrives, although it was made just now, this machine's clock is wrong: then it is
/// made once more by Salesforce's own clock, so that a wrong clock costs a request and a warning, and no connection. A
/// clock that is fast makes assertions that are good for longer, which Salesforce accepts.
///
/// # Errors
/// The refusal of the last audience, or whatever else keeps from signing in; see [`exchange`].
pub async fn exchange_assertion(
    http: &Http,
    login: &OrgUrl,
    app: &ClientApp,
    key: &PrivateKey,
    username: &str,
    now: Timestamp,
    preferred_audience: Option<&Audience>,
) -> Result<(TokenSet, Audience), OAuthError> {
    let mut now = now;
    let mut order = audiences(login);
    if let Some(preferred) = preferred_audience {
        order.retain(|audience| audience != preferred);
        order.insert(0, preferred.clone());
    }
    let mut refused = None;
    for audience in order {
        match present(http, login, app, key, username, &mut now, &audience).await {
            Err(error) if error.cause() == Some(OAuthCause::AudienceInvalid) => refused = Some(error),
            outcome => return outcome.map(|tokens| (tokens, audience)),
        }
    }
    Err(refused.expect("there is always an audience to try"))
}

/// Presents an assertion made at `now`, and once more with `now` corrected if it was past when it arrived.
async fn present(
    http: &Http,
    login: &OrgUrl,
    app: &ClientApp,
    key: &PrivateKey,
    username: &str,
    now: &mut Timestamp,
    audience: &Audience,
) -> Result<TokenSet, OAuthError> {
    let made_at = |now| Grant::JwtBearer { assertion: assertion(key, &app.client_id, username, audience, now) };
    let outcome = exchange(http, login, app, &made_at(*now)).await;
    let is_past = outcome.as_ref().is_err_and(|error| error.cause() == Some(OAuthCause::AssertionExpired));
    let theirs = if is_past { clock_of(http, login, *now).await } else { None };
    let Some(theirs) = theirs else { return outcome };
    *now = theirs;
    exchange(http, login, app, &made_at(theirs)).await
}

/// What Salesforce's clock says, if it is far from `now`.
async fn clock_of(http: &Http, login: &OrgUrl, now: Timestamp) -> Option<Timestamp> {
    let ask = Request::new(Method::GET, TOKEN_ENDPOINT, TOKEN_ENDPOINT.to_owned(), "asking for the time");
    let answer: Result<Whatever, ApiError> = http.send(login, &ask.uncounted().taking_anything(), None, None).await;
    let theirs = answer.ok()?.date()?;
    let skew_ms = theirs.0 - now.0;
    let is_far = skew_ms.unsigned_abs() > TOLERATED_SKEW.as_millis() as u64;
    if is_far {
        tracing::warn!(host = login.host(), skew_ms, "this machine's clock differs from Salesforce's");
    }
    is_far.then_some(theirs)
}

#[cfg(test)]
mod tests {
    use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;
    use crate::host::HostRules;

    const PKCS8: &str = include_str!("../../tests/it/keys/client.key.pem");
    const PKCS1: &str = include_str!("../../tests/it/keys/client.pkcs1.pem");
    const NOW: Timestamp = Timestamp(1_795_251_600_999);

    fn login(host: &str) -> OrgUrl {
        OrgUrl::parse(host, HostRules::default()).unwrap()
    }

    #[test]
    fn a_key_is_read_in_both_forms_and_with_text_around_it() {
        let wrapped = format!("Bag Attributes\n    friendlyName: client\n{}\n", PKCS8.replace('\n', "\r\n"));
        for pem in [PKCS8, PKCS1, wrapped.as_str()] {
            let key = PrivateKey::from_pem(pem).unwrap();
            assert_eq!((key.bits(), key.expose()), (2048, pem));
            assert_eq!(format!("{key:?}"), "PrivateKey(hidden)");
        }
    }

    #[test]
    fn what_is_no_key_to_sign_with_is_named() {
        let label = |label: &str| format!("-----BEGIN {label}-----\nMAo=\n-----END {label}-----\n");
        let protected = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMAo=\n-----END RSA \
                         PRIVATE KEY-----\n";
        for (pem, error) in [
            (include_str!("../../tests/it/keys/ec.pem"), KeyError::NotRsa),
            (include_str!("../../tests/it/keys/short.pem"), KeyError::Short),
            (include_str!("../../tests/it/keys/odd.pem"), KeyError::Length),
            (include_str!("../../tests/it/keys/client.crt.pem"), KeyError::Certificate),
            (&label("EC PRIVATE KEY"), KeyError::NotRsa),
            (&label("ENCRYPTED PRIVATE KEY"), KeyError::Encrypted),
            (protected, KeyError::Encrypted),
            (&label("OPENSSH PRIVATE KEY"), KeyError::OpenSsh),
            (&label("PUBLIC KEY"), KeyError::PublicKey),
            (&label("PRIVATE KEY"), KeyError::Damaged { reason: "it is not encoded as keys are" }),
            ("MIIEvgIBADANBgkq", KeyError::NotPem),
            ("", KeyError::NotPem),
        ] {
            assert_eq!(PrivateKey::from_pem(pem).unwrap_err(), error, "{pem}");
        }
        let cut = &PKCS8[..PKCS8.len() / 2];
        assert!(matches!(PrivateKey::from_pem(cut), Err(KeyError::Damaged { .. })));
        let changed = PKCS8.replacen("MII", "M?I", 1);
        assert!(matches!(PrivateKey::from_pem(&changed), Err(KeyError::Damaged { .. })));
    }

    #[test]
    fn an_assertion_says_who_for_whom_and_until_when_and_is_signed() {
        let key = PrivateKey::from_pem(PKCS8).unwrap();
        let audience = Audience(login("acme"));
        let made = [(); 2].map(|()| assertion(&key, "3MVG9.key", "sam@acme.example", &audience, NOW));
        let (signed, signature) = made[0].expose().rsplit_once('.').unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.key.public_key());
        public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let part = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        assert_eq!(part(header), json!({"alg": "RS256", "typ": "JWT"}));
        let mut claims = part(claims);
        let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
        let expected = json!({
            "iss": "3MVG9.key",
            "sub": "sam@acme.example",
            "aud": "https://acme.my.salesforce.com",
            "exp": 1_795_251_780,
        });
        assert_eq!((claims, jti.as_str().unwrap().len()), (expected, 43));
        assert_ne!(made[0].expose(), made[1].expose());
    }

    #[test]
    fn the_likeliest_audience_is_tried_first() {
        for (host, expected) in [
            ("acme.my.salesforce.com", &["login.salesforce.com", "acme.my.salesforce.com", "test.salesforce.com"][..]),
            (
                "acme--uat.sandbox.my.salesforce.com",
                &["test.salesforce.com", "acme--uat.sandbox.my.salesforce.com", "login.salesforce.com"],
            ),
            ("login.salesforce.com", &["login.salesforce.com"]),
            ("test.salesforce.com", &["test.salesforce.com"]),
            ("acme.my.salesforce.mil", &["acme.my.salesforce.mil"]),
        ] {
            let tried: Vec<String> =
                audiences(&login(host)).iter().map(|audience| audience.0.host().to_owned()).collect();
            assert_eq!(tried, expected, "{host}");
        }
    }
}
