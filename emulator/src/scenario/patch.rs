//! Small changes to a scenario, written as data: how a scenario differs from another one.

use serde::Deserialize;
use toml::{Table, Value};

/// What an item of a list goes by, in the order in which it is looked for.
const NAMES: [&str; 2] = ["name", "username"];

/// A change of a TOML document.
///
/// Tables are merged key by key. A table in the place of a list changes items of the list, each under its `name` or
/// `username`. Everything else takes the place of what was there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Patch {
    /// What is set.
    pub(super) set: Table,
    /// What is taken away: the path of each key or item.
    pub(super) remove: Vec<Vec<String>>,
}

/// A change that does not fit the document.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum PatchError {
    /// A list is changed in an item that it does not have.
    #[error("no item is called {0:?}")]
    NoItem(String),
    /// A path to be removed leads nowhere.
    #[error("there is nothing to remove at {}", .0.join(" / "))]
    Nothing(Vec<String>),
}

impl Patch {
    pub(super) fn apply(&self, document: &mut Table) -> Result<(), PatchError> {
        merge(document, &self.set)?;
        self.remove.iter().try_for_each(|path| remove(document, path))
    }
}

/// Sets in a table what a patch says.
pub(super) fn merge(table: &mut Table, patch: &Table) -> Result<(), PatchError> {
    for (key, value) in patch {
        match (table.get_mut(key), value) {
            (Some(Value::Table(known)), Value::Table(patch)) => merge(known, patch)?,
            (Some(Value::Array(items)), Value::Table(patch)) => merge_items(items, patch)?,
            _ => {
                table.insert(key.clone(), value.clone());
            }
        }
    }
    Ok(())
}

fn merge_items(items: &mut [Value], patch: &Table) -> Result<(), PatchError> {
    for (name, value) in patch {
        let item = items.iter_mut().find(|item| is_called(item, name));
        match (item, value) {
            (Some(Value::Table(known)), Value::Table(patch)) => merge(known, patch)?,
            (Some(item), value) => *item = value.clone(),
            (None, _) => return Err(PatchError::NoItem(name.clone())),
        }
    }
    Ok(())
}

fn remove(table: &mut Table, path: &[String]) -> Result<(), PatchError> {
    let nothing = || PatchError::Nothing(path.to_vec());
    let (last, parents) = path.split_last().ok_or_else(nothing)?;
    let mut place = PlaceMut::Table(table);
    for step in parents {
        place = place.step(step).ok_or_else(nothing)?;
    }
    place.remove(last).ok_or_else(nothing)
}

/// Where a path has come so far.
enum PlaceMut<'a> {
    Table(&'a mut Table),
    Items(&'a mut Vec<Value>),
}

impl<'a> PlaceMut<'a> {
    fn step(self, name: &str) -> Option<Self> {
        let value = match self {
            Self::Table(table) => table.get_mut(name)?,
            Self::Items(items) => items.iter_mut().find(|item| is_called(item, name))?,
        };
        match value {
            Value::Table(table) => Some(Self::Table(table)),
            Value::Array(items) => Some(Self::Items(items)),
            _ => None,
        }
    }

    fn remove(self, name: &str) -> Option<()> {
        match self {
            Self::Table(table) => table.remove(name).map(drop),
            Self::Items(items) => {
                let index = items.iter().position(|item| is_called(item, name))?;
                items.remove(index);
                Some(())
            }
        }
    }
}

fn is_called(item: &Value, name: &str) -> bool {
    NAMES.iter().find_map(|key| item.get(key)).and_then(Value::as_str) == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "
        title = 'org'
        [org]
        kind = 'production'
        [[apps]]
        name = 'One'
        scopes = ['api']
        flow.run_as = 'sam'
        [[apps]]
        name = 'Two'
        [[users]]
        username = 'sam@acme.example'
    ";

    fn patched(patch: &str) -> Result<Table, PatchError> {
        let mut document: Table = toml::from_str(DOCUMENT).unwrap();
        toml::from_str::<Patch>(patch).unwrap().apply(&mut document).map(|()| document)
    }

    #[test]
    fn tables_are_merged_and_items_are_found_by_name() {
        let document = patched(
            "set.org.id = '00D'
             set.apps.One.scopes = ['full']
             set.users.'sam@acme.example'.frozen = true",
        )
        .unwrap();
        assert_eq!(document["org"]["kind"].as_str(), Some("production"));
        assert_eq!(document["org"]["id"].as_str(), Some("00D"));
        assert_eq!(document["apps"][0]["scopes"].as_array().unwrap().len(), 1);
        assert_eq!(document["apps"][0]["flow"]["run_as"].as_str(), Some("sam"));
        assert_eq!(document["users"][0]["frozen"].as_bool(), Some(true));
    }

    #[test]
    fn keys_and_items_are_removed_by_their_path() {
        let document = patched("remove = [['apps', 'One', 'flow', 'run_as'], ['apps', 'Two'], ['title']]").unwrap();
        assert!(document["apps"][0]["flow"].as_table().unwrap().is_empty());
        assert_eq!(document["apps"].as_array().unwrap().len(), 1);
        assert!(!document.contains_key("title"));
    }

    #[test]
    fn a_patch_that_misses_is_an_error() {
        assert_eq!(patched("set.apps.Three.scopes = []"), Err(PatchError::NoItem("Three".into())));
        assert_eq!(patched("remove = [['org', 'name']]"), Err(PatchError::Nothing(vec!["org".into(), "name".into()])));
    }
}
