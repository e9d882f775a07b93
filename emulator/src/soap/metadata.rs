//! The Metadata API: the types that the org knows, its components, and its objects and fields read one by one.
//!
//! Source: Metadata API developer guide and WSDL v66, under the names of the calls. Nothing is changed, deployed or
//! retrieved by it here: the control interface does that.

mod component;
mod files;
mod types;

use super::Ask;
use super::fault::Fault;
use super::writer::Elements;
use crate::org::Org;
use crate::scenario::Right;
use types::MetadataType;

/// Metadata API developer guide, `listMetadata()`.
const MOST_QUERIES: usize = 3;
/// Metadata API developer guide, `readMetadata()`.
const MOST_NAMES: usize = 10;

impl Org {
    pub(super) fn soap_describe_metadata(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        check_permission(ask)?;
        let mut out = Elements::default();
        out.within("result", |result| {
            for kind in MetadataType::all() {
                result.within("metadataObjects", |described| kind.describe(described));
            }
            result.put("organizationNamespace", "");
            result.flag("partialSaveAllowed", true);
            result.flag("testRequired", false);
        });
        Ok(out.0)
    }

    pub(super) fn soap_list_metadata(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        check_permission(ask)?;
        let queries: Vec<_> = ask.message.operation.all("queries").collect();
        if queries.len() > MOST_QUERIES {
            let message = format!("cannot submit more than {MOST_QUERIES} queries in this operation");
            return Err(Fault::call("EXCEEDED_ID_LIMIT", message));
        }
        let mut out = Elements::default();
        for query in queries {
            let name = query.text_of("type").trim();
            types::check(name)?;
            for file in self.metadata_files(ask, name) {
                out.within("result", |result| file.write(result));
            }
        }
        Ok(out.0)
    }

    /// A component that does not exist is nil. Of types that are listed and not read here, what exists is refused.
    pub(super) fn soap_read_metadata(&self, ask: &Ask<'_>) -> Result<String, Fault> {
        check_permission(ask)?;
        let kind = ask.message.operation.text_of("type").trim();
        types::check(kind)?;
        let names = ask.message.operation.texts_of("fullNames");
        if names.len() > MOST_NAMES {
            let message =
                format!("record limit reached. cannot submit more than {MOST_NAMES} records in this operation");
            return Err(Fault::call("EXCEEDED_ID_LIMIT", message));
        }
        let mut records = Elements::default();
        for name in &names {
            match self.read_component(ask, kind, name) {
                Some(content) => {
                    records.open_typed("records", kind);
                    records.0.push_str(&content.0);
                    records.close("records");
                }
                None if self.metadata_files(ask, kind).iter().any(|file| file.full_name == *name) => {
                    return Err(absent());
                }
                None => records.nil("records"),
            }
        }
        let mut out = Elements::default();
        out.within("result", |result| result.0.push_str(&records.0));
        Ok(out.0)
    }
}

/// What changes, deploys and retrieves components is refused.
pub(super) fn refused(ask: &Ask<'_>) -> Fault {
    check_permission(ask).err().unwrap_or_else(absent)
}

fn absent() -> Fault {
    Fault::call("FUNCTIONALITY_NOT_ENABLED", "This feature is not currently enabled for this user or organization.")
}

/// Source for the text: `forcedotcom/cli`, issue 3048.
fn check_permission(ask: &Ask<'_>) -> Result<(), Fault> {
    if ask.caller.access.may_everywhere(Right::Edit) {
        return Ok(());
    }
    let message = "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions";
    Err(Fault::call("INSUFFICIENT_ACCESS", message))
}
