//! The parts of the REST API that have many resources of one kind.

/// A resource that takes many records or requests at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CompositeRoute {
    Composite,
    Batch,
    Graph,
    Tree(String),
    Records,
    RecordsOf(String),
    RecordsByKey { object: String, field: String },
}

impl CompositeRoute {
    pub(super) fn parse(segments: &[&str]) -> Option<Self> {
        let owned = |text: &str| text.to_owned();
        Some(match segments {
            ["composite"] => Self::Composite,
            // The Connect API has the same resource under its own name (Connect REST API guide, "Batch").
            ["composite", "batch"] | ["connect", "batch"] => Self::Batch,
            ["composite", "graph"] => Self::Graph,
            ["composite", "tree", object] => Self::Tree(owned(object)),
            ["composite", "sobjects"] => Self::Records,
            ["composite", "sobjects", object] => Self::RecordsOf(owned(object)),
            ["composite", "sobjects", object, field] => {
                Self::RecordsByKey { object: owned(object), field: owned(field) }
            }
            _ => return None,
        })
    }

    /// The API version that has it first. Source: REST API guide, the page of each.
    pub(crate) fn since(&self) -> u16 {
        match self {
            Self::Batch | Self::Tree(_) => 34,
            Self::Composite => 38,
            Self::Records | Self::RecordsOf(_) => 42,
            Self::RecordsByKey { .. } => 46,
            Self::Graph => 50,
        }
    }

    pub(super) fn template(&self) -> &'static str {
        match self {
            Self::Composite => "/services/data/vXX.X/composite",
            Self::Batch => "/services/data/vXX.X/composite/batch",
            Self::Graph => "/services/data/vXX.X/composite/graph",
            Self::Tree(_) => "/services/data/vXX.X/composite/tree/{object}",
            Self::Records => "/services/data/vXX.X/composite/sobjects",
            Self::RecordsOf(_) => "/services/data/vXX.X/composite/sobjects/{object}",
            Self::RecordsByKey { .. } => "/services/data/vXX.X/composite/sobjects/{object}/{field}",
        }
    }
}

/// A resource of full-text search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchRoute {
    Search,
    Parameterized,
    ScopeOrder,
    Layout,
    Suggestions,
    SuggestedQueries,
}

impl SearchRoute {
    const PATHS: [(Self, &'static str); 6] = [
        (Self::Search, "/services/data/vXX.X/search"),
        (Self::Parameterized, "/services/data/vXX.X/parameterizedSearch"),
        (Self::ScopeOrder, "/services/data/vXX.X/search/scopeOrder"),
        (Self::Layout, "/services/data/vXX.X/search/layout"),
        (Self::Suggestions, "/services/data/vXX.X/search/suggestions"),
        (Self::SuggestedQueries, "/services/data/vXX.X/search/suggestSearchQueries"),
    ];

    pub(super) fn parse(segments: &[&str]) -> Option<Self> {
        let wanted = segments.join("/");
        // The guide writes `scopeOrder` and `scopeorder`.
        let is_wanted = |path: &str| path.splitn(5, '/').nth(4).is_some_and(|tail| tail.eq_ignore_ascii_case(&wanted));
        Self::PATHS.iter().find(|(_, path)| is_wanted(path)).map(|(route, _)| *route)
    }

    pub(super) fn template(self) -> &'static str {
        Self::PATHS.iter().find(|(route, _)| *route == self).map_or("unknown", |(_, path)| path)
    }
}

/// What surrounds an object in the user interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FrameRoute {
    Layouts { object: String, record_type: Option<String> },
    NamedLayouts { object: String },
    ApprovalLayouts { object: String },
    CompactLayouts { object: String },
    ListViews { object: String },
    ListView { object: String },
    QuickActions { object: String },
    QuickAction { object: String },
    DefaultValues { object: String },
}

impl FrameRoute {
    pub(super) fn parse(segments: &[&str]) -> Option<Self> {
        let ["sobjects", object, rest @ ..] = segments else { return None };
        let object = (*object).to_owned();
        Some(match rest {
            ["describe", "layouts"] => Self::Layouts { object, record_type: None },
            ["describe", "layouts", id] => Self::Layouts { object, record_type: Some((*id).to_owned()) },
            ["describe", "namedLayouts", _] => Self::NamedLayouts { object },
            ["describe", "approvalLayouts"] | ["describe", "approvalLayouts", _] => Self::ApprovalLayouts { object },
            ["describe", "compactLayouts"] | ["describe", "compactLayouts", _] => Self::CompactLayouts { object },
            ["listviews"] => Self::ListViews { object },
            ["listviews", _] | ["listviews", _, "describe" | "results"] => Self::ListView { object },
            ["quickActions"] => Self::QuickActions { object },
            ["quickActions", _, ..] => Self::QuickAction { object },
            ["defaultValues"] => Self::DefaultValues { object },
            _ => return None,
        })
    }

    pub(crate) fn object(&self) -> &str {
        match self {
            Self::Layouts { object, .. }
            | Self::NamedLayouts { object }
            | Self::ApprovalLayouts { object }
            | Self::CompactLayouts { object }
            | Self::ListViews { object }
            | Self::ListView { object }
            | Self::QuickActions { object }
            | Self::QuickAction { object }
            | Self::DefaultValues { object } => object,
        }
    }

    pub(super) fn template(&self) -> &'static str {
        match self {
            Self::Layouts { record_type: None, .. } => "/services/data/vXX.X/sobjects/{object}/describe/layouts",
            Self::Layouts { .. } => "/services/data/vXX.X/sobjects/{object}/describe/layouts/{recordType}",
            Self::NamedLayouts { .. } => "/services/data/vXX.X/sobjects/{object}/describe/namedLayouts/{name}",
            Self::ApprovalLayouts { .. } => "/services/data/vXX.X/sobjects/{object}/describe/approvalLayouts",
            Self::CompactLayouts { .. } => "/services/data/vXX.X/sobjects/{object}/describe/compactLayouts",
            Self::ListViews { .. } => "/services/data/vXX.X/sobjects/{object}/listviews",
            Self::ListView { .. } => "/services/data/vXX.X/sobjects/{object}/listviews/{listView}",
            Self::QuickActions { .. } => "/services/data/vXX.X/sobjects/{object}/quickActions",
            Self::QuickAction { .. } => "/services/data/vXX.X/sobjects/{object}/quickActions/{name}",
            Self::DefaultValues { .. } => "/services/data/vXX.X/sobjects/{object}/defaultValues",
        }
    }
}

/// A resource of the app around the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppRoute {
    Theme,
    Tabs,
    AppMenu,
    CompactLayouts,
    QuickActions,
    ProcessRules,
    ProcessApprovals,
    Actions,
    StandardActions,
    CustomActions,
    Support,
    Nouns,
    KnowledgeSettings,
    EventSchema,
    RelevantItems,
    /// Reports and dashboards.
    Analytics,
}

impl AppRoute {
    pub(super) fn parse(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            ["theme"] => Self::Theme,
            ["tabs"] => Self::Tabs,
            ["appMenu", _, ..] => Self::AppMenu,
            ["compactLayouts"] => Self::CompactLayouts,
            ["quickActions", ..] => Self::QuickActions,
            ["process", "rules", ..] => Self::ProcessRules,
            ["process", "approvals"] => Self::ProcessApprovals,
            ["actions"] => Self::Actions,
            ["actions", "standard", ..] => Self::StandardActions,
            ["actions", "custom", ..] => Self::CustomActions,
            ["support", ..] => Self::Support,
            ["nouns", ..] => Self::Nouns,
            ["knowledgeManagement", "settings"] => Self::KnowledgeSettings,
            ["event", "eventSchema", _] | ["sobjects", _, "eventSchema"] => Self::EventSchema,
            ["sobjects", "relevantItems"] => Self::RelevantItems,
            ["analytics", "dashboards" | "reports" | "reportTypes", ..] => Self::Analytics,
            _ => return None,
        })
    }

    pub(super) fn template(self) -> &'static str {
        match self {
            Self::Theme => "/services/data/vXX.X/theme",
            Self::Tabs => "/services/data/vXX.X/tabs",
            Self::AppMenu => "/services/data/vXX.X/appMenu/{set}",
            Self::CompactLayouts => "/services/data/vXX.X/compactLayouts",
            Self::QuickActions => "/services/data/vXX.X/quickActions",
            Self::ProcessRules => "/services/data/vXX.X/process/rules",
            Self::ProcessApprovals => "/services/data/vXX.X/process/approvals",
            Self::Actions => "/services/data/vXX.X/actions",
            Self::StandardActions => "/services/data/vXX.X/actions/standard",
            Self::CustomActions => "/services/data/vXX.X/actions/custom",
            Self::Support => "/services/data/vXX.X/support",
            Self::Nouns => "/services/data/vXX.X/nouns",
            Self::KnowledgeSettings => "/services/data/vXX.X/knowledgeManagement/settings",
            Self::EventSchema => "/services/data/vXX.X/event/eventSchema/{schema}",
            Self::RelevantItems => "/services/data/vXX.X/sobjects/relevantItems",
            Self::Analytics => "/services/data/vXX.X/analytics/{list}",
        }
    }

    /// Whether something is done by POST there.
    pub(crate) fn takes_posts(self) -> bool {
        matches!(self, Self::ProcessApprovals | Self::ProcessRules | Self::QuickActions)
    }
}
