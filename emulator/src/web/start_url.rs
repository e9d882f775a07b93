//! Where a person goes on after signing in: a path of this host, and nothing else.

use url::form_urlencoded;

use crate::oauth::Parameters;
use crate::route::WebRoute;

const MAX_LENGTH: usize = 2000;

/// A path with its query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StartUrl(String);

impl StartUrl {
    /// The consent page of a request that waits.
    pub(super) fn consent(source: &str) -> Self {
        Self(format!("{}?source={source}", WebRoute::Consent.path()))
    }

    /// A path, unless it could lead to another host.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let leads_away = path.starts_with("//") || path.contains('\\');
        let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
        (path.starts_with('/') && !leads_away && plain && path.len() <= MAX_LENGTH).then(|| Self(path.to_owned()))
    }

    pub(super) fn of(parameters: &Parameters) -> Option<Self> {
        Self::parse(parameters.get("startURL")?)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the request whose consent page this is.
    pub(super) fn source(&self) -> Option<String> {
        let (path, query) = self.0.split_once('?')?;
        let (_, source) = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "source")?;
        (path == WebRoute::Consent.path()).then(|| source.into_owned())
    }

    /// This path as a parameter of another page.
    pub(super) fn after(&self, page: WebRoute) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("startURL", &self.0).finish();
        format!("{}?{query}", page.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_url_never_leads_to_another_host() {
        for path in ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "", "/a b", "/\r\nX: y", "/ä"]
        {
            assert_eq!(StartUrl::parse(path), None, "{path:?}");
        }
        assert!(StartUrl::parse("/setup/connect?user_code=ABCD1234").is_some());
    }

    #[test]
    fn the_consent_page_names_its_request() {
        assert_eq!(StartUrl::consent("a.b_c").source().as_deref(), Some("a.b_c"));
        assert_eq!(StartUrl::parse("/setup/connect?source=x").and_then(|url| url.source()), None);
    }
}
