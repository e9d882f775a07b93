//! Resources of the app around the records: what an org without such customisation answers, or a refusal.
//!
//! Source: REST API guide v66, the page of each resource, for the shapes. That an org has nothing of a kind is simplified.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::org::Org;
use crate::route::AppRoute;
use crate::schema::Access;

/// The sets of `/appMenu`.
const APP_MENUS: [&str; 2] = ["AppSwitcher", "Salesforce1"];
/// Lists of the Reports and Dashboards API. Source: its guide v66, "Report List" and "Dashboard List".
const ANALYTICS: [&str; 3] = ["dashboards", "reports", "reportTypes"];

impl Org {
    pub(super) fn app_resource(&self, call: &Call, caller: &Caller, part: AppRoute) -> Result<Answer, ApiError> {
        if call.method == Method::POST && part.takes_posts() {
            return super::process::answer(call, part);
        }
        allow(call, &[Method::GET])?;
        let root = caller.root();
        let last = call.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let body = match part {
            AppRoute::Theme => json!({"themeItems": []}),
            AppRoute::Tabs | AppRoute::RelevantItems => json!([]),
            AppRoute::Analytics if ANALYTICS.contains(&last) => json!([]),
            AppRoute::AppMenu if APP_MENUS.iter().any(|set| set.eq_ignore_ascii_case(last)) => {
                json!({"appMenuItems": []})
            }
            AppRoute::CompactLayouts => self.primary_compact_layouts(call, caller)?,
            AppRoute::QuickActions if last == "quickActions" => json!([]),
            AppRoute::ProcessRules if last == "rules" => json!({"rules": {}}),
            AppRoute::ProcessApprovals => json!({"approvals": {}}),
            AppRoute::Actions => {
                json!({"custom": format!("{root}/actions/custom"), "standard": format!("{root}/actions/standard")})
            }
            AppRoute::StandardActions if last == "standard" => json!({"actions": []}),
            AppRoute::CustomActions if last == "custom" => {
                let kinds = ["apex", "emailAlert", "flow", "quickAction", "sendNotification"];
                let entry = |kind: &str| (kind.to_owned(), json!(format!("{root}/actions/custom/{kind}")));
                Value::Object(kinds.into_iter().map(entry).collect())
            }
            AppRoute::CustomActions if call.path.trim_end_matches('/').split('/').count() == 7 => {
                json!({"actions": []})
            }
            AppRoute::KnowledgeSettings => {
                json!({"defaultLanguage": "en_US", "knowledgeEnabled": false, "languages": []})
            }
            AppRoute::AppMenu
            | AppRoute::Analytics
            | AppRoute::QuickActions
            | AppRoute::ProcessRules
            | AppRoute::StandardActions
            | AppRoute::CustomActions
            | AppRoute::EventSchema
            | AppRoute::Nouns => return Err(ApiError::not_found()),
            AppRoute::Support => {
                let message = "Knowledge is not enabled for this organization.";
                return Err(ApiError::new(StatusCode::NOT_FOUND, "FUNCTIONALITY_NOT_ENABLED", message));
            }
        };
        Ok(Answer::ok(&body))
    }

    /// `GET /compactLayouts?q=Account,Contact`: the primary compact layout of some objects.
    fn primary_compact_layouts(&self, call: &Call, caller: &Caller) -> Result<Value, ApiError> {
        let named = call.parameter("q").unwrap_or_default();
        let snapshot = self.snapshot();
        let mut layouts = serde_json::Map::new();
        for name in named.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let found = snapshot.schema().find(name).filter(|(_, object)| caller.access.reads(object));
            let (_, object) = found.ok_or_else(ApiError::not_found)?;
            layouts.insert(object.name.clone(), super::frames::compact_layout(object, caller));
        }
        Ok(Value::Object(layouts))
    }
}
