//! The types of metadata that the org knows.
//!
//! Source: Metadata API developer guide v66, "Metadata Types"; folders and suffixes as in the registry of the Salesforce
//! CLI (`forcedotcom/source-deploy-retrieve`). A real org has some two hundred of them; these are the common ones.

use super::super::fault::Fault;
use super::super::writer::Elements;

/// A type, with the folder and the suffix of its files.
pub(super) struct MetadataType {
    name: &'static str,
    folder: &'static str,
    suffix: &'static str,
    in_folder: bool,
    has_meta_file: bool,
}

/// Types that stand within those of objects.
const OF_OBJECTS: [&str; 11] = [
    "CustomField",
    "Index",
    "BusinessProcess",
    "RecordType",
    "CompactLayout",
    "WebLink",
    "ValidationRule",
    "SharingReason",
    "ListView",
    "FieldSet",
    "HistoryRetentionPolicy",
];
/// Types that are listed and not described: the folders of others.
const FOLDERS: [&str; 5] = ["DashboardFolder", "DocumentFolder", "EmailFolder", "EmailTemplateFolder", "ReportFolder"];

/// Whether the files of a type lie in folders of their own, and whether each has a second file beside it.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    WithMeta,
    InFolder,
    InFolderWithMeta,
}

const TYPES: [(&str, &str, &str, Form); 42] = {
    use Form::{InFolder, InFolderWithMeta, Plain, WithMeta};
    [
        ("InstalledPackage", "installedPackages", "installedPackage", Plain),
        ("CustomLabels", "labels", "labels", Plain),
        ("StaticResource", "staticresources", "resource", WithMeta),
        ("AuraDefinitionBundle", "aura", "", Plain),
        ("LightningComponentBundle", "lwc", "", Plain),
        ("ApexComponent", "components", "component", WithMeta),
        ("ApexPage", "pages", "page", WithMeta),
        ("Queue", "queues", "queue", Plain),
        ("Group", "groups", "group", Plain),
        ("Role", "roles", "role", Plain),
        ("CustomObject", "objects", "object", Plain),
        ("ReportType", "reportTypes", "reportType", Plain),
        ("Report", "reports", "report", InFolder),
        ("Dashboard", "dashboards", "dashboard", InFolder),
        ("Document", "documents", "", InFolderWithMeta),
        ("EmailTemplate", "email", "email", InFolderWithMeta),
        ("Layout", "layouts", "layout", Plain),
        ("CustomTab", "tabs", "tab", Plain),
        ("CustomApplication", "applications", "app", Plain),
        ("FlexiPage", "flexipages", "flexipage", Plain),
        ("GlobalValueSet", "globalValueSets", "globalValueSet", Plain),
        ("CustomPermission", "customPermissions", "customPermission", Plain),
        ("CustomMetadata", "customMetadata", "md", Plain),
        ("Flow", "flows", "flow", Plain),
        ("Workflow", "workflows", "workflow", Plain),
        ("AssignmentRules", "assignmentRules", "assignmentRules", Plain),
        ("AutoResponseRules", "autoResponseRules", "autoResponseRules", Plain),
        ("EscalationRules", "escalationRules", "escalationRules", Plain),
        ("ApprovalProcess", "approvalProcesses", "approvalProcess", Plain),
        ("SharingRules", "sharingRules", "sharingRules", Plain),
        ("MatchingRules", "matchingRules", "matchingRule", Plain),
        ("DuplicateRule", "duplicateRules", "duplicateRule", Plain),
        ("QuickAction", "quickActions", "quickAction", Plain),
        ("RemoteSiteSetting", "remoteSiteSettings", "remoteSite", Plain),
        ("NamedCredential", "namedCredentials", "namedCredential", Plain),
        ("ApexClass", "classes", "cls", WithMeta),
        ("ApexTrigger", "triggers", "trigger", WithMeta),
        ("Profile", "profiles", "profile", Plain),
        ("PermissionSet", "permissionsets", "permissionset", Plain),
        ("PermissionSetGroup", "permissionsetgroups", "permissionsetgroup", Plain),
        ("ConnectedApp", "connectedApps", "connectedApp", Plain),
        ("ExternalClientApplication", "externalClientApps", "eca", Plain),
    ]
};

impl MetadataType {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        TYPES.into_iter().map(|(name, folder, suffix, form)| Self {
            name,
            folder,
            suffix,
            in_folder: matches!(form, Form::InFolder | Form::InFolderWithMeta),
            has_meta_file: matches!(form, Form::WithMeta | Form::InFolderWithMeta),
        })
    }

    /// `DescribeMetadataObject`, in the order of the WSDL.
    pub(super) fn describe(&self, out: &mut Elements) {
        let children: &[&str] = match self.name {
            "CustomObject" => &OF_OBJECTS,
            "CustomLabels" => &["CustomLabel"],
            "Workflow" => &["WorkflowAlert", "WorkflowFieldUpdate", "WorkflowRule", "WorkflowTask"],
            "SharingRules" => &["SharingCriteriaRule", "SharingOwnerRule"],
            "MatchingRules" => &["MatchingRule"],
            _ => &[],
        };
        for child in children {
            out.put("childXmlNames", child);
        }
        out.put("directoryName", self.folder);
        out.flag("inFolder", self.in_folder);
        out.flag("metaFile", self.has_meta_file);
        if !self.suffix.is_empty() {
            out.put("suffix", self.suffix);
        }
        out.put("xmlName", self.name);
    }
}

/// Refuses a type that the org does not know. Source for the text: `forcedotcom/cli`, issue 2858.
pub(super) fn check(name: &str) -> Result<(), Fault> {
    let is_described = TYPES.iter().any(|(known, ..)| *known == name);
    if is_described || OF_OBJECTS.contains(&name) || FOLDERS.contains(&name) {
        return Ok(());
    }
    Err(Fault::call("INVALID_TYPE", format!("Unknown type:{name}")))
}
