//! Salesforce Help, "OAuth 2.0 User-Agent Flow for Desktop or Mobile App Integration".

use super::form::Parameters;
use super::grant::Request;
use crate::call::Call;
use crate::org::Org;
use crate::scenario::{AppSpec, Setup, UserSpec};
use crate::session::Authorized;

impl Org {
    /// The token answer as the browser takes it to the callback, behind the `#`.
    pub(crate) fn issue_in_fragment(
        &self,
        call: &Call,
        setup: &Setup,
        app: &AppSpec,
        user: &UserSpec,
        authorized: Authorized,
    ) -> String {
        let parameters = Parameters::of(call);
        let request = Request { call, setup, app, parameters: &parameters, hangs: false };
        let granted = self.grant_authorized(app, user, authorized);
        self.issue(&request, granted).into_fragment()
    }
}
