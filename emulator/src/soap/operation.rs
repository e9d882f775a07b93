//! The calls of the partner and the enterprise WSDL that this org knows.

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    ChangeOwnPassword,
    Create,
    Delete,
    DescribeGlobal,
    DescribeLayout,
    DescribeSObject,
    DescribeSObjects,
    DescribeTabs,
    EmptyRecycleBin,
    GetDeleted,
    GetServerTimestamp,
    GetUpdated,
    GetUserInfo,
    InvalidateSessions,
    Login,
    Logout,
    Merge,
    Query,
    QueryAll,
    QueryMore,
    ResetPassword,
    Retrieve,
    Search,
    SetPassword,
    Undelete,
    Update,
    Upsert,
}

impl Operation {
    const NAMES: [(Self, &'static str); 27] = [
        (Self::ChangeOwnPassword, "changeOwnPassword"),
        (Self::Create, "create"),
        (Self::Delete, "delete"),
        (Self::DescribeGlobal, "describeGlobal"),
        (Self::DescribeLayout, "describeLayout"),
        (Self::DescribeSObject, "describeSObject"),
        (Self::DescribeSObjects, "describeSObjects"),
        (Self::DescribeTabs, "describeTabs"),
        (Self::EmptyRecycleBin, "emptyRecycleBin"),
        (Self::GetDeleted, "getDeleted"),
        (Self::GetServerTimestamp, "getServerTimestamp"),
        (Self::GetUpdated, "getUpdated"),
        (Self::GetUserInfo, "getUserInfo"),
        (Self::InvalidateSessions, "invalidateSessions"),
        (Self::Login, "login"),
        (Self::Logout, "logout"),
        (Self::Merge, "merge"),
        (Self::Query, "query"),
        (Self::QueryAll, "queryAll"),
        (Self::QueryMore, "queryMore"),
        (Self::ResetPassword, "resetPassword"),
        (Self::Retrieve, "retrieve"),
        (Self::Search, "search"),
        (Self::SetPassword, "setPassword"),
        (Self::Undelete, "undelete"),
        (Self::Update, "update"),
        (Self::Upsert, "upsert"),
    ];

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(operation, _)| *operation)
    }

    /// Whether a session may make the call whose password has expired.
    pub(super) fn sets_own_password(self) -> bool {
        matches!(self, Self::SetPassword | Self::ChangeOwnPassword)
    }
}
