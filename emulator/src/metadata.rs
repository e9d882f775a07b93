//! Apps, permission sets and org switches from a source-format folder, as `sf project deploy start` takes it.
//!
//! A folder is deployed as a whole, in three steps: [`folder`] finds the files and what each is about, [`component`]
//! reads one against the shape of its type ([`types`]), and the rest makes a changed [`Setup`] of them. Nothing is in
//! effect unless everything is right, and a refusal names every problem with its place.
//!
//! Sources: Metadata API developer guide and WSDL, v66; Salesforce DX developer guide; messages of deployments that
//! people showed in public. `FIDELITY.md` says which messages are inferred.

mod component;
mod connected_app;
mod external_client_app;
mod folder;
mod oauth;
mod permission_set;
mod problem;
mod settings;
mod shape;
mod target;
mod types;

use std::path::Path;

pub(crate) use component::read_as_all;
pub use problem::{DeployError, Position, Problem};

use folder::Package;
use target::Target;
use types::Role;

use crate::scenario::Setup;
use crate::schema::Schema;

/// What an org's configuration becomes when a folder is deployed into it: a project with `sfdx-project.json`, or any
/// folder that holds folders of metadata types.
///
/// # Errors
/// When the folder cannot be read, or a deployment would be refused; with every problem.
pub(crate) fn deploy(folder: &Path, setup: &Setup, schema: &Schema, seed: u64) -> Result<Setup, DeployError> {
    let mut package = Package::read(folder)?;
    let problems = std::mem::take(&mut package.problems);
    let mut target = Target { setup: setup.clone(), schema, seed, problems };
    for file in package.of(Role::PermissionSet) {
        permission_set::deploy(file, &mut target);
    }
    external_client_app::deploy(&package, &mut target);
    for (role, file) in &package.files {
        match role {
            Role::ConnectedApp => connected_app::deploy(file, &mut target),
            Role::Settings(role) => settings::deploy(*role, file, &mut target.setup.org),
            Role::Header | Role::GlobalOauth | Role::Oauth | Role::OauthPolicies | Role::AppPolicies => (),
            Role::PermissionSet | Role::Passed => (),
        }
    }
    target.problems.or(folder)?;
    Ok(target.setup)
}
