//! The file of a permission set.

use super::super::shape::{Shape, flag, nested, passed, text};

pub(super) static PERMISSION_SET: Shape = Shape {
    name: "PermissionSet",
    elements: &[
        passed("agentAccesses"),
        passed("applicationVisibilities"),
        passed("classAccesses"),
        passed("customMetadataTypeAccesses"),
        passed("customPermissions"),
        passed("customSettingAccesses"),
        passed("dataspaceScopes"),
        text("description"),
        passed("emailRoutingAddressAccesses"),
        passed("externalCredentialPrincipalAccesses"),
        passed("externalDataSourceAccesses"),
        nested("fieldPermissions", &FIELD_PERMISSION).repeats(),
        passed("flowAccesses"),
        flag("hasActivationRequired"),
        text("label").required(),
        text("license"),
        nested("objectPermissions", &OBJECT_PERMISSION).repeats(),
        passed("pageAccesses"),
        passed("recordTypeVisibilities"),
        passed("servicePresenceStatusAccesses"),
        passed("tabSettings"),
        text("userLicense"),
        nested("userPermissions", &USER_PERMISSION).repeats(),
    ],
    open: false,
};

static OBJECT_PERMISSION: Shape = Shape {
    name: "PermissionSetObjectPermissions",
    elements: &[
        flag("allowCreate").required(),
        flag("allowDelete").required(),
        flag("allowEdit").required(),
        flag("allowRead").required(),
        flag("modifyAllRecords").required(),
        text("object").required(),
        flag("viewAllFields"),
        flag("viewAllRecords").required(),
    ],
    open: false,
};

static FIELD_PERMISSION: Shape = Shape {
    name: "PermissionSetFieldPermissions",
    elements: &[flag("editable").required(), text("field").required(), flag("readable")],
    open: false,
};

static USER_PERMISSION: Shape = Shape {
    name: "PermissionSetUserPermission",
    elements: &[flag("enabled").required(), text("name").required()],
    open: false,
};
