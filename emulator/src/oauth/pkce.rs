//! Proof Key for Code Exchange (RFC 7636; Salesforce Help, "OAuth 2.0 Web Server Flow").

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

/// What an authorization request promises about the verifier of the token request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodeChallenge {
    method: Method,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    S256,
    /// Documented nowhere at Salesforce, and refused nowhere that is documented.
    Plain,
}

impl CodeChallenge {
    /// Without a method it is S256: jsforce and the Mobile SDK never send one. `None` for a method that does not exist.
    pub(crate) fn new(method: Option<&str>, value: &str) -> Option<Self> {
        let method = match method {
            None | Some("S256") => Method::S256,
            Some("plain") => Method::Plain,
            Some(_) => return None,
        };
        Some(Self { method, value: value.to_owned() })
    }

    /// Whether a verifier fits. Its length is no matter: clients send 171 characters where the RFC allows 128.
    pub(crate) fn is_met_by(&self, verifier: &str) -> bool {
        match self.method {
            Method::S256 => {
                let hash = digest::digest(&digest::SHA256, verifier.as_bytes());
                URL_SAFE_NO_PAD.encode(hash) == self.value
            }
            Method::Plain => verifier == self.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn the_example_of_the_rfc_is_met() {
        let challenge = CodeChallenge::new(None, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"));
        assert!(!challenge.is_met_by(""));
    }

    #[test]
    fn a_padded_hash_is_not_met() {
        let challenge = CodeChallenge::new(Some("S256"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=").unwrap();
        assert!(!challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    }

    #[test]
    fn methods_that_do_not_exist_make_no_challenge() {
        assert_eq!(CodeChallenge::new(Some("s512"), "x"), None);
    }
}
