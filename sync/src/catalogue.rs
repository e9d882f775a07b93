//! The describes that a mapping is checked against.

use std::collections::BTreeMap;

use salesforce::{ApiError, Client, describe::ObjectDescribe};

use crate::{mapping::Mapping, read::is_missing};

/// Describes by object name, whatever its case.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    objects: BTreeMap<String, ObjectDescribe>,
}

impl Catalogue {
    /// Asks the org for the mapped object and every parent on a mapped path.
    ///
    /// A parent that the user may not see is left out; compiling the mapping then names the path. Asked anew for each
    /// run, so that a field created a minute ago is read.
    ///
    /// # Errors
    /// When the mapped object itself cannot be described.
    pub async fn load(client: &Client, mapping: &Mapping) -> Result<Self, ApiError> {
        let mut catalogue = Self::default();
        catalogue.insert(client.describe(&mapping.object).await?);
        for path in mapping.paths() {
            let hops = path.split('.').count().saturating_sub(1);
            let mut object = mapping.object.clone();
            for hop in path.split('.').take(hops) {
                let Some(parent) = catalogue.parent(&object, hop).map(str::to_owned) else { break };
                if catalogue.object(&parent).is_none() {
                    match client.describe(&parent).await {
                        Ok(describe) => catalogue.insert(describe),
                        Err(error) if is_missing(&error) => break,
                        Err(error) => return Err(error),
                    }
                }
                object = parent;
            }
        }
        Ok(catalogue)
    }

    /// Adds one describe.
    pub fn insert(&mut self, describe: ObjectDescribe) {
        self.objects.insert(describe.name.to_ascii_lowercase(), describe);
    }

    /// Adds the describes of another catalogue.
    pub fn merge(&mut self, other: Self) {
        self.objects.extend(other.objects);
    }

    /// The describe of an object.
    pub fn object(&self, name: &str) -> Option<&ObjectDescribe> {
        self.objects.get(&name.to_ascii_lowercase())
    }

    /// The one object that a relationship leads to; `None` when there is no such relationship, or when it leads to
    /// several objects.
    fn parent(&self, object: &str, relationship: &str) -> Option<&str> {
        match self.object(object)?.relationship(relationship)?.reference_to.as_slice() {
            [parent] => Some(parent),
            _ => None,
        }
    }
}

impl FromIterator<ObjectDescribe> for Catalogue {
    fn from_iter<T: IntoIterator<Item = ObjectDescribe>>(describes: T) -> Self {
        let mut catalogue = Self::default();
        describes.into_iter().for_each(|describe| catalogue.insert(describe));
        catalogue
    }
}
