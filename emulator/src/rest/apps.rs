//! The use of client apps: who has which refresh tokens, and taking them away.
//!
//! Source: Connect REST API guide v66, "OAuth Usage Resources" and their response bodies, from v59.0 on. Which properties an
//! app and a user have besides the name is inferred, as is who may ask.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::allow;
use super::caller::Caller;
use crate::answer::{Answer, ApiError};
use crate::call::Call;
use crate::ids::{KeyPrefix, RecordId};
use crate::org::Org;
use crate::route::UsageRoute;
use crate::scenario::{AppSpec, Setup, developer_name};
use crate::session::{ListedToken, TokenFormat};

const FIRST_VERSION: u16 = 59;
const PAGE: usize = 100;

impl Org {
    pub(super) fn usage_of_apps(&self, call: &Call, caller: &Caller, route: &UsageRoute) -> Result<Answer, ApiError> {
        if caller.version < FIRST_VERSION {
            return Err(ApiError::not_found());
        }
        if !caller.access.view_setup {
            let message = "insufficient access rights on cross-reference id";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "INSUFFICIENT_ACCESS", message));
        }
        let setup = self.configuration.saved();
        let tokens = self.approvals.tokens();
        let app = |id: &str| app_named(&setup, id).ok_or_else(ApiError::not_found);
        match route {
            UsageRoute::Apps => self.used_apps(call, caller, &setup, &tokens),
            UsageRoute::Users(id) => self.users_of(call, caller, app(id)?, &tokens),
            UsageRoute::Tokens { app: id, user } => {
                let app = app(id)?;
                let user = self.user_named(&setup.users, user).ok_or_else(ApiError::not_found)?;
                let own =
                    |token: &&ListedToken| token.consumer_key == app.consumer_key && token.username == user.username;
                self.listed(call, caller, app, tokens.iter().filter(own).collect())
            }
            UsageRoute::TokensOfApp(id) => {
                let app = app(id)?;
                allow(call, &[Method::DELETE])?;
                self.drop_tokens(tokens.iter().filter(|token| token.consumer_key == app.consumer_key));
                Ok(Answer::empty(StatusCode::NO_CONTENT))
            }
            UsageRoute::Token(id) => {
                allow(call, &[Method::DELETE])?;
                let token = tokens.iter().find(|token| token.delete_token == *id).ok_or_else(ApiError::not_found)?;
                self.drop_tokens(std::iter::once(token));
                Ok(Answer::empty(StatusCode::NO_CONTENT))
            }
        }
    }

    fn used_apps(
        &self,
        call: &Call,
        caller: &Caller,
        setup: &Setup,
        tokens: &[ListedToken],
    ) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let used = |app: &&AppSpec| tokens.iter().any(|token| token.consumer_key == app.consumer_key);
        let shown = |app: &AppSpec| {
            let id = identifier(app);
            json!({
                "accessTokenFormat": token_format(app),
                "developerName": developer_name(&app.name),
                "identifier": id,
                "label": app.name,
                "usersUrl": format!("{}/apps/oauth/usage/{id}/users", caller.root()),
            })
        };
        Ok(paged(call, caller, "apps", setup.apps.iter().filter(used).map(shown).collect()))
    }

    fn users_of(
        &self,
        call: &Call,
        caller: &Caller,
        app: &AppSpec,
        tokens: &[ListedToken],
    ) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET])?;
        let of_app = tokens.iter().filter(|token| token.consumer_key == app.consumer_key);
        let mut names: Vec<&str> = of_app.map(|token| token.username.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let shown = |name: &str| {
            let id = self.user_id(name).to_string();
            json!({
                "tokensUrl": format!("{}/apps/oauth/usage/{}/{id}/tokens", caller.root(), identifier(app)),
                "userIdentifier": id,
                "username": name,
            })
        };
        Ok(paged(call, caller, "users", names.into_iter().map(shown).collect()))
    }

    /// The tokens of a user for an app; with DELETE, they are taken away.
    fn listed(
        &self,
        call: &Call,
        caller: &Caller,
        app: &AppSpec,
        tokens: Vec<&ListedToken>,
    ) -> Result<Answer, ApiError> {
        allow(call, &[Method::GET, Method::DELETE])?;
        if call.method == Method::DELETE {
            self.drop_tokens(tokens.into_iter());
            return Ok(Answer::empty(StatusCode::NO_CONTENT));
        }
        let time = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%dT%H:%M:%S.000Z").to_string();
        let shown = |token: &ListedToken| {
            json!({
                "accessTokenFormat": token_format(app),
                "appDeveloperName": developer_name(&app.name),
                "appIdentifier": identifier(app),
                "initialConnectionAt": time(token.issued),
                "lastUsedAt": time(token.last_used),
                "revocationUrl": format!("{}/apps/oauth/usage/tokens/{}", caller.root(), token.delete_token),
                "useCount": token.uses,
                "userIdentifier": self.user_id(&token.username).to_string(),
                "username": token.username,
            })
        };
        Ok(paged(call, caller, "tokens", tokens.into_iter().map(shown).collect()))
    }

    fn drop_tokens<'a>(&self, tokens: impl Iterator<Item = &'a ListedToken>) {
        for token in tokens {
            self.approvals.end(token.id);
            self.sessions.end_approval(token.id);
        }
    }
}

/// A page of a list; the address of the next is there even on the last.
fn paged(call: &Call, caller: &Caller, name: &str, items: Vec<Value>) -> Answer {
    let number = |name: &str| call.parameter(name).and_then(|text| text.parse::<usize>().ok());
    let (page, size) = (number("page").unwrap_or(0), number("pageSize").unwrap_or(PAGE).clamp(1, PAGE));
    let path = call.path.split_once("/apps/").map_or("", |(_, path)| path);
    let url = |page: usize| format!("{}/apps/{path}?page={page}&pageSize={size}", caller.root());
    let items: Vec<Value> = items.into_iter().skip(page.saturating_mul(size)).take(size).collect();
    let mut body = json!({"currentPageUrl": url(page), "nextPageUrl": url(page.saturating_add(1))});
    body[name] = Value::Array(items);
    Answer::ok(&body)
}

fn token_format(app: &AppSpec) -> &'static str {
    match if app.named_user_jwt { TokenFormat::Jwt } else { TokenFormat::Opaque } {
        TokenFormat::Jwt => "JWT",
        TokenFormat::Opaque => "Opaque",
    }
}

/// The id that an app always has.
fn identifier(app: &AppSpec) -> String {
    let prefix = KeyPrefix::parse("0xI").expect("the prefix of client apps is well-formed");
    let digits = app
        .consumer_key
        .bytes()
        .fold(7_u64, |number, byte| number.wrapping_mul(131).wrapping_add(u64::from(byte)) % 1_000_000_000_000);
    RecordId::new(prefix, digits).to_string()
}

fn app_named<'a>(setup: &'a Setup, id: &str) -> Option<&'a AppSpec> {
    setup.apps.iter().find(|app| identifier(app) == id || identifier(app).get(..15) == Some(id))
}
