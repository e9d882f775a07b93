//! The file of a Connected App.

use super::super::shape::{Enumeration, Shape, flag, nested, number, one_of, passed, text};
use super::client_apps::{POLICY_ACTION, SCOPES, SESSION_LEVEL};

pub(super) static CONNECTED_APP: Shape = Shape {
    name: "ConnectedApp",
    elements: &[
        nested("attributes", &ATTRIBUTE).repeats(),
        passed("canvas"),
        passed("canvasConfig"),
        text("contactEmail").required(),
        text("contactPhone"),
        text("description"),
        text("iconUrl"),
        text("infoUrl"),
        nested("ipRanges", &IP_RANGE).repeats(),
        text("label").required(),
        text("logoUrl"),
        passed("mobileAppConfig"),
        text("mobileStartUrl"),
        nested("oauthConfig", &OAUTH_CONFIG),
        nested("oauthPolicy", &OAUTH_POLICY),
        text("permissionSetName").repeats(),
        text("plugin"),
        text("pluginExecutionUser"),
        text("profileName").repeats(),
        passed("samlConfig"),
        nested("sessionPolicy", &SESSION_POLICY),
        text("startUrl"),
    ],
    open: false,
};

static ATTRIBUTE: Shape = Shape {
    name: "ConnectedAppAttribute",
    elements: &[text("formula").required(), text("key").required()],
    open: false,
};

static IP_RANGE: Shape = Shape {
    name: "ConnectedAppIpRange",
    elements: &[text("description"), text("end").required(), text("start").required()],
    open: false,
};

static OAUTH_CONFIG: Shape = Shape {
    name: "ConnectedAppOauthConfig",
    elements: &[
        nested("assetTokenConfig", &ASSET_TOKEN),
        text("callbackUrl").required(),
        text("certificate"),
        text("consumerKey"),
        text("consumerSecret"),
        nested("idTokenConfig", &ID_TOKEN),
        flag("isAdminApproved"),
        flag("isClientCredentialEnabled"),
        flag("isCodeCredentialEnabled"),
        flag("isCodeCredentialPostOnly"),
        flag("isConsumerSecretOptional"),
        flag("isIntrospectAllTokens"),
        flag("isNamedUserJwtEnabled"),
        flag("isPkceRequired"),
        flag("isRefreshTokenRotationEnabled"),
        flag("isSecretRequiredForRefreshToken"),
        flag("isSecretRequiredForTokenExchange"),
        flag("isTokenExchangeEnabled"),
        text("oauthClientCredentialUser"),
        one_of("scopes", &SCOPES).repeats(),
        text("singleLogoutUrl"),
    ],
    open: false,
};

static ASSET_TOKEN: Shape = Shape {
    name: "ConnectedAppOauthAssetToken",
    elements: &[
        text("assetAudiences"),
        flag("assetIncludeAttributes"),
        flag("assetIncludeCustomPerms"),
        text("assetSigningCertId"),
        number("assetValidityPeriod"),
    ],
    open: false,
};

static ID_TOKEN: Shape = Shape {
    name: "ConnectedAppOauthIdToken",
    elements: &[
        text("idTokenAudience"),
        flag("idTokenIncludeAttributes"),
        flag("idTokenIncludeCustomPerms"),
        flag("idTokenIncludeStandardClaims"),
        number("idTokenValidity"),
    ],
    open: false,
};

static OAUTH_POLICY: Shape = Shape {
    name: "ConnectedAppOauthPolicy",
    elements: &[
        one_of("ipRelaxation", &IP_RELAXATION).required(),
        flag("isTokenExchangeFlowEnabled"),
        text("refreshTokenPolicy").required(),
        text("singleLogoutUrl"),
    ],
    open: false,
};

static SESSION_POLICY: Shape = Shape {
    name: "ConnectedAppSessionPolicy",
    elements: &[
        one_of("policyAction", &POLICY_ACTION),
        one_of("sessionLevel", &SESSION_LEVEL),
        number("sessionTimeout"),
    ],
    open: false,
};

static IP_RELAXATION: Enumeration = Enumeration {
    name: "ConnectedAppIpRelaxation",
    words: &["ENFORCE", "BYPASS", "BYPASS_2FACTOR", "ENFORCE_RELAXREFRESH"],
};
