//! Records by their relationships: `/sobjects/Contact/{id}/Account`, `/sobjects/Account/{id}/Contacts`.
//!
//! Source: REST API guide v66, "sObject Relationships".

use std::sync::Arc;

use http::Method;
use url::form_urlencoded;

use super::allow;
use super::caller::Caller;
use super::records::{is_file, record_id};
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::ids::RecordId;
use crate::org::Org;
use crate::schema::{Access, Field, Object, Schema};
use crate::soql::RowScope;
use crate::value::Value;

/// Where a path of relationships leads.
enum Place {
    Record {
        object: Arc<Object>,
        id: RecordId,
    },
    /// The records whose reference names the parent.
    Children {
        object: Arc<Object>,
        reference: String,
        parent: RecordId,
    },
}

impl Org {
    /// What follows an id of the object: a file, or relationships.
    pub(super) async fn related(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        [name, id]: [&str; 2],
        path: &[String],
    ) -> Result<Answer, ApiError> {
        let object = self.visible_object(caller, name)?;
        let id = record_id(id)?;
        if object.key_prefix != Some(id.prefix()) {
            return Err(ApiError::not_found());
        }
        if let [field] = path
            && let Some((index, _)) = object.find(field).filter(|(_, field)| is_file(field))
        {
            return self.field_bytes(call, caller, &object, (id, index));
        }
        match self.follow(caller, object, id, path)? {
            Place::Record { object, id } => {
                allow(call, &[Method::GET, Method::PATCH, Method::DELETE])?;
                self.on_record(call, caller, &object, id)
            }
            Place::Children { object, reference, parent } => {
                allow(call, &[Method::GET])?;
                self.children(call, caller, &object, &reference, parent).await
            }
        }
    }

    fn follow(&self, caller: &Caller, object: Arc<Object>, id: RecordId, path: &[String]) -> Result<Place, ApiError> {
        let snapshot = self.snapshot();
        let (mut object, mut id) = (object, id);
        for (step, name) in path.iter().enumerate() {
            let row = snapshot.row(id).filter(|row| !row.is_deleted()).ok_or_else(ApiError::not_found)?;
            let parent = object.find_relationship(name).filter(|(_, field)| caller.access.reads_field(&object, field));
            let Some((reference, _)) = parent else {
                let is_last = step + 1 == path.len();
                let children = child_relationship(snapshot.schema(), caller, &object, name).filter(|_| is_last);
                let (object, reference) = children.ok_or_else(ApiError::not_found)?;
                return Ok(Place::Children { object, reference, parent: id });
            };
            let Value::Id(target) = row.value(reference) else { return Err(ApiError::not_found()) };
            let found = snapshot.schema().find_prefix(target.prefix()).map(|(_, object)| Arc::clone(object));
            object = found.filter(|object| caller.access.reads(object)).ok_or_else(ApiError::not_found)?;
            id = target;
        }
        Ok(Place::Record { object, id })
    }

    /// Children are answered as a query of them is.
    async fn children(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        object: &Object,
        reference: &str,
        parent: RecordId,
    ) -> Result<Answer, ApiError> {
        let all = || {
            let visible = object.fields().iter().filter(|field| caller.access.reads_field(object, field));
            visible.map(|field| field.name.as_str()).collect::<Vec<_>>().join(",")
        };
        let fields = call.parameter("fields").map_or_else(all, |fields| fields.into_owned());
        let soql = format!("SELECT {fields} FROM {} WHERE {reference} = '{parent}'", object.name);
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", &soql).finish();
        self.query(&Call { query, ..call.clone() }, caller, RowScope::Live).await
    }
}

/// The object whose records a relationship lists, and the reference by which they name their parent.
fn child_relationship(schema: &Schema, caller: &Caller, parent: &Object, name: &str) -> Option<(Arc<Object>, String)> {
    let lists = |field: &&Field| {
        field.child_relationship.as_deref().is_some_and(|known| known.eq_ignore_ascii_case(name))
            && field.reference_to.contains(&parent.name)
    };
    schema.objects().iter().filter(|child| caller.access.reads(child)).find_map(|child| {
        let reference = child.fields().iter().find(lists)?;
        let visible = caller.access.reads_field(child, reference);
        visible.then(|| (Arc::clone(child), reference.name.clone()))
    })
}
