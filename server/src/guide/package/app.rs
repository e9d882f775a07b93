//! The five files of an External Client App. Elements are in the order of the alphabet, as a retrieval writes them.

use super::{AppPackage, Component, SignIn, xml::Element};
use crate::guide::external_client_app::IDLE_DAYS;

const APP: &str = "externalClientApplication";

pub(super) fn components(package: &AppPackage) -> Vec<Component> {
    let name = package.api_name();
    let component =
        |folder, suffix, ending: &str, root| Component { folder, suffix, name: format!("{name}{ending}"), root };
    vec![
        component("externalClientApps", ".eca", "", header(package)),
        component("extlClntAppGlobalOauthSets", ".ecaGlblOauth", "_glbloauth", global(package, &name)),
        component("extlClntAppOauthSettings", ".ecaOauth", "_oauth", oauth(package, &name)),
        component("extlClntAppOauthPolicies", ".ecaOauthPlcy", "_oauthPlcy", oauth_policies(package, &name)),
        component("extlClntAppPolicies", ".ecaPlcy", "_plcy", app_policies(package, &name)),
    ]
}

fn header(package: &AppPackage) -> Element {
    Element::new("ExternalClientApplication")
        .text("contactEmail", &package.contact_email)
        .text("description", "Reads mapped objects and fields, and writes nothing")
        .text("distributionState", "Local")
        .flag("isProtected", false)
        .text("label", &package.label)
}

fn global(package: &AppPackage, app: &str) -> Element {
    let SignIn::JwtBearer { certificate, .. } = &package.sign_in else { return global_with(package, app, None) };
    global_with(package, app, Some(certificate.pem()))
}

/// Secrets and PKCE are required unless the app is public; refresh tokens rotate.
fn global_with(package: &AppPackage, app: &str, certificate: Option<&str>) -> Element {
    let public = package.sign_in.is_public();
    Element::new("ExtlClntAppGlobalOauthSettings")
        .text("callbackUrl", package.callback_urls.join("\n"))
        .text_if("certificate", certificate)
        .text(APP, app)
        .flag("isClientCredentialsFlowEnabled", matches!(package.sign_in, SignIn::ClientCredentials { .. }))
        .flag("isCodeCredFlowEnabled", false)
        .flag("isCodeCredPostOnly", false)
        .flag("isConsumerSecretOptional", public)
        .flag("isDeviceFlowEnabled", matches!(package.sign_in, SignIn::Device { .. }))
        .flag("isIntrospectAllTokens", false)
        .flag("isNamedUserJwtEnabled", false)
        .flag("isPkceRequired", true)
        .flag("isRefreshTokenRotationEnabled", true)
        .flag("isSecretRequiredForRefreshToken", !public)
        .flag("isSecretRequiredForTokenExchange", false)
        .flag("isTokenExchangeEnabled", false)
        .text("label", format!("{} global OAuth", package.label))
        .flag("shouldRotateConsumerKey", false)
        .flag("shouldRotateConsumerSecret", false)
}

/// In metadata scopes have other names than on the wire.
fn oauth(package: &AppPackage, app: &str) -> Element {
    let scopes = match package.sign_in {
        SignIn::ClientCredentials { .. } => "Api",
        SignIn::WebServer { .. } | SignIn::Device { .. } | SignIn::JwtBearer { .. } => "Api, RefreshToken",
    };
    Element::new("ExtlClntAppOauthSettings")
        .text("commaSeparatedOauthScopes", scopes)
        .text(APP, app)
        .flag("isFirstPartyAppEnabled", false)
        .text("label", format!("{} OAuth", package.label))
}

fn oauth_policies(package: &AppPackage, app: &str) -> Element {
    let run_as = match &package.sign_in {
        SignIn::ClientCredentials { run_as } => run_as.as_deref(),
        _ => None,
    };
    let policies = Element::new("ExtlClntAppOauthConfigurablePolicies")
        .text_if("clientCredentialsFlowUser", run_as)
        .text("commaSeparatedPermissionSet", package.permission_set())
        .text(APP, app)
        .text("ipRelaxationPolicyType", "Enforce")
        .flag("isClientCredentialsFlowEnabled", matches!(package.sign_in, SignIn::ClientCredentials { .. }))
        .flag("isGuestCodeCredFlowEnabled", false)
        .flag("isTokenExchangeFlowEnabled", false)
        .text("label", format!("{} policies", package.label))
        .text("permittedUsersPolicyType", "AdminApprovedPreAuthorized");
    let policies = match package.sign_in {
        // Every other policy lets the approval of a user age, and this flow never renews it.
        SignIn::JwtBearer { .. } => policies.text("refreshTokenPolicyType", "Infinite"),
        _ => policies
            .text("refreshTokenPolicyType", "SpecificInactivity")
            .text("refreshTokenValidityPeriod", IDLE_DAYS.to_string())
            .text("refreshTokenValidityUnit", "Days"),
    };
    policies.text("requiredSessionLevel", "STANDARD")
}

fn app_policies(package: &AppPackage, app: &str) -> Element {
    Element::new("ExtlClntAppConfigurablePolicies")
        .text(APP, app)
        .flag("isEnabled", true)
        .flag("isOauthPluginEnabled", true)
        .text("label", format!("{} app policies", package.label))
}
