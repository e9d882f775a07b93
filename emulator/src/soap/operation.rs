//! The calls that this org knows: those of the partner and the enterprise WSDL, and those of the metadata WSDL.

use crate::route::SoapApi;

/// No results.
const NONE: &str = "";
/// A result of nothing but lists.
const EMPTY: &str = "<result/>";
const NIL: &str = "<result xsi:nil=\"true\"/>";
const NO_KNOWLEDGE: &str =
    "<result><defaultLanguage>en_US</defaultLanguage><knowledgeEnabled>false</knowledgeEnabled></result>";

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    ChangeOwnPassword,
    ConvertLead,
    Create,
    Delete,
    DescribeApprovalLayout,
    DescribeCompactLayouts,
    DescribeGlobal,
    DescribeGlobalTheme,
    DescribeLayout,
    DescribePathAssistants,
    DescribePrimaryCompactLayouts,
    DescribeSObject,
    DescribeSObjects,
    DescribeSearchLayouts,
    EmptyRecycleBin,
    /// A describe that says the same in every org without customisation.
    Fixed(&'static str),
    GetDeleted,
    GetServerTimestamp,
    GetUpdated,
    GetUserInfo,
    InvalidateSessions,
    Login,
    Logout,
    Merge,
    Process,
    Query,
    QueryAll,
    QueryMore,
    ResetPassword,
    Retrieve,
    Search,
    SendEmail,
    SetPassword,
    Undelete,
    Update,
    Upsert,
    DescribeMetadata,
    ListMetadata,
    ReadMetadata,
    /// Whatever changes, deploys or retrieves components.
    ChangeMetadata,
}

/// Calls of the metadata WSDL v66 that are refused.
const METADATA_CHANGES: [&str; 12] = [
    "cancelDeploy",
    "checkDeployStatus",
    "checkRetrieveStatus",
    "createMetadata",
    "deleteMetadata",
    "deploy",
    "deployRecentValidation",
    "describeValueType",
    "renameMetadata",
    "retrieve",
    "updateMetadata",
    "upsertMetadata",
];

impl Operation {
    const NAMES: [(Self, &'static str); 47] = [
        (Self::ChangeOwnPassword, "changeOwnPassword"),
        (Self::ConvertLead, "convertLead"),
        (Self::Create, "create"),
        (Self::Delete, "delete"),
        (Self::Fixed(NONE), "describeAllTabs"),
        (Self::Fixed(EMPTY), "describeAppMenu"),
        (Self::DescribeApprovalLayout, "describeApprovalLayout"),
        (Self::Fixed(NONE), "describeAvailableQuickActions"),
        (Self::DescribeCompactLayouts, "describeCompactLayouts"),
        (Self::Fixed(NONE), "describeDataCategoryGroups"),
        (Self::Fixed(NONE), "describeDataCategoryGroupStructures"),
        (Self::Fixed(NONE), "describeDataCategoryMappings"),
        (Self::DescribeGlobal, "describeGlobal"),
        (Self::DescribeGlobalTheme, "describeGlobalTheme"),
        (Self::Fixed(NO_KNOWLEDGE), "describeKnowledgeSettings"),
        (Self::DescribeLayout, "describeLayout"),
        (Self::Fixed(NONE), "describeNouns"),
        (Self::DescribePathAssistants, "describePathAssistants"),
        (Self::DescribePrimaryCompactLayouts, "describePrimaryCompactLayouts"),
        (Self::DescribeSObject, "describeSObject"),
        (Self::DescribeSObjects, "describeSObjects"),
        (Self::DescribeSearchLayouts, "describeSearchLayouts"),
        (Self::Fixed(NONE), "describeSearchScopeOrder"),
        (Self::Fixed(NIL), "describeSoftphoneLayout"),
        (Self::Fixed(NONE), "describeTabs"),
        (Self::Fixed(EMPTY), "describeTheme"),
        (Self::EmptyRecycleBin, "emptyRecycleBin"),
        (Self::GetDeleted, "getDeleted"),
        (Self::GetServerTimestamp, "getServerTimestamp"),
        (Self::GetUpdated, "getUpdated"),
        (Self::GetUserInfo, "getUserInfo"),
        (Self::InvalidateSessions, "invalidateSessions"),
        (Self::Login, "login"),
        (Self::Logout, "logout"),
        (Self::Merge, "merge"),
        (Self::Process, "process"),
        (Self::Query, "query"),
        (Self::QueryAll, "queryAll"),
        (Self::QueryMore, "queryMore"),
        (Self::ResetPassword, "resetPassword"),
        (Self::Retrieve, "retrieve"),
        (Self::Search, "search"),
        (Self::SendEmail, "sendEmail"),
        (Self::SetPassword, "setPassword"),
        (Self::Undelete, "undelete"),
        (Self::Update, "update"),
        (Self::Upsert, "upsert"),
    ];

    pub(super) fn parse(api: SoapApi, name: &str) -> Option<Self> {
        match (api, name) {
            (SoapApi::Partner | SoapApi::Enterprise, name) => {
                Self::NAMES.iter().find(|(_, known)| *known == name).map(|(operation, _)| *operation)
            }
            (SoapApi::Metadata, "describeMetadata") => Some(Self::DescribeMetadata),
            (SoapApi::Metadata, "listMetadata") => Some(Self::ListMetadata),
            (SoapApi::Metadata, "readMetadata") => Some(Self::ReadMetadata),
            (SoapApi::Metadata, name) => METADATA_CHANGES.contains(&name).then_some(Self::ChangeMetadata),
            (SoapApi::Apex | SoapApi::Tooling, _) => None,
        }
    }

    /// Whether a session may make the call whose password has expired.
    pub(super) fn sets_own_password(self) -> bool {
        matches!(self, Self::SetPassword | Self::ChangeOwnPassword)
    }
}
