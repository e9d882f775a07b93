//! The org's switches are deployed.

use super::component::SourceFile;
use super::types::SettingsRole;
use crate::scenario::OrgSpec;

/// A switch that a file does not mention stays as it is.
pub(super) fn deploy(role: SettingsRole, file: &SourceFile, org: &mut OrgSpec) {
    let set = |switch: &mut bool, value: Option<bool>| *switch = value.unwrap_or(*switch);
    let flag = |name| file.root.flag(name);
    let not = |name| flag(name).map(|blocked| !blocked);
    match role {
        SettingsRole::OauthOidc => {
            set(&mut org.username_password_flow, not("blockOAuthUnPwFlow"));
            set(&mut org.user_agent_flow, not("blockOAuthUsrAgtFlow"));
            set(&mut org.pkce_required, flag("isPkceRequired"));
        }
        SettingsRole::ConnectedApp => set(&mut org.api_access_control, flag("enableAdminApprovedAppsOnly")),
        SettingsRole::MyDomain => {
            set(&mut org.generic_login, not("canOnlyLoginWithMyDomainUrl"));
            set(&mut org.generic_soap_login, not("doesApiLoginRequireOrgDomain"));
        }
    }
}
