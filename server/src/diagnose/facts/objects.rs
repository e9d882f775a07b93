//! Objects and fields, as the connection's user meets them.

use std::collections::BTreeSet;

use futures_util::{FutureExt, StreamExt, future::join, stream};
use salesforce::{Client, describe::ObjectDescribe, org::Organization, query::Deleted};
use sync::{
    catalogue::Catalogue,
    mapping::{ColumnMapping, Mapping, MappingProblem},
};

use super::{
    Fact, Need,
    permissions::{self, Existence, Grants},
};
use crate::config::closest;

/// As many objects are asked about at once.
const AT_ONCE: usize = 4;

/// One object.
#[derive(Debug)]
pub struct ObjectFacts {
    pub name: String,
    pub describe: Fact<ObjectDescribe>,
    pub rows: Fact<u64>,
    /// Who may read it; not known where the org does not tell this user.
    pub grants: Option<Grants>,
    /// Whether it is there, when the user does not see it.
    pub existence: Existence,
    /// The fields that are wanted.
    pub fields: Vec<FieldFact>,
    /// What else is wrong with the mappings of its streams.
    pub problems: Vec<MappingProblem>,
}

/// One wanted field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFact {
    /// As it was asked for: `Industry`, `Account.Industry`.
    pub path: String,
    pub state: FieldState,
}

/// How the user meets a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldState {
    Readable,
    /// The last step of the path that can be taken leads to `object`, which shows no `field`.
    Unseen {
        object: String,
        field: String,
        existence: Existence,
        grants: Option<Grants>,
        /// The visible field whose name is nearest.
        nearest: Option<String>,
    },
}

/// Asks about all objects that are needed, a few at once, and what the org says of itself.
pub(super) async fn ask(client: &Client, user_id: &str, needs: &[Need]) -> (Option<Organization>, Vec<ObjectFacts>) {
    let (organization, own) = match permissions::of_org_and_user(client, user_id).await {
        Ok((organization, own)) => (organization, own.ok()),
        Err(_) => (None, None),
    };
    let own = own.as_ref();
    // Boxed, so that whoever awaits this can be moved between threads.
    let asked = needs.iter().map(|need| ask_object(client, own, need).boxed());
    (organization, stream::iter(asked.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await)
}

async fn ask_object(client: &Client, own: Option<&BTreeSet<String>>, need: &Need) -> ObjectFacts {
    let name = &need.object;
    let mut facts = ObjectFacts {
        name: name.clone(),
        describe: Fact::NotAsked,
        rows: Fact::NotAsked,
        grants: None,
        existence: Existence::Unknown,
        fields: Vec::new(),
        problems: Vec::new(),
    };
    let granted = async {
        match own.filter(|_| permissions::is_api_name(name)) {
            Some(own) => permissions::of_object(client, name).await.ok().map(|rows| permissions::grants(rows, own)),
            None => None,
        }
    };
    let (describe, granted) = join(client.describe(name), granted).await;
    (facts.describe, facts.grants) = (describe.into(), granted);
    match &facts.describe {
        Fact::Known(_) => {
            facts.rows = client.count(name, None, Deleted::Excluded).await.into();
            ask_fields(client, own, need, &mut facts).await;
        }
        Fact::Refused(_) | Fact::NotAsked => {
            let told = facts.grants.as_ref().is_some_and(|grants| grants.is_known);
            let is_there = told
                || (permissions::is_api_name(name) && permissions::is_defined(client, name).await.unwrap_or(false));
            facts.existence = existence(is_there);
        }
    }
    facts
}

fn existence(is_there: bool) -> Existence {
    if is_there { Existence::Proved } else { Existence::Unknown }
}

/// The fields that are named, and what compiling the mappings complains of besides.
async fn ask_fields(client: &Client, own: Option<&BTreeSet<String>>, need: &Need, facts: &mut ObjectFacts) {
    let wanted = wanted(need);
    let columns = wanted.iter().map(ColumnMapping::field).collect();
    let asked = Mapping { object: need.object.clone(), columns, ..Mapping::default() };
    let Ok(catalogue) = Catalogue::load(client, &asked).await else { return };
    for path in wanted {
        let state = match unseen(&catalogue, &need.object, &path) {
            None => FieldState::Readable,
            Some((object, field)) => look_for(client, own, &catalogue, object, field).await,
        };
        facts.fields.push(FieldFact { path, state });
    }
    if facts.fields.iter().all(|field| field.state == FieldState::Readable) {
        let problems = |mapping: &Mapping| mapping.compile(&catalogue).err().unwrap_or_default();
        facts.problems = need.mappings.iter().flat_map(problems).collect();
    }
}

/// The fields of the need and of its mappings, each once.
fn wanted(need: &Need) -> Vec<String> {
    let mapped = need.mappings.iter().flat_map(Mapping::paths);
    let mut wanted: Vec<String> = need.fields.iter().cloned().chain(mapped).collect();
    let mut seen = BTreeSet::new();
    wanted.retain(|field| seen.insert(field.to_ascii_lowercase()));
    wanted
}

/// Where a path leads to nothing: the object, and the field that it does not show. `None`: it leads to a field.
fn unseen(catalogue: &Catalogue, object: &str, path: &str) -> Option<(String, String)> {
    let mut object = object.to_owned();
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        let lacks = || Some((object.clone(), step.to_owned()));
        let Some(describe) = catalogue.object(&object) else { return lacks() };
        if steps.peek().is_none() {
            return if describe.field(step).is_some() { None } else { lacks() };
        }
        let Some(reference) = describe.relationship(step) else { return lacks() };
        match reference.reference_to.as_slice() {
            [parent] => object = parent.clone(),
            // What a reference to several objects shows is for the mapping's compiler to say.
            _ => return None,
        }
    }
    None
}

/// Looks for a field that the user does not see in what the org tells of permissions and definitions.
async fn look_for(
    client: &Client,
    own: Option<&BTreeSet<String>>,
    catalogue: &Catalogue,
    object: String,
    field: String,
) -> FieldState {
    let nearest = catalogue.object(&object).and_then(|describe| nearest(describe, &field));
    let mut grants = None;
    let mut is_there = false;
    if permissions::is_api_name(&object) && permissions::is_api_name(&field) {
        let (permitted, defined) =
            join(permissions::of_field(client, &object, &field), permissions::defines_field(client, &object, &field))
                .await;
        grants = permitted.ok().zip(own).map(|(rows, own)| permissions::grants(rows, own));
        is_there = defined.unwrap_or(false) || grants.as_ref().is_some_and(|grants| grants.is_known);
    }
    FieldState::Unseen { object, field, existence: existence(is_there), grants, nearest }
}

/// The visible field that was probably meant.
fn nearest(describe: &ObjectDescribe, field: &str) -> Option<String> {
    closest(field, describe.fields.iter().map(|known| known.name.as_str())).map(str::to_owned)
}
