//! JSON Web Tokens: assertions of clients are read and verified, tokens of the org are signed.
//!
//! Pure: no HTTP, no clock. Only RS256 is spoken, as by Salesforce (Salesforce Help, "OAuth 2.0 JWT Bearer Flow for
//! Server-to-Server Integration").

mod certificate;
mod claims;
mod key;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

pub(crate) use certificate::Certificate;
pub(crate) use claims::Claims;
pub(crate) use key::{jwks, sign};

/// Base64url as clients write it: without padding, or with it.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A JWT in compact form (RFC 7515 §3.1) whose signature nobody has looked at yet.
pub(crate) struct Unverified<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    algorithm: String,
    claims: Claims,
}

impl<'a> Unverified<'a> {
    /// Reads three base64url parts, of which the first two are JSON objects.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = object(header)?;
        Some(Self {
            signed,
            signature: BASE64URL.decode(signature).ok()?,
            algorithm: header.get("alg")?.as_str()?.to_owned(),
            claims: Claims::new(object(claims)?),
        })
    }

    /// What the token says of itself; good for nothing but finding out who has to be asked.
    pub(crate) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Whether the key of this certificate signed it, with RS256.
    pub(crate) fn is_signed_by(&self, certificate: &Certificate) -> bool {
        self.algorithm == "RS256" && certificate.verifies(self.signed.as_bytes(), &self.signature)
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&BASE64URL.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const VERSION_3: &str = include_str!("jwt/certificates/version3.pem");
    const OTHER: &str = include_str!("jwt/certificates/other.pem");

    fn certificate(pem: &str) -> Certificate {
        Certificate::from_pem(pem).unwrap()
    }

    #[test]
    fn a_signed_token_is_verified_by_the_certificate_of_its_key_only() {
        let token = sign(&json!({}), &json!({"sub": "me"}));
        let read = Unverified::parse(&token).unwrap();
        assert_eq!(read.claims().text("sub"), Some("me"));
        assert!(read.is_signed_by(&certificate(VERSION_3)));
        assert!(!read.is_signed_by(&certificate(OTHER)));
    }

    #[test]
    fn a_changed_claim_breaks_the_signature() {
        let token = sign(&json!({}), &json!({"sub": "me"}));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let forged = format!("{header}.{}.{signature}", BASE64URL.encode(br#"{"sub":"you"}"#));
        assert!(!Unverified::parse(&forged).unwrap().is_signed_by(&certificate(VERSION_3)));
    }

    #[test]
    fn another_algorithm_is_not_accepted_even_with_a_good_signature() {
        for algorithm in ["none", "HS256", "RS512", "rs256"] {
            let token = sign(&json!({"alg": algorithm}), &json!({}));
            let read = Unverified::parse(&token).unwrap();
            assert!(!read.is_signed_by(&certificate(VERSION_3)), "{algorithm}");
        }
    }

    #[test]
    fn padded_parts_are_read() {
        let part = |text: &str| base64::engine::general_purpose::URL_SAFE.encode(text);
        let token = format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(r#"{"sub":"a"}"#), part("x"));
        assert!(token.contains('='), "{token}");
        assert_eq!(Unverified::parse(&token).unwrap().claims().text("sub"), Some("a"));
    }

    #[test]
    fn what_has_no_three_parts_or_no_objects_in_them_is_no_token() {
        let part = |text: &str| BASE64URL.encode(text);
        let (header, claims) = (part(r#"{"alg":"RS256"}"#), part("{}"));
        for text in [
            String::new(),
            "..".to_owned(),
            format!("{header}.{claims}"),
            format!("{header}.{claims}.x.y"),
            format!("{}.{claims}.x", part("[]")),
            format!("{header}.{}.x", part("7")),
            format!("{}.{claims}.xx", part(r#"{"alg":1}"#)),
            format!("{header}.{claims}.§"),
        ] {
            assert!(Unverified::parse(&text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in any::<String>()) {
            Unverified::parse(&text);
        }

        #[test]
        fn no_content_of_the_parts_makes_reading_panic(
            header in prop_oneof![Just(r#"{"alg":"RS256"}"#.as_bytes().to_vec()), any::<Vec<u8>>()],
            claims in any::<Vec<u8>>(),
            signature in any::<Vec<u8>>(),
        ) {
            let part = |bytes: &[u8]| BASE64URL.encode(bytes);
            let token = format!("{}.{}.{}", part(&header), part(&claims), part(&signature));
            if let Some(read) = Unverified::parse(&token) {
                prop_assert!(!read.is_signed_by(&certificate(VERSION_3)));
            }
        }
    }
}
