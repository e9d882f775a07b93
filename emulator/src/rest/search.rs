//! Full-text search: `/search`, `/parameterizedSearch`, suggestions, and what search pages show.
//!
//! Source: REST API guide v66, "Search" and its neighbours. Scope order, search layouts and suggested articles are those of an
//! org without customisation.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::allow;
use super::body::typed_body;
use super::caller::Caller;
use super::query::blocking;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::database::Snapshot;
use crate::org::Org;
use crate::route::SearchRoute;
use crate::schema::Object;
use crate::soql::RowWriter;
use crate::sosl::{Expression, Found, Returning, Scope, Search, SearchError};
use crate::value::Timestamp;

/// From this version on the records are a member of the answer; before, they are the answer.
const MEMBER_FROM: u16 = 37;
/// Rows that a search page shows; the number is inferred.
const PAGE_ROWS: u64 = 25;
/// Source: REST API guide v66, "Search Suggested Records".
const SUGGESTIONS: usize = 5;

impl Org {
    pub(super) async fn search_resource(
        self: &Arc<Self>,
        call: &Call,
        caller: &Caller,
        route: SearchRoute,
    ) -> Result<Answer, ApiError> {
        match route {
            SearchRoute::Parameterized => allow(call, &[Method::GET, Method::POST])?,
            _ => allow(call, &[Method::GET])?,
        }
        match route {
            SearchRoute::Search => {
                let text = call.parameter("q").unwrap_or_default();
                self.search(caller, Search::parse(&text)?, Vec::new()).await
            }
            SearchRoute::Parameterized => {
                let asked = Parameters::of(call)?;
                let extra = asked.metadata();
                self.search(caller, asked.search()?, extra).await
            }
            SearchRoute::ScopeOrder => Ok(Answer::ok(&json!([]))),
            SearchRoute::Layout => self.search_layouts(call, caller),
            SearchRoute::Suggestions => self.suggestions(call, caller).await,
            SearchRoute::SuggestedQueries => {
                Ok(Answer::ok(&json!({"autoSuggestResults": [], "hasMoreResults": false})))
            }
        }
    }

    async fn search(
        self: &Arc<Self>,
        caller: &Caller,
        search: Search,
        extra: Vec<(&'static str, Value)>,
    ) -> Result<Answer, ApiError> {
        let version = caller.version;
        let records = self.find(caller, search).await?;
        if version < MEMBER_FROM {
            return Ok(Answer::json_text(StatusCode::OK, records));
        }
        let mut body = b"{\"searchRecords\":".to_vec();
        body.extend_from_slice(&records);
        for (name, value) in extra {
            body.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
        }
        body.push(b'}');
        Ok(Answer::json_text(StatusCode::OK, body))
    }

    /// The records that a search finds, as a JSON array.
    async fn find(self: &Arc<Self>, caller: &Caller, search: Search) -> Result<Vec<u8>, ApiError> {
        let (org, caller) = (Arc::clone(self), caller.clone());
        blocking(move || {
            let snapshot = org.snapshot();
            let found = search.run(&snapshot, &caller.access, Timestamp::from(org.now()))?;
            Ok(written(&found, &snapshot, &caller))
        })
        .await
    }

    /// `GET /search/layout?q=Account,Contact`.
    fn search_layouts(&self, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        let named = call.parameter("q").unwrap_or_default();
        let mut layouts = Vec::new();
        for name in named.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            layouts.push(search_layout(&*self.visible_object(caller, name)?));
        }
        Ok(Answer::ok(&layouts))
    }

    /// `GET /search/suggestions?q=…&sobject=Account`: records whose name begins like that.
    async fn suggestions(self: &Arc<Self>, call: &Call, caller: &Caller) -> Result<Answer, ApiError> {
        let required = |name: &str| {
            let missing = || ApiError::bad_request("MISSING_ARGUMENT", format!("the parameter {name} is required"));
            call.parameter(name).filter(|value| !value.trim().is_empty()).ok_or_else(missing)
        };
        let (text, objects) = (required("q")?, required("sobject")?);
        let limit = call.parameter("limit").and_then(|limit| limit.parse().ok()).unwrap_or(SUGGESTIONS);
        let filter = call.parameter("where").map(|filter| filter.into_owned());
        let mut returning = Vec::new();
        let mut names = Vec::new();
        for name in objects.split(',').map(str::trim) {
            let object = self.visible_object(caller, name)?;
            let named = object.fields().iter().find(|field| field.name_field).map_or("Id", |field| &field.name);
            names.push(json!({"entityApiName": object.name, "fieldApiName": named}));
            let more = call.parameter("fields").unwrap_or_default();
            let more = more.split(',').map(str::trim).filter(|field| !field.is_empty()).map(str::to_owned);
            let mut fields = vec!["Id".to_owned()];
            let wanted: Vec<String> = std::iter::once(named.to_owned()).chain(more).collect();
            for field in wanted {
                if !fields.iter().any(|known| known.eq_ignore_ascii_case(&field)) {
                    fields.push(field);
                }
            }
            returning.push(Returning {
                object: object.name.clone(),
                fields,
                filter: filter.clone(),
                ..Returning::default()
            });
        }
        let find = Expression::prefix(&text).ok_or_else(|| SearchError::Invalid(too_short(&text)))?;
        let search = Search { find, scope: Scope::Name, returning, limit: Some(limit + 1) };
        let records = self.find(caller, search).await?;
        let mut records: Vec<Box<serde_json::value::RawValue>> = serde_json::from_slice(&records)
            .map_err(|error| ApiError::bad_request("UNKNOWN_EXCEPTION", error.to_string()))?;
        let more = records.len() > limit;
        records.truncate(limit);
        let results = serde_json::to_string(&records).unwrap_or_default();
        let meta = json!({"nameFields": names});
        let body = format!("{{\"autoSuggestResults\":{results},\"hasMoreResults\":{more},\"meta\":{meta}}}");
        Ok(Answer::json_text(StatusCode::OK, body))
    }
}

fn too_short(text: &str) -> String {
    format!("search term must be longer than one character: {text}")
}

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> Self {
        let code = error.code().to_owned();
        Self::bad_request(code, error.to_string())
    }
}

fn written(found: &[Found], snapshot: &Snapshot, caller: &Caller) -> Vec<u8> {
    let mut body = vec![b'['];
    for found in found {
        let Some(projection) = found.plan().projection() else { continue };
        let mut writer = RowWriter::new(projection, snapshot, &caller.version_name());
        for row in found.ids.iter().filter_map(|id| snapshot.row(*id)) {
            if body.len() > 1 {
                body.push(b',');
            }
            writer.write_json(&row, &mut body);
        }
    }
    body.push(b']');
    body
}

pub(crate) fn search_layout(object: &Object) -> Value {
    let shown = object.fields().iter().filter(|field| field.name_field).take(1);
    let column = |field: &crate::schema::Field| {
        let format = Value::Null;
        json!({"field": format!("{}.{}", object.name, field.name), "format": format, "label": field.label, "name": field.name})
    };
    json!({
        "errorMsg": null,
        "label": "Search Results",
        "limitRows": PAGE_ROWS,
        "objectType": object.name,
        "searchColumns": shown.map(column).collect::<Vec<_>>(),
    })
}

/// `parameterizedSearch`: a search without SOSL.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Parameters {
    q: String,
    fields: Vec<String>,
    sobjects: Vec<Wanted>,
    #[serde(rename = "in")]
    scope: Option<String>,
    overall_limit: Option<usize>,
    default_limit: Option<usize>,
    offset: usize,
    metadata: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wanted {
    name: String,
    fields: Vec<String>,
    #[serde(rename = "where")]
    filter: Option<String>,
    order_by: Option<String>,
    limit: Option<usize>,
}

impl Parameters {
    fn of(call: &Call) -> Result<Self, ApiError> {
        if call.method == Method::POST {
            return typed_body(call);
        }
        let mut asked = Self::default();
        let list = |value: &str| value.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>();
        let mut of_objects = Vec::new();
        for (name, value) in form_urlencoded::parse(call.query.as_bytes()).into_owned() {
            match name.as_str() {
                "q" => asked.q = value,
                "fields" => asked.fields = list(&value),
                "sobject" => asked.sobjects.push(Wanted { name: value, ..Wanted::default() }),
                "in" => asked.scope = Some(value),
                "overallLimit" => asked.overall_limit = value.parse().ok(),
                "defaultLimit" => asked.default_limit = value.parse().ok(),
                "offset" => asked.offset = value.parse().unwrap_or_default(),
                "metadata" => asked.metadata = Some(value),
                _ => of_objects.push((name, value)),
            }
        }
        for (name, value) in of_objects {
            let Some((object, member)) = name.split_once('.') else { continue };
            let wanted = asked.sobjects.iter_mut().find(|wanted| wanted.name.eq_ignore_ascii_case(object));
            match (wanted, member) {
                (Some(wanted), "fields") => wanted.fields = list(&value),
                (Some(wanted), "where") => wanted.filter = Some(value),
                (Some(wanted), "orderBy") => wanted.order_by = Some(value),
                (Some(wanted), "limit") => wanted.limit = value.parse().ok(),
                _ => {}
            }
        }
        Ok(asked)
    }

    fn search(self) -> Result<Search, ApiError> {
        if self.q.trim().is_empty() {
            return Err(ApiError::bad_request("MISSING_ARGUMENT", "the parameter q is required"));
        }
        let find = Expression::plain(&self.q)?;
        let scope = match &self.scope {
            None => Scope::All,
            Some(name) => Scope::parse(name).ok_or_else(|| {
                ApiError::bad_request("INVALID_SEARCH_SCOPE", format!("invalid search scope: {name}"))
            })?,
        };
        let (fields, limit, offset) = (self.fields, self.default_limit, self.offset);
        let returning = self.sobjects.into_iter().map(|wanted| Returning {
            object: wanted.name,
            fields: if wanted.fields.is_empty() { fields.clone() } else { wanted.fields },
            filter: wanted.filter,
            order: wanted.order_by,
            limit: wanted.limit.or(limit),
            offset,
        });
        Ok(Search { find, scope, returning: returning.collect(), limit: self.overall_limit })
    }

    /// Members of the answer besides the records.
    fn metadata(&self) -> Vec<(&'static str, Value)> {
        let labels = self.metadata.as_deref().is_some_and(|wanted| wanted.eq_ignore_ascii_case("LABELS"));
        if labels { vec![("metadata", json!({"entityMetadata": []}))] } else { Vec::new() }
    }
}
