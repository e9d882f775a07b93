//! The link that a browser is sent to for signing in.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use url::Url;

use crate::{host::OrgUrl, secret::CodeVerifier};

/// The path of the authorization endpoint.
pub(super) const AUTHORIZE: &str = "/services/oauth2/authorize";

/// What an app asks the org's user for (help page `remoteaccess_oauth_web_server_flow`).
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationRequest<'a> {
    pub login: &'a OrgUrl,
    pub client_id: &'a str,
    /// Registered with the app letter for letter.
    pub redirect_uri: &'a str,
    /// By their names on the wire; none asks for every scope of the app.
    pub scopes: &'a [&'a str],
    /// Random, bound to the browser that is sent away; comes back with the answer.
    pub state: &'a str,
    pub verifier: &'a CodeVerifier,
    /// The user name that the login page offers.
    pub login_hint: Option<&'a str>,
}

impl AuthorizationRequest<'_> {
    /// The address of the request. It may be shown: what it holds is not secret without the verifier.
    ///
    /// A code challenge is always sent: apps and orgs may require one, and none refuses it. `prompt=login` is, as by
    /// the sf CLI (sfdx-core `src/org/authInfo.ts`): otherwise whoever happens to be signed in to Salesforce in that
    /// browser is connected without being shown.
    pub fn url(&self) -> Url {
        let mut url = Url::parse(&format!("{}{AUTHORIZE}", self.login)).expect("an org's address is a URL");
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("response_type", "code").append_pair("client_id", self.client_id);
            query.append_pair("redirect_uri", self.redirect_uri);
            if !self.scopes.is_empty() {
                query.append_pair("scope", &self.scopes.join(" "));
            }
            query.append_pair("state", self.state).append_pair("code_challenge", &self.verifier.challenge());
            query.append_pair("code_challenge_method", "S256").append_pair("prompt", "login");
            if let Some(username) = self.login_hint {
                query.append_pair("login_hint", username);
            }
        }
        url
    }
}

impl CodeVerifier {
    /// A verifier of 256 random bits (RFC 7636, section 4.1).
    pub fn fresh() -> Self {
        random_text().into()
    }

    /// What the authorization endpoint gets to see of it: its SHA-256, unpadded (RFC 7636, section 4.2, `S256`).
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.expose().as_bytes()))
    }
}

/// 256 random bits in 43 letters that need no escaping.
pub(super) fn random_text() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has a source of randomness");
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::host::HostRules;

    #[test]
    fn the_challenge_is_that_of_the_standards_example() {
        let verifier = CodeVerifier::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_verifier_is_fresh_and_of_the_standards_alphabet() {
        let (one, other) = (CodeVerifier::fresh(), CodeVerifier::fresh());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), 43);
        assert!(one.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }

    #[test]
    fn the_link_names_everything_once_and_keeps_the_verifier_back() {
        let login = OrgUrl::parse("acme", HostRules::default()).unwrap();
        let verifier = CodeVerifier::fresh();
        let request = AuthorizationRequest {
            login: &login,
            client_id: "3MVG9.a&b",
            redirect_uri: "https://app.example/callback?x=1",
            scopes: &["api", "refresh_token"],
            state: "s t",
            verifier: &verifier,
            login_hint: Some("sam+1@acme.example"),
        };
        let url = request.url();
        assert_eq!(url.as_str().split('?').next().unwrap(), "https://acme.my.salesforce.com/services/oauth2/authorize");
        let sent: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let challenge = verifier.challenge();
        let expected = [
            ("client_id", "3MVG9.a&b"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("login_hint", "sam+1@acme.example"),
            ("prompt", "login"),
            ("redirect_uri", "https://app.example/callback?x=1"),
            ("response_type", "code"),
            ("scope", "api refresh_token"),
            ("state", "s t"),
        ];
        assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert!(!format!("{url} {request:?}").contains(verifier.expose()));
        let without = AuthorizationRequest { scopes: &[], login_hint: None, ..request }.url();
        assert!(!without.as_str().contains("scope=") && !without.as_str().contains("login_hint"));
    }
}
