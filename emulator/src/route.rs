//! Which resource a path names.

mod bulk;
mod platform;
mod rest;

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

pub(crate) use bulk::{AsyncRoute, BulkRoute, RowSet};
pub(crate) use platform::{PlatformRoute, ToolingRoute, UsageRoute};
pub(crate) use rest::{AppRoute, CompositeRoute, FrameRoute, SearchRoute};

/// API versions that this org serves. Source: REST API guide, "API End-of-Life Policy"; v68.0 is Winter '27.
pub(crate) const OLDEST_VERSION: u16 = 31;
pub(crate) const NEWEST_VERSION: u16 = 68;
/// Versions from here up to [`OLDEST_VERSION`] existed once and are retired.
const FIRST_VERSION: u16 = 7;

/// The version segment of a data path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Supported(u16),
    Retired,
    Unknown,
}

impl Version {
    fn parse(segment: &str) -> Self {
        let number = segment.strip_prefix('v').and_then(bare_version);
        match number {
            Some(number) if (OLDEST_VERSION..=NEWEST_VERSION).contains(&number) => Self::Supported(number),
            Some(number) if (FIRST_VERSION..OLDEST_VERSION).contains(&number) => Self::Retired,
            _ => Self::Unknown,
        }
    }
}

/// A version without the letter, such as `60.0`.
fn bare_version(segment: &str) -> Option<u16> {
    let digits = segment.strip_suffix(".0")?;
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0'))
}

/// The interfaces of the SOAP API, each with a WSDL of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SoapApi {
    Partner,
    Enterprise,
    Metadata,
    Apex,
    Tooling,
}

impl SoapApi {
    fn parse(segment: &str) -> Option<Self> {
        let all = [Self::Partner, Self::Enterprise, Self::Metadata, Self::Apex, Self::Tooling];
        all.into_iter().find(|api| api.segment() == segment)
    }

    /// Its name in paths.
    pub(crate) fn segment(self) -> &'static str {
        match self {
            Self::Partner => "u",
            Self::Enterprise => "c",
            Self::Metadata => "m",
            Self::Apex => "s",
            Self::Tooling => "T",
        }
    }
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Token,
    UserInfo,
    Introspect,
    Revoke,
    Authorize,
    SingleAccess,
    Frontdoor,
    Register,
    Echo,
    Headless,
    Web(WebRoute),
    Identity {
        org: String,
        user: String,
    },
    Keys,
    OpenIdConfiguration,
    AuthorizationServer,
    AuthConfiguration,
    Soap(SoapApi, Option<u16>),
    /// Bulk API 1.0.
    Async(Option<u16>, AsyncRoute),
    Versions,
    /// An Apex class that answers requests.
    ApexRest,
    /// The Streaming API.
    Cometd(Option<u16>),
    Data(Version, DataRoute),
    Unknown,
}

/// A page for people, or what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WebRoute {
    Login,
    Verification,
    Consent,
    Connect,
    Error,
    Logout,
    Style,
}

impl WebRoute {
    const PATHS: [(Self, &'static str); 7] = [
        (Self::Login, "/login"),
        (Self::Verification, "/_ui/identity/verification"),
        (Self::Consent, "/setup/secur/RemoteAccessAuthorizationPage.apexp"),
        (Self::Connect, "/setup/connect"),
        (Self::Error, "/setup/secur/RemoteAccessErrorPage.apexp"),
        (Self::Logout, "/secur/logout.jsp"),
        (Self::Style, "/emulated/web.css"),
    ];

    fn parse(path: &str) -> Option<Self> {
        Self::PATHS.iter().find(|(_, known)| *known == path).map(|(route, _)| *route)
    }

    pub(crate) fn path(self) -> &'static str {
        Self::PATHS.iter().find(|(route, _)| *route == self).map_or("/", |(_, path)| path)
    }
}

/// A resource below `/services/data/vXX.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DataRoute {
    Root,
    Limits,
    Sobjects,
    Object(String),
    Describe(String),
    Record {
        object: String,
        id: String,
    },
    ExternalId {
        object: String,
        field: String,
        value: String,
    },
    /// By relationships from a record: at least two of them.
    Related {
        object: String,
        id: String,
        path: Vec<String>,
    },
    Frame(FrameRoute),
    App(AppRoute),
    Search(SearchRoute),
    Recent,
    RecordCount,
    Updated(String),
    Deleted(String),
    Query,
    QueryAll,
    QueryMore(String),
    Composite(CompositeRoute),
    Bulk(BulkRoute),
    Platform(PlatformRoute),
    Unknown,
}

impl Route {
    /// Reads a path. An empty segment (a double slash) names nothing.
    pub(crate) fn parse(path: &str) -> Self {
        if let Some(page) = WebRoute::parse(path) {
            return Self::Web(page);
        }
        // The vendor's command line keeps a slash at the end of an address where a name does not resolve yet.
        let path = path.trim_start_matches('/');
        let path = path.strip_suffix('/').unwrap_or(path);
        let decoded: Vec<Cow<'_, str>> =
            path.split('/').map(|segment| percent_decode_str(segment).decode_utf8_lossy()).collect();
        let segments: Vec<&str> = decoded.iter().map(Cow::as_ref).collect();
        match segments.as_slice() {
            ["services", "oauth2", "token"] => Self::Token,
            ["services", "oauth2", "userinfo"] => Self::UserInfo,
            ["services", "oauth2", "introspect"] => Self::Introspect,
            ["services", "oauth2", "revoke"] => Self::Revoke,
            ["services", "oauth2", "singleaccess"] => Self::SingleAccess,
            ["secur", "frontdoor.jsp"] => Self::Frontdoor,
            ["id", "keys"] => Self::Keys,
            ["services", "oauth2", "register"] => Self::Register,
            ["services", "oauth2", "echo"] => Self::Echo,
            ["services", "auth", "headless", _, ..] => Self::Headless,
            // The name of a login experience may follow.
            ["services", "oauth2", "authorize"] | ["services", "oauth2", "authorize", _] => Self::Authorize,
            ["id", org, user] => Self::Identity { org: (*org).to_owned(), user: (*user).to_owned() },
            [".well-known", "openid-configuration"] => Self::OpenIdConfiguration,
            [".well-known", "oauth-authorization-server"] => Self::AuthorizationServer,
            [".well-known", "auth-configuration"] => Self::AuthConfiguration,
            ["services", "Soap", api, rest @ ..] => match SoapApi::parse(api) {
                Some(api) => Self::Soap(api, rest.first().and_then(|segment| bare_version(segment))),
                None => Self::Unknown,
            },
            ["services", "async", version, rest @ ..] => Self::Async(bare_version(version), AsyncRoute::parse(rest)),
            ["services", "data"] => Self::Versions,
            ["services", "apexrest", ..] => Self::ApexRest,
            ["cometd", rest @ ..] => Self::Cometd(rest.first().and_then(|segment| bare_version(segment))),
            ["services", "data", version, rest @ ..] => {
                Self::Data(Version::parse(version), DataRoute::parse(&without_format(rest)))
            }
            _ => Self::Unknown,
        }
    }

    /// Whether the body of such a request is too long to be kept in memory.
    pub(crate) fn takes_upload(&self, method: &Method) -> bool {
        method == Method::PUT && matches!(self, Self::Data(_, DataRoute::Bulk(BulkRoute::IngestUpload(_))))
    }

    /// The path with its variable parts replaced, for the journal and for faults.
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::Token => "/services/oauth2/token",
            Self::UserInfo => "/services/oauth2/userinfo",
            Self::Introspect => "/services/oauth2/introspect",
            Self::Revoke => "/services/oauth2/revoke",
            Self::Authorize => "/services/oauth2/authorize",
            Self::SingleAccess => "/services/oauth2/singleaccess",
            Self::Frontdoor => "/secur/frontdoor.jsp",
            Self::Register => "/services/oauth2/register",
            Self::Echo => "/services/oauth2/echo",
            Self::Headless => "/services/auth/headless/{call}",
            Self::Web(page) => page.path(),
            Self::Identity { .. } => "/id/{org}/{user}",
            Self::Keys => "/id/keys",
            Self::OpenIdConfiguration => "/.well-known/openid-configuration",
            Self::AuthorizationServer => "/.well-known/oauth-authorization-server",
            Self::AuthConfiguration => "/.well-known/auth-configuration",
            Self::Soap(SoapApi::Partner, _) => "/services/Soap/u/{version}",
            Self::Soap(SoapApi::Enterprise, _) => "/services/Soap/c/{version}",
            Self::Soap(SoapApi::Metadata, _) => "/services/Soap/m/{version}",
            Self::Soap(SoapApi::Apex, _) => "/services/Soap/s/{version}",
            Self::Soap(SoapApi::Tooling, _) => "/services/Soap/T/{version}",
            Self::Async(_, route) => route.template(),
            Self::Versions => "/services/data",
            Self::ApexRest => "/services/apexrest/{path}",
            Self::Cometd(_) => "/cometd/{version}",
            Self::Data(_, route) => route.template(),
            Self::Unknown => "unknown",
        }
    }
}

/// The segments without `.json` or `.xml` at their end, which name the format of the answer. An external id keeps it.
///
/// Source: REST API guide v66, "Response Formats".
fn without_format<'a>(segments: &[&'a str]) -> Vec<&'a str> {
    let mut segments = segments.to_vec();
    let is_external_id = matches!(segments.as_slice(), ["sobjects", _, _, _]);
    if let Some(last) = segments.last_mut().filter(|_| !is_external_id) {
        *last = last.strip_suffix(".json").or_else(|| last.strip_suffix(".xml")).unwrap_or(last);
    }
    segments
}

impl DataRoute {
    fn parse(segments: &[&str]) -> Self {
        let owned = |text: &str| text.to_owned();
        if segments.contains(&"") {
            return Self::Unknown;
        }
        let around = FrameRoute::parse(segments).map(Self::Frame);
        if let Some(route) = around.or_else(|| AppRoute::parse(segments).map(Self::App)) {
            return route;
        }
        match segments {
            [] => Self::Root,
            rest if let Some(route) = PlatformRoute::parse(rest) => Self::Platform(route),
            ["limits"] => Self::Limits,
            ["limits", "recordCount"] => Self::RecordCount,
            ["recent"] => Self::Recent,
            ["composite", ..] | ["connect", "batch"] => {
                CompositeRoute::parse(segments).map_or(Self::Unknown, Self::Composite)
            }
            ["search", ..] | ["parameterizedSearch"] => {
                SearchRoute::parse(segments).map_or(Self::Unknown, Self::Search)
            }
            ["sobjects"] => Self::Sobjects,
            ["sobjects", object] => Self::Object(owned(object)),
            ["sobjects", object, "describe"] => Self::Describe(owned(object)),
            ["sobjects", object, "updated"] => Self::Updated(owned(object)),
            ["sobjects", object, "deleted"] => Self::Deleted(owned(object)),
            ["sobjects", object, id] => Self::Record { object: owned(object), id: owned(id) },
            ["sobjects", object, field, value] => {
                Self::ExternalId { object: owned(object), field: owned(field), value: owned(value) }
            }
            ["sobjects", object, id, path @ ..] => Self::Related {
                object: owned(object),
                id: owned(id),
                path: path.iter().map(|name| owned(name)).collect(),
            },
            ["query"] => Self::Query,
            ["queryAll"] => Self::QueryAll,
            ["query" | "queryAll", locator] => Self::QueryMore(owned(locator)),
            ["jobs", rest @ ..] => BulkRoute::parse(rest).map_or(Self::Unknown, Self::Bulk),
            _ => Self::Unknown,
        }
    }

    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::Root => "/services/data/vXX.X",
            Self::Limits => "/services/data/vXX.X/limits",
            Self::Sobjects => "/services/data/vXX.X/sobjects",
            Self::Object(_) => "/services/data/vXX.X/sobjects/{object}",
            Self::Describe(_) => "/services/data/vXX.X/sobjects/{object}/describe",
            Self::Record { .. } => "/services/data/vXX.X/sobjects/{object}/{id}",
            Self::ExternalId { .. } => "/services/data/vXX.X/sobjects/{object}/{field}/{value}",
            Self::Updated(_) => "/services/data/vXX.X/sobjects/{object}/updated",
            Self::Deleted(_) => "/services/data/vXX.X/sobjects/{object}/deleted",
            Self::Query => "/services/data/vXX.X/query",
            Self::QueryAll => "/services/data/vXX.X/queryAll",
            Self::QueryMore(_) => "/services/data/vXX.X/query/{locator}",
            Self::Composite(route) => route.template(),
            Self::Related { .. } => "/services/data/vXX.X/sobjects/{object}/{id}/{relationship}/{relationship}",
            Self::Frame(route) => route.template(),
            Self::App(route) => route.template(),
            Self::Search(route) => route.template(),
            Self::Recent => "/services/data/vXX.X/recent",
            Self::RecordCount => "/services/data/vXX.X/limits/recordCount",
            Self::Bulk(route) => route.template(),
            Self::Platform(route) => route.template(),
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(path: &str) -> DataRoute {
        match Route::parse(&format!("/services/data/v60.0{path}")) {
            Route::Data(Version::Supported(60), route) => route,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_double_slash_after_the_version_names_nothing() {
        assert_eq!(data("//sobjects/Account"), DataRoute::Unknown);
        assert_eq!(data("/sobjects"), DataRoute::Sobjects);
    }

    #[test]
    fn slashes_before_the_path_do_not_count() {
        assert_eq!(Route::parse("//services/data"), Route::Versions);
    }

    #[test]
    fn a_trailing_slash_is_accepted_as_the_guide_writes_it() {
        assert_eq!(data("/sobjects/Account/updated/"), DataRoute::Updated("Account".into()));
        assert_eq!(data("/"), DataRoute::Root);
    }

    #[test]
    fn versions_are_supported_retired_or_unknown() {
        for (segment, version) in [
            ("v31.0", Version::Supported(31)),
            ("v68.0", Version::Supported(68)),
            ("v30.0", Version::Retired),
            ("v7.0", Version::Retired),
            ("v6.0", Version::Unknown),
            ("v69.0", Version::Unknown),
            ("60.0", Version::Unknown),
            ("v060.0", Version::Unknown),
            ("v60", Version::Unknown),
        ] {
            assert_eq!(Version::parse(segment), version, "{segment}");
        }
    }
}
