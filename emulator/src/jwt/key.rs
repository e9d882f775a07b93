//! The key with which the emulated orgs sign.

use std::sync::LazyLock;

use base64::Engine;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::BASE64URL;

/// Name of the key in `/id/keys` and in the headers of tokens.
const KEY_ID: &str = "emulated";

static KEY: LazyLock<RsaKeyPair> = LazyLock::new(|| {
    let der = PrivatePkcs8KeyDer::from_pem_slice(include_bytes!("emulated-key.pem")).expect("the file is a PEM key");
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("the file holds an RSA key of 2048 bits")
});

/// A JWT in compact form, signed with RS256. Members of `header` come beside `alg`, `typ` and `kid`, or in their place.
pub(crate) fn sign(header: &Value, claims: &Value) -> String {
    let mut whole = json!({"alg": "RS256", "typ": "JWT", "kid": KEY_ID});
    for (name, value) in header.as_object().into_iter().flatten() {
        whole[name] = value.clone();
    }
    let part = |value: &Value| BASE64URL.encode(value.to_string());
    let signed = format!("{}.{}", part(&whole), part(claims));
    let mut signature = vec![0; KEY.public().modulus_len()];
    KEY.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .expect("a signature is as long as the modulus");
    format!("{signed}.{}", BASE64URL.encode(signature))
}

/// The public key as a JSON Web Key Set (RFC 7517), the answer of `/id/keys`.
pub(crate) fn jwks() -> Value {
    let key: PublicKeyComponents<Vec<u8>> = KEY.public().into();
    json!({"keys": [{
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": KEY_ID,
        "n": BASE64URL.encode(key.n),
        "e": BASE64URL.encode(key.e),
    }]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_key_verifies_what_is_signed() {
        let token = sign(&json!({"tty": "sfdc-core-token"}), &json!({"sub": "me"}));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let key = jwks()["keys"][0].clone();
        let bytes = |text: &Value| BASE64URL.decode(text.as_str().unwrap()).unwrap();
        let key = PublicKeyComponents { n: bytes(&key["n"]), e: bytes(&key["e"]) };
        let algorithm = &ring::signature::RSA_PKCS1_2048_8192_SHA256;
        key.verify(algorithm, signed.as_bytes(), &BASE64URL.decode(signature).unwrap()).unwrap();
    }

    #[test]
    fn the_same_claims_give_the_same_token() {
        let (header, claims) = (json!({}), json!({"sub": "me"}));
        assert_eq!(sign(&header, &claims), sign(&header, &claims));
    }
}
