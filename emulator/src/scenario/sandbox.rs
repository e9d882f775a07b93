//! Sandboxes: copies of an org.

use super::check::check_sandbox;
use super::{OrgKind, SandboxSpec, Scenario, ScenarioError, Setup, UserSpec};

impl Scenario {
    /// The org of the scenario and its sandboxes, each as a scenario of one org.
    pub(crate) fn orgs(self) -> Vec<Self> {
        let sandboxes: Vec<Self> = self.sandboxes.iter().map(|spec| self.sandbox(spec)).collect();
        std::iter::once(self).chain(sandboxes).collect()
    }

    /// The sandbox of that name as a refresh makes it of the org as it is configured now, with another org id.
    ///
    /// # Errors
    /// When `id` is not an org id.
    pub(crate) fn refreshed_sandbox(&self, setup: &Setup, name: &str, id: &str) -> Result<Self, ScenarioError> {
        let known = self.sandboxes.iter().find(|spec| spec.name == name);
        let copies_apps = known.is_none_or(|spec| spec.copies_apps);
        let spec = SandboxSpec { name: name.to_owned(), id: id.to_owned(), copies_apps };
        check_sandbox(&spec)?;
        let Setup { org, profiles, permission_sets, users, apps, withheld: _ } = setup.clone();
        let now = Self { org, profiles, permission_sets, users, apps, ..self.clone() };
        Ok(now.sandbox(&spec))
    }

    /// A copy with another org id and My Domain. Records keep their ids, user names get the sandbox's name as a suffix,
    /// and refresh tokens stay behind (Salesforce Help, "Sandbox Setup Considerations").
    fn sandbox(&self, spec: &SandboxSpec) -> Self {
        let mut copy = self.clone();
        copy.org.id.clone_from(&spec.id);
        copy.org.my_domain = format!("{}--{}", self.org.my_domain, spec.name);
        copy.org.kind = OrgKind::Sandbox;
        copy.sandboxes.clear();
        copy.refresh_tokens.clear();
        for user in &mut copy.users {
            suffix_user(user, &spec.name);
        }
        if !spec.copies_apps {
            copy.apps.clear();
        }
        for app in &mut copy.apps {
            if let Some(run_as) = app.client_credentials.as_mut().and_then(|flow| flow.run_as.as_mut()) {
                *run_as = suffixed(run_as, &spec.name);
            }
        }
        copy
    }
}

/// The e-mail address of a copied user is made unusable, so that a sandbox writes to nobody.
fn suffix_user(user: &mut UserSpec, sandbox: &str) {
    user.email = Some(format!("{}.invalid", user.address()));
    user.username = suffixed(&user.username, sandbox);
}

fn suffixed(username: &str, sandbox: &str) -> String {
    format!("{username}.{sandbox}")
}
