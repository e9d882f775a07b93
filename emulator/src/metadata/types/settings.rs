//! The settings files that hold the org's switches.

use super::super::shape::{Shape, flag};

pub(super) static OAUTH_OIDC: Shape = Shape {
    name: "OauthOidcSettings",
    elements: &[
        flag("agentAuthLinking"),
        flag("blockOAuthUnPwFlow"),
        flag("blockOAuthUsrAgtFlow"),
        flag("isPkceRequired"),
        flag("oAuthCdCrdtFlowEnable"),
    ],
    open: false,
};

pub(super) static CONNECTED_APP: Shape = Shape {
    name: "ConnectedAppSettings",
    elements: &[
        flag("enableAdminApprovedAppsOnly"),
        flag("enableAdminApprovedAppsOnlyForExternalUser"),
        flag("enableSkipUserProvisioningWizardWelcomePage"),
    ],
    open: false,
};

pub(super) static EXTERNAL_CLIENT_APP: Shape = Shape {
    name: "ExternalClientAppSettings",
    elements: &[
        flag("enableClientSecretInRestApiAccess"),
        flag("enableConsumerSecretApiAccess"),
        flag("enablePackageEcaOauthFromDevOrg"),
    ],
    open: false,
};

/// Open: most of its elements are about host names, and not all of them are known here.
pub(super) static MY_DOMAIN: Shape = Shape {
    name: "MyDomainSettings",
    elements: &[
        flag("canOnlyLoginWithMyDomainUrl"),
        flag("doesApiLoginRequireOrgDomain"),
        flag("isIcorInstApiTrafficBlocked"),
        flag("isInstancedApiTrafficBlocked"),
    ],
    open: true,
};
