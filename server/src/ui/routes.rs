//! Every page, and the role that it asks for. `test: every_route_is_open_to_its_roles_alone`

use axum::routing::{MethodRouter, get, post};
use futures_util::{FutureExt, future::BoxFuture};

use super::{
    Console, account, assets, attempts,
    call::{Access, Answer, Call},
    callback, connect, connection, disconnect, guides, imports, integrations, links, objects, own, promote, schedules,
    sign_in, users, verified,
};
use crate::auth::Role;

/// One page or one button.
pub(super) struct Route {
    #[cfg_attr(not(test), expect(dead_code, reason = "the handler knows it; tests ask by it"))]
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) access: Access,
    pub(super) handler: MethodRouter<Console>,
}

const ANYONE: Access = Access::Anyone;
const MEMBER: Access = Access::Signed(Role::Member);
const ADMIN: Access = Access::Signed(Role::Admin);
const OWNER: Access = Access::Signed(Role::Owner);

/// The table of routes.
pub(super) fn all() -> Vec<Route> {
    vec![
        show("/", MEMBER, integrations::first),
        show("/integrations", MEMBER, integrations::show),
        show("/assets/{file}", ANYONE, assets::show),
        show("/sign-in", ANYONE, sign_in::show),
        press("/sign-in", ANYONE, sign_in::enter),
        press("/sign-out", MEMBER, sign_in::leave),
        show("/link", ANYONE, links::show),
        press("/link", ANYONE, links::follow),
        show("/account", MEMBER, account::show),
        press("/account/password", MEMBER, account::change_password),
        press("/account/sign-out-everywhere", MEMBER, account::sign_out_everywhere),
        show("/users", ADMIN, users::show),
        press("/users/invite", ADMIN, users::invite),
        press("/users/withdraw", ADMIN, users::withdraw),
        press("/users/{id}/password-link", ADMIN, users::password_link),
        press("/users/{id}/role", OWNER, users::change_role),
        press("/users/{id}/remove", OWNER, users::remove),
        show("/connect", ADMIN, connect::show),
        show("/connect/error-page", MEMBER, callback::ask),
        press("/connect/error-page", MEMBER, callback::explain),
        show("/certificate", ADMIN, guides::download_certificate),
        press("/certificate", ADMIN, guides::make_certificate),
        show("/connect/{flow}", ADMIN, connect::show_form),
        press("/connect/{flow}", ADMIN, connect::begin),
        press("/sign-in-with-salesforce", MEMBER, own::begin),
        show("/oauth/callback", MEMBER, callback::arrive),
        show("/attempts/{id}", MEMBER, attempts::show),
        show("/attempts/{id}/code.svg", MEMBER, attempts::picture),
        press("/attempts/{id}/stop", MEMBER, attempts::stop),
        show("/connections/{name}", MEMBER, connection::show),
        press("/connections/{name}/check", ADMIN, connection::check),
        show("/connections/{name}/objects", ADMIN, objects::show),
        press("/connections/{name}/objects", ADMIN, objects::choose),
        press("/connections/{name}/sync", ADMIN, objects::sync),
        press("/connections/{name}/verify", ADMIN, verified::verify),
        press("/connections/{name}/schedule", ADMIN, schedules::decide),
        show("/connections/{name}/promote", ADMIN, promote::show),
        press("/connections/{name}/promote", ADMIN, promote::save),
        show("/connections/{name}/import", MEMBER, imports::progress),
        // The page asks for an admin, or for whoever's own sign-in it is.
        show("/connections/{name}/disconnect", MEMBER, disconnect::ask),
        press("/connections/{name}/disconnect", MEMBER, disconnect::end),
        show("/journal", ADMIN, connection::journal),
    ]
}

/// A page.
fn show<P, F>(path: &'static str, access: Access, page: P) -> Route
where
    P: Fn(Call) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    Route { method: "GET", path, access, handler: get(with_menu(page)) }
}

/// A button.
fn press<P, F>(path: &'static str, access: Access, page: P) -> Route
where
    P: Fn(Call) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    Route { method: "POST", path, access, handler: post(with_menu(page)) }
}

/// A problem is shown to whoever met it, with their menu.
fn with_menu<P, F>(page: P) -> impl Fn(Call) -> BoxFuture<'static, Answer> + Clone + Send + Sync + 'static
where
    P: Fn(Call) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    move |call: Call| {
        let caller = call.visitor().cloned();
        let answer = page(call);
        async move { answer.await.map_err(|problem| problem.seen_by(caller)) }.boxed()
    }
}
