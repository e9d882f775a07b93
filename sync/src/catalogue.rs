//! The describes that a mapping is checked against.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use salesforce::{
    ApiError, Client,
    describe::{FieldDescribe, ObjectDescribe},
};

use crate::{
    mapping::{Currencies, Mapping},
    read::is_missing,
};

/// Describes by object name, whatever its case. Cheap to clone: the describes are shared.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    objects: BTreeMap<String, Arc<ObjectDescribe>>,
    currencies: Option<Currencies>,
}

impl Catalogue {
    /// Asks the org for the mapped object and every parent on a mapped path: one call for each generation of them.
    ///
    /// A parent that the user may not see is left out; compiling the mapping then names the path.
    ///
    /// # Errors
    /// When the mapped object itself cannot be described.
    pub async fn load(client: &Client, mapping: &Mapping) -> Result<Self, ApiError> {
        let mut catalogue = Self::default();
        let mut asked = BTreeSet::new();
        loop {
            let unknown = |name: &String| !asked.contains(&name.to_ascii_lowercase());
            let names: Vec<String> = catalogue.needed(&[mapping]).into_iter().filter(unknown).collect();
            if names.is_empty() {
                break;
            }
            for (name, outcome) in client.describe_many(&names).await? {
                match outcome {
                    Ok(describe) => catalogue.insert(describe),
                    Err(error) if is_missing(&error) && !name.eq_ignore_ascii_case(&mapping.object) => {}
                    Err(error) => return Err(error),
                }
                asked.insert(name.to_ascii_lowercase());
            }
        }
        if mapping.converts_currencies() {
            catalogue.currencies = Currencies::load(client).await?;
        }
        Ok(catalogue)
    }

    /// The objects that `mappings` speak of, as far as the describes that are here tell: the mapped ones and the parents on
    /// their paths. What is here is among them.
    pub fn needed(&self, mappings: &[&Mapping]) -> Vec<String> {
        let mut names = BTreeMap::new();
        for mapping in mappings {
            names.entry(mapping.object.to_ascii_lowercase()).or_insert_with(|| mapping.object.clone());
            for path in mapping.paths() {
                for parent in self.parents(&mapping.object, &path) {
                    names.entry(parent.to_ascii_lowercase()).or_insert_with(|| parent.to_owned());
                }
            }
        }
        names.into_values().collect()
    }

    /// The objects on the way from `object` along `path`, as far as it can be followed.
    fn parents<'a>(&'a self, object: &'a str, path: &str) -> Vec<&'a str> {
        let mut parents = Vec::new();
        let mut object = object;
        let hops = path.split('.').count().saturating_sub(1);
        for hop in path.split('.').take(hops) {
            let Some(parent) = self.parent(object, hop.trim()) else { break };
            parents.push(parent);
            object = parent;
        }
        parents
    }

    /// The rates of an org with several currencies, when a mapping needs them.
    pub fn currencies(&self) -> Option<&Currencies> {
        self.currencies.as_ref()
    }

    /// Sets the rates.
    pub fn set_currencies(&mut self, currencies: Option<Currencies>) {
        self.currencies = currencies;
    }

    /// Adds one describe.
    pub fn insert(&mut self, describe: impl Into<Arc<ObjectDescribe>>) {
        let describe = describe.into();
        self.objects.insert(describe.name.to_ascii_lowercase(), describe);
    }

    /// Adds the describes of another catalogue.
    pub fn merge(&mut self, other: Self) {
        self.objects.extend(other.objects);
        self.currencies = self.currencies.take().or(other.currencies);
    }

    /// The describe of an object.
    pub fn object(&self, name: &str) -> Option<&ObjectDescribe> {
        self.objects.get(&name.to_ascii_lowercase()).map(|describe| &**describe)
    }

    /// The field that a path leads to, and the path as the schema spells it; `None` as well where a relationship leads to
    /// several objects.
    pub fn field(&self, object: &str, path: &str) -> Option<(String, &FieldDescribe)> {
        let mut describe = self.object(object)?;
        let mut steps = path.split('.').map(str::trim).peekable();
        let mut spelt = String::new();
        while let Some(step) = steps.next() {
            if steps.peek().is_none() {
                let field = describe.field(step)?;
                spelt.push_str(&field.name);
                return Some((spelt, field));
            }
            let link = describe.relationship(step)?;
            let [parent] = link.reference_to.as_slice() else { return None };
            spelt.push_str(link.relationship_name.as_deref().unwrap_or(step));
            spelt.push('.');
            describe = self.object(parent)?;
        }
        None
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
