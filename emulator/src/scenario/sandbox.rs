//! Sandboxes: copies of an org.

use super::{OrgKind, SandboxSpec, Scenario, UserSpec};

impl Scenario {
    /// The org of the scenario and its sandboxes, each as a scenario of one org.
    pub(crate) fn orgs(self) -> Vec<Self> {
        let sandboxes: Vec<Self> = self.sandboxes.iter().map(|spec| self.sandbox(spec)).collect();
        std::iter::once(self).chain(sandboxes).collect()
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
