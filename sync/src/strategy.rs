//! How each object is read, and which are refused: one table, of which docs/objects.md is the explanation.
//!
//! Lists of object names age, so they are as short as they can be: what describe says decides, and a refusal by the
//! org is understood when it comes (`read`). What stands here is what neither tells beforehand. Sources: SOQL reference
//! v66, "SOQL Object Limits and Limitations"; the lists of open-source connectors, which agree with each other.

use std::fmt;

use salesforce::describe::{FieldType, ObjectDescribe};

/// How changes of an object are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Records whose stamp has moved are read.
    Changed { stamp: &'static str },
    /// Records never change, so those made since are read.
    Added { stamp: &'static str },
    /// Everything is read each time, and rows that are not named any more go.
    Whole,
}

/// Stamps that move with every change, best first: SystemModstamp also moves when automation changes a record, and is
/// indexed.
const CHANGED: [&str; 2] = ["SystemModstamp", "LastModifiedDate"];
const ADDED: &str = "CreatedDate";
const LOGIN: &str = "LoginTime";

/// Objects whose records never change once they are made, beside every `*History`. Others that have no stamp but
/// CreatedDate do change (AsyncApexJob its status, OauthToken its use count), and are read whole.
const APPEND_ONLY: [&str; 6] = [
    "ContentVersionComment",
    "DocumentAttachmentMap",
    "FeedPollChoice",
    "LoginIp",
    "SetupAuditTrail",
    "VerificationHistory",
];

/// Records that are archived are left out by `query`; of these objects `queryAll` is asked from the first reading on.
const ARCHIVED: [&str; 2] = ["Task", "Event"];

/// Objects that refuse any order but their own: pages are followed, and a reading that breaks off begins again.
const UNORDERED: [&str; 24] = [
    "ActivityFieldHistory",
    "ApiEvent",
    "BackgroundOperationResult",
    "BulkApiResultEventStore",
    "EmbeddedServiceDetail",
    "EmbeddedServiceLabel",
    "ExternalEncryptionRootKey",
    "FileEventStore",
    "FormulaFunction",
    "FormulaFunctionAllowedType",
    "FormulaFunctionCategory",
    "IdentityProviderEventStore",
    "IdentityVerificationEvent",
    "LightningUriEvent",
    "ListViewEvent",
    "LoginAsEvent",
    "LoginEvent",
    "LogoutEvent",
    "PendingOrderSummary",
    "PermissionSetEventStore",
    "Publisher",
    "ReportEvent",
    "TabDefinition",
    "UriEvent",
];

/// An object that answers only when its parents are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slices {
    /// The parent's object.
    pub parent: &'static str,
    /// The field that names the parent.
    pub field: &'static str,
}

const SLICED: [(&str, Slices); 1] =
    [("ContentDocumentLink", Slices { parent: "ContentDocument", field: "ContentDocumentId" })];

/// Objects that answer only to a filter that nobody but the user can choose, and what it looks like.
const NEEDS_FILTER: [(&str, &str); 28] = [
    ("Announcement", "ParentId = '…'"),
    ("AppTabMember", "AppDefinitionId = '…'"),
    ("CollaborationGroupRecord", "CollaborationGroupId = '…'"),
    ("ColorDefinition", "TabDefinitionId = '…'"),
    ("ContentFolderItem", "ParentContentFolderId = '…'"),
    ("ContentFolderMember", "ParentContentFolderId = '…'"),
    ("ContentHubItem", "ContentHubRepositoryId = '…'"),
    ("DataStatistics", "StatType = '…' and ContentId or UserId"),
    ("DatacloudAddress", "AddressLine1 or another part of the address"),
    ("EntityParticle", "EntityDefinitionId = '…'"),
    ("FieldDefinition", "EntityDefinitionId = '…'"),
    ("FieldHistoryArchive", "FieldHistoryType = '…' AND ParentId = '…'"),
    ("FlexQueueItem", "JobType = '…'"),
    ("FlowVariableView", "FlowVersionViewId = '…'"),
    ("FlowVersionView", "FlowDefinitionViewId = '…'"),
    ("IconDefinition", "TabDefinitionId = '…'"),
    ("IdeaComment", "IdeaId = '…'"),
    ("NetworkUserHistoryRecent", "NetworkUserId = '…'"),
    ("OwnerChangeOptionInfo", "EntityDefinitionId = '…'"),
    ("PicklistValueInfo", "EntityParticleId = '…'"),
    ("PlatformAction", "ActionListContext = '…' AND SourceEntity = '…'"),
    ("RelationshipDomain", "ParentSobjectId = '…'"),
    ("RelationshipInfo", "ParentSobjectId = '…'"),
    ("SearchLayout", "EntityDefinitionId = '…'"),
    ("UserEntityAccess", "UserId = '…' AND EntityDefinitionId = '…'"),
    ("UserFieldAccess", "UserId = '…' AND FieldDefinitionId = '…'"),
    ("UserRecordAccess", "UserId = '…' AND RecordId = '…'"),
    ("Vote", "ParentId = '…'"),
];

/// Why an object cannot be read, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    NotQueryable {
        object: String,
    },
    /// Records of events as they pass; there is nothing to ask for afterwards.
    Events {
        object: String,
    },
    /// A big object has no Id, and answers only to its index.
    BigObject {
        object: String,
    },
    /// The org answers only to a filter.
    NeedsFilter {
        object: String,
        filter: &'static str,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotQueryable { object } => {
                write!(out, "{object} cannot be queried.")
            }
            Self::Events { object } => {
                write!(
                    out,
                    "{object} is a stream of events and holds no records. Map the object that the events are about."
                )
            }
            Self::BigObject { object } => write!(
                out,
                "{object} is a big object: its records have no Id, and are found by the fields of its index only. Copy \
                 what you need into a custom object, and map that."
            ),
            Self::NeedsFilter { object, filter } => {
                write!(out, "{object} answers only when a filter names what is wanted. Give one, such as {filter}.")
            }
        }
    }
}

/// Why an object cannot be read with this filter; `None`: it can.
pub fn refusal(object: &ObjectDescribe, filter: Option<&str>) -> Option<Refusal> {
    let name = || object.name.clone();
    if object.name.ends_with("ChangeEvent") || object.name.ends_with("__e") {
        return Some(Refusal::Events { object: name() });
    }
    if object.name.ends_with("__b") {
        return Some(Refusal::BigObject { object: name() });
    }
    if !object.queryable {
        return Some(Refusal::NotQueryable { object: name() });
    }
    let (_, needed) = NEEDS_FILTER.into_iter().find(|(known, _)| is(&object.name, known))?;
    filter.is_none().then(|| Refusal::NeedsFilter { object: name(), filter: needed })
}

/// How changes of an object are found, by what its describe says.
pub fn strategy(object: &ObjectDescribe) -> Strategy {
    let is_usable = |name: &&str| {
        let field = object.field(name);
        field.is_some_and(|field| field.filterable && field.kind == FieldType::Datetime)
    };
    if let Some(stamp) = CHANGED.into_iter().find(is_usable) {
        return Strategy::Changed { stamp };
    }
    let added = [ADDED, LOGIN].into_iter().find(is_usable).filter(|stamp| *stamp == LOGIN || is_append_only(object));
    added.map_or(Strategy::Whole, |stamp| Strategy::Added { stamp })
}

/// The stamp that windows go by; `None`: the object is read whole each time.
pub fn cursor(object: &ObjectDescribe) -> Option<&'static str> {
    match strategy(object) {
        Strategy::Changed { stamp } | Strategy::Added { stamp } => Some(stamp),
        Strategy::Whole => None,
    }
}

/// The parents by which an object has to be asked for, unless `filter` names some.
pub(crate) fn slices(object: &str, filter: Option<&str>) -> Option<Slices> {
    let (_, slices) = SLICED.into_iter().find(|(known, _)| is(object, known))?;
    let names_some = |filter: &str| filter.contains("LinkedEntityId") || filter.contains(slices.field);
    filter.is_none_or(|filter| !names_some(filter)).then_some(slices)
}

/// True when records of this object are archived out of sight of `query`.
pub(crate) fn is_archived(object: &str) -> bool {
    ARCHIVED.iter().any(|known| is(object, known))
}

/// True when the org can order this object's records by Id.
pub(crate) fn is_ordered(object: &str) -> bool {
    !UNORDERED.iter().any(|known| is(object, known))
}

fn is_append_only(object: &ObjectDescribe) -> bool {
    // `AccountHistory`, `OpportunityFieldHistory`, `Invoice__History`.
    object.name.ends_with("History") || APPEND_ONLY.iter().any(|known| is(&object.name, known))
}

/// API names are case-insensitive.
fn is(name: &str, known: &str) -> bool {
    name.eq_ignore_ascii_case(known)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(name: &str, stamps: &[(&str, bool)]) -> ObjectDescribe {
        let stamp =
            |(name, filterable): &(&str, bool)| json!({"name": name, "type": "datetime", "filterable": filterable});
        let fields: Vec<Value> = stamps.iter().map(stamp).collect();
        serde_json::from_value(json!({"name": name, "queryable": true, "fields": fields})).unwrap()
    }

    // Pitfalls 45, 61.
    #[test]
    fn the_best_stamp_that_can_be_filtered_is_chosen() {
        let all = |modstamp| {
            object("Account", &[("CreatedDate", true), ("LastModifiedDate", true), ("SystemModstamp", modstamp)])
        };
        assert_eq!(strategy(&all(true)), Strategy::Changed { stamp: "SystemModstamp" });
        assert_eq!(strategy(&all(false)), Strategy::Changed { stamp: "LastModifiedDate" });
        assert_eq!(
            strategy(&object("AccountShare", &[("LastModifiedDate", true)])),
            Strategy::Changed { stamp: "LastModifiedDate" }
        );
    }

    // Pitfall 20.
    #[test]
    fn the_date_of_creation_serves_only_where_records_never_change() {
        let created = |name| strategy(&object(name, &[("CreatedDate", true)]));
        for name in ["AccountHistory", "OpportunityFieldHistory", "Invoice__History", "SetupAuditTrail"] {
            assert_eq!(created(name), Strategy::Added { stamp: "CreatedDate" }, "{name}");
        }
        for name in ["AsyncApexJob", "CronTrigger", "OauthToken"] {
            assert_eq!(created(name), Strategy::Whole, "{name}");
        }
        assert_eq!(strategy(&object("LoginHistory", &[("LoginTime", true)])), Strategy::Added { stamp: "LoginTime" });
        assert_eq!(strategy(&object("CronJobDetail", &[])), Strategy::Whole);
    }

    // Pitfalls 25, 49.
    #[test]
    fn what_cannot_be_read_is_refused_with_the_reason_and_what_to_do() {
        let said = |name: &str, filter| refusal(&object(name, &[]), filter).map(|refusal| refusal.to_string());
        for name in ["AccountChangeEvent", "Invoice__ChangeEvent", "Order_Shipped__e"] {
            assert!(said(name, None).unwrap().contains("stream of events"), "{name}");
        }
        assert!(said("Clicks__b", None).unwrap().contains("big object"));
        assert!(said("Vote", None).unwrap().contains("ParentId"));
        assert_eq!(said("Vote", Some("ParentId = '087'")), None);
        assert_eq!(said("ContentDocumentLink", None), None);
        let hidden: ObjectDescribe = serde_json::from_value(json!({"name": "ActivityHistory"})).unwrap();
        assert!(refusal(&hidden, None).unwrap().to_string().contains("cannot be queried"));
    }

    #[test]
    fn links_of_documents_are_asked_for_by_their_documents_unless_a_filter_names_some() {
        assert_eq!(slices("contentdocumentlink", None).unwrap().field, "ContentDocumentId");
        assert!(slices("ContentDocumentLink", Some("ShareType = 'V'")).is_some());
        assert_eq!(slices("ContentDocumentLink", Some("LinkedEntityId = '001'")), None);
        assert_eq!(slices("ContentDocument", None), None);
    }
}
