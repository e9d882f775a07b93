//! Resources of the platform beside the records: the Tooling API, users and the org as the Connect API shows them, the use
//! of apps, and those that need a licence.

/// A resource below `/services/data/vXX.X`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PlatformRoute {
    Tooling(ToolingRoute),
    ChatterUsers,
    ChatterUser(String),
    ConnectOrganization,
    ConnectCommunities,
    Usage(UsageRoute),
    UserPassword(String),
    /// What an org without the licence for it refuses.
    Unlicensed,
}

/// A resource of the Tooling API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToolingRoute {
    Root,
    Objects,
    Object(String),
    Describe(String),
    Record {
        object: String,
        id: String,
    },
    Query,
    QueryAll,
    QueryMore(String),
    /// Running, testing and completing Apex.
    Apex,
}

/// A resource of the use of client apps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UsageRoute {
    Apps,
    Users(String),
    Tokens { app: String, user: String },
    TokensOfApp(String),
    Token(String),
}

/// Resources whose licences or permissions the org does not have.
const UNLICENSED: [&str; 11] = [
    "analytics",
    "chatter",
    "commerce",
    "einstein",
    "folders",
    "iot",
    "metadata",
    "payments",
    "smartdatadiscovery",
    "ui-api",
    "wave",
];
const APEX: [&str; 6] =
    ["apexManifest", "completions", "executeAnonymous", "runTests", "runTestsAsynchronous", "runTestsSynchronous"];

impl PlatformRoute {
    /// Reads the segments behind the version.
    pub(super) fn parse(segments: &[&str]) -> Option<Self> {
        let owned = |text: &str| text.to_owned();
        Some(match segments {
            ["tooling", rest @ ..] => Self::Tooling(ToolingRoute::parse(rest)?),
            ["chatter", "users"] => Self::ChatterUsers,
            ["chatter", "users", user] => Self::ChatterUser(owned(user)),
            ["connect", "organization"] => Self::ConnectOrganization,
            ["connect", "communities"] => Self::ConnectCommunities,
            ["apps", "oauth", "usage", rest @ ..] => Self::Usage(UsageRoute::parse(rest)?),
            ["sobjects", object, id, "password"] if object.eq_ignore_ascii_case("User") => {
                Self::UserPassword(owned(id))
            }
            [first, ..] if UNLICENSED.contains(first) => Self::Unlicensed,
            _ => return None,
        })
    }

    pub(super) fn template(&self) -> &'static str {
        match self {
            Self::Tooling(route) => route.template(),
            Self::ChatterUsers => "/services/data/vXX.X/chatter/users",
            Self::ChatterUser(_) => "/services/data/vXX.X/chatter/users/{id}",
            Self::ConnectOrganization => "/services/data/vXX.X/connect/organization",
            Self::ConnectCommunities => "/services/data/vXX.X/connect/communities",
            Self::Usage(route) => route.template(),
            Self::UserPassword(_) => "/services/data/vXX.X/sobjects/User/{id}/password",
            Self::Unlicensed => "/services/data/vXX.X/{unlicensed}",
        }
    }
}

impl ToolingRoute {
    fn parse(segments: &[&str]) -> Option<Self> {
        let owned = |text: &str| text.to_owned();
        Some(match segments {
            [] => Self::Root,
            ["sobjects"] => Self::Objects,
            ["sobjects", object] => Self::Object(owned(object)),
            ["sobjects", object, "describe"] => Self::Describe(owned(object)),
            ["sobjects", object, id] => Self::Record { object: owned(object), id: owned(id) },
            ["query"] => Self::Query,
            ["queryAll"] => Self::QueryAll,
            ["query" | "queryAll", locator] => Self::QueryMore(owned(locator)),
            [name] if APEX.iter().any(|known| known.eq_ignore_ascii_case(name)) => Self::Apex,
            _ => return None,
        })
    }

    fn template(&self) -> &'static str {
        match self {
            Self::Root => "/services/data/vXX.X/tooling",
            Self::Objects => "/services/data/vXX.X/tooling/sobjects",
            Self::Object(_) => "/services/data/vXX.X/tooling/sobjects/{object}",
            Self::Describe(_) => "/services/data/vXX.X/tooling/sobjects/{object}/describe",
            Self::Record { .. } => "/services/data/vXX.X/tooling/sobjects/{object}/{id}",
            Self::Query => "/services/data/vXX.X/tooling/query",
            Self::QueryAll => "/services/data/vXX.X/tooling/queryAll",
            Self::QueryMore(_) => "/services/data/vXX.X/tooling/query/{locator}",
            Self::Apex => "/services/data/vXX.X/tooling/{apex}",
        }
    }
}

impl UsageRoute {
    fn parse(segments: &[&str]) -> Option<Self> {
        let owned = |text: &str| text.to_owned();
        Some(match segments {
            [] => Self::Apps,
            ["tokens", id] => Self::Token(owned(id)),
            [app, "users"] => Self::Users(owned(app)),
            [app, "tokens"] => Self::TokensOfApp(owned(app)),
            [app, user, "tokens"] => Self::Tokens { app: owned(app), user: owned(user) },
            _ => return None,
        })
    }

    fn template(&self) -> &'static str {
        match self {
            Self::Apps => "/services/data/vXX.X/apps/oauth/usage",
            Self::Users(_) => "/services/data/vXX.X/apps/oauth/usage/{app}/users",
            Self::Tokens { .. } => "/services/data/vXX.X/apps/oauth/usage/{app}/{user}/tokens",
            Self::TokensOfApp(_) => "/services/data/vXX.X/apps/oauth/usage/{app}/tokens",
            Self::Token(_) => "/services/data/vXX.X/apps/oauth/usage/tokens/{token}",
        }
    }
}
