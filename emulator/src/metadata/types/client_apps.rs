//! The files of an External Client App.

use super::super::shape::{Enumeration, Shape, flag, nested, number, one_of, passed, text};

pub(super) static EXTERNAL_CLIENT_APPLICATION: Shape = Shape {
    name: "ExternalClientApplication",
    elements: &[
        text("contactEmail"),
        text("contactPhone"),
        text("description"),
        one_of("distributionState", &DISTRIBUTION),
        text("iconUrl"),
        text("infoUrl"),
        flag("isProtected"),
        text("label"),
        text("logoUrl"),
        one_of("managedType", &MANAGED),
        text("orgScopedExternalApp"),
    ],
    open: false,
};

pub(super) static GLOBAL_OAUTH_SETTINGS: Shape = Shape {
    name: "ExtlClntAppGlobalOauthSettings",
    elements: &[
        text("callbackUrl"),
        text("certificate"),
        text("consumerKey"),
        text("consumerSecret"),
        text("externalClientApplication").required(),
        nested("idTokenConfig", &ID_TOKEN),
        flag("isClientCredentialsFlowEnabled"),
        flag("isCodeCredFlowEnabled"),
        flag("isCodeCredPostOnly"),
        flag("isConsumerSecretOptional"),
        flag("isDeviceFlowEnabled"),
        flag("isIntrospectAllTokens"),
        flag("isNamedUserJwtEnabled"),
        flag("isPkceRequired"),
        flag("isRefreshTokenRotationEnabled"),
        flag("isSecretRequiredForRefreshToken"),
        flag("isSecretRequiredForTokenExchange"),
        flag("isTokenExchangeEnabled"),
        text("label"),
        flag("shouldRotateConsumerKey"),
        flag("shouldRotateConsumerSecret"),
    ],
    open: false,
};

static ID_TOKEN: Shape = Shape {
    name: "ExtlClntAppOauthIdTokenConfig",
    elements: &[
        text("idTokenAudience"),
        flag("idTokenIncludeAttributes"),
        flag("idTokenIncludeCustomPermissions"),
        flag("idTokenIncludeStandardClaims"),
        number("idTokenValidityInMinutes"),
    ],
    open: false,
};

pub(super) static OAUTH_SETTINGS: Shape = Shape {
    name: "ExtlClntAppOauthSettings",
    elements: &[
        flag("areAttributesIncludedInAssetToken"),
        flag("areCustomPermsIncludedInAssetToken"),
        text("assetTokenAudiences"),
        text("assetTokenSigningCertificate"),
        number("assetTokenValidity"),
        text("clientAssertionCertificate"),
        text("commaSeparatedCustomScopes"),
        text("commaSeparatedOauthScopes"),
        nested("customAttributes", &CUSTOM_ATTRIBUTE).repeats(),
        text("externalClientApplication").required(),
        flag("isFirstPartyAppEnabled"),
        text("label"),
        text("oauthLink"),
        text("singleLogoutUrl"),
        nested("trustedIpRanges", &TRUSTED_RANGE).repeats(),
    ],
    open: false,
};

static CUSTOM_ATTRIBUTE: Shape = Shape {
    name: "ExtlClntAppOauthCustomAttribute",
    elements: &[text("formula").required(), text("key").required()],
    open: false,
};

static TRUSTED_RANGE: Shape = Shape {
    name: "ExtlClntAppOauthTrustedIpRange",
    elements: &[text("description"), text("endIpAddress").required(), text("startIpAddress").required()],
    open: false,
};

pub(super) static OAUTH_POLICIES: Shape = Shape {
    name: "ExtlClntAppOauthConfigurablePolicies",
    elements: &[
        text("apexHandler"),
        text("clientCredentialsFlowUser"),
        text("commaSeparatedCustomScopes"),
        text("commaSeparatedPermissionSet"),
        text("commaSeparatedProfile"),
        nested("customAttributes", &CUSTOM_ATTRIBUTE).repeats(),
        text("executeHandlerAs"),
        text("externalClientApplication").required(),
        passed("guestJwtSessionTimeoutType"),
        passed("guestJwtTimeout"),
        one_of("ipRelaxationPolicyType", &IP_RELAXATION),
        flag("isClientCredentialsFlowEnabled"),
        flag("isGuestCodeCredFlowEnabled"),
        // Of API versions 61 to 63.
        passed("isNamedUserJwtEnabled"),
        flag("isTokenExchangeFlowEnabled"),
        text("label"),
        one_of("namedUserJwtSessionTimeoutType", &JWT_TIMEOUT),
        number("namedUserJwtTimeout"),
        one_of("permittedUsersPolicyType", &PERMITTED_USERS),
        one_of("policyAction", &POLICY_ACTION),
        one_of("refreshTokenPolicyType", &REFRESH_TOKEN_POLICY),
        number("refreshTokenValidityPeriod"),
        one_of("refreshTokenValidityUnit", &REFRESH_TOKEN_UNIT),
        one_of("requiredSessionLevel", &SESSION_LEVEL),
        number("sessionTimeoutInMinutes"),
        text("singleLogoutUrl"),
        text("startUrl"),
    ],
    open: false,
};

pub(super) static APP_POLICIES: Shape = Shape {
    name: "ExtlClntAppConfigurablePolicies",
    elements: &[
        text("externalClientApplication").required(),
        flag("isCanvasPluginEnabled"),
        flag("isEnabled").required(),
        flag("isMobilePluginEnabled"),
        flag("isNotificationPluginEnabled"),
        flag("isOauthPluginEnabled"),
        flag("isPushPluginEnabled"),
        flag("isSamlPluginEnabled"),
        text("label"),
        one_of("startPage", &START_PAGE),
        text("startUrl"),
    ],
    open: false,
};

static DISTRIBUTION: Enumeration =
    Enumeration { name: "ExtlClntAppDistState", words: &["Local", "Packaged", "Managed", "AutoInstalled"] };
static MANAGED: Enumeration = Enumeration { name: "ExtlClntAppManagedType", words: &["Local", "Global"] };
/// The last word is how one report from the field says the org itself writes it.
static IP_RELAXATION: Enumeration = Enumeration {
    name: "IpRelaxationPolicyType",
    words: &["Enforce", "Bypass", "Bypass_2factor", "Enforce_RelaxRefresh", "Enforce_relaxrefresh"],
};
static JWT_TIMEOUT: Enumeration =
    Enumeration { name: "NamedUserJwtSessionTimeoutType", words: &["UserSession", "Custom"] };
static PERMITTED_USERS: Enumeration =
    Enumeration { name: "PermittedUsersPolicyType", words: &["AllSelfAuthorized", "AdminApprovedPreAuthorized"] };
static REFRESH_TOKEN_POLICY: Enumeration = Enumeration {
    name: "RefreshTokenPolicyType",
    words: &["Infinite", "Zero", "SpecificLifetime", "SpecificInactivity"],
};
static REFRESH_TOKEN_UNIT: Enumeration =
    Enumeration { name: "RefreshTokenValidityUnit", words: &["Hours", "Days", "Months"] };
static START_PAGE: Enumeration =
    Enumeration { name: "ExtlClntAppStartPage", words: &["None", "Custom", "OAuth", "SAML"] };
pub(super) static POLICY_ACTION: Enumeration =
    Enumeration { name: "PolicyAction", words: &["Block", "RaiseSessionLevel"] };
pub(super) static SESSION_LEVEL: Enumeration =
    Enumeration { name: "SessionSecurityLevel", words: &["LOW", "STANDARD", "HIGH_ASSURANCE"] };

/// Scopes as metadata writes them. The last two are documented for External Client Apps alone and absent from the WSDL.
pub(in super::super) static SCOPES: Enumeration = Enumeration {
    name: "ConnectedAppOauthAccessScope",
    words: &[
        "Api",
        "RefreshToken",
        "OfflineAccess",
        "Full",
        "Web",
        "Basic",
        "Profile",
        "Email",
        "Address",
        "Phone",
        "OpenID",
        "Chatter",
        "CustomApplications",
        "CustomPermissions",
        "Wave",
        "Eclair",
        "Pardot",
        "Lightning",
        "Content",
        "CDPIngest",
        "CDPProfile",
        "CDPQuery",
        "CDPSegment",
        "CDPIdentityResolution",
        "CDPCalculatedInsight",
        "CDP",
        "Chatbot",
        "SFAP",
        "Interaction",
        "EinsteinGPT",
        "MCP",
        "SCRT",
        "UserRegistration",
        "ForgotPassword",
        "PwdlessLogin",
        "SFApiPlatform",
        "DataCloudUserClaims",
    ],
};

/// A scope on the wire (Salesforce Help, "OAuth Tokens and Scopes").
pub(in super::super) fn wire_scope(word: &str) -> Option<&'static str> {
    Some(match word {
        "Api" => "api",
        "RefreshToken" => "refresh_token",
        "OfflineAccess" => "offline_access",
        "Full" => "full",
        "Web" => "web",
        "Basic" => "id",
        "Profile" => "profile",
        "Email" => "email",
        "Address" => "address",
        "Phone" => "phone",
        "OpenID" => "openid",
        "Chatter" => "chatter_api",
        "CustomApplications" => "visualforce",
        "CustomPermissions" => "custom_permissions",
        "Wave" => "wave_api",
        "Eclair" => "eclair_api",
        "Pardot" => "pardot_api",
        "Lightning" => "lightning",
        "Content" => "content",
        "CDPIngest" => "cdp_ingest_api",
        "CDPProfile" => "cdp_profile_api",
        "CDPQuery" => "cdp_query_api",
        "CDPSegment" => "cdp_segment_api",
        "CDPIdentityResolution" => "cdp_identityresolution_api",
        "CDPCalculatedInsight" => "cdp_calculated_insight_api",
        "CDP" => "cdp_api",
        "Chatbot" => "chatbot_api",
        "SFAP" | "SFApiPlatform" => "sfap_api",
        "Interaction" => "interaction_api",
        "EinsteinGPT" => "einstein_gpt_api",
        "MCP" => "mcp_api",
        "SCRT" => "scrt_api",
        "UserRegistration" => "user_registration_api",
        "ForgotPassword" => "forgot_password",
        "PwdlessLogin" => "pwdless_login_api",
        "DataCloudUserClaims" => "data_cloud_user_claims",
        _ => return None,
    })
}
