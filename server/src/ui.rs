//! The console: pages for people. A page parses what was sent, calls one method of [`App`], and renders.
//!
//! [`routes`] is the table of all pages and of the role that each asks for; [`call`] is what every page begins with:
//! who asks, and whether the request comes from a page of ours. Pages work without script: every change is a form.
//! htmx only replaces the parts of a page that change while somebody looks.

use std::sync::Arc;

use axum::{Router, handler::Handler};

use self::{attempt::Attempts, call::Access, imports::Imports};
use crate::{app::App, web::Site};

mod account;
mod assets;
mod attempt;
mod attempts;
mod call;
mod callback;
mod connect;
mod connect_form;
mod connection;
mod disconnect;
mod fields;
mod findings;
mod frame;
mod guides;
mod imports;
mod integrations;
mod links;
mod objects;
mod own;
mod problem;
mod promote;
mod routes;
mod schedules;
mod sign_in;
mod users;
mod verified;
mod ways;
mod words;

/// What the pages share.
#[derive(Clone)]
pub(crate) struct Console(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) app: Arc<App>,
    site: Site,
    attempts: Attempts,
    imports: Imports,
}

impl std::ops::Deref for Console {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Console {
    pub(crate) fn new(app: Arc<App>, site: Site) -> Self {
        Self(Arc::new(Shared { app, site, attempts: Attempts::default(), imports: Imports::default() }))
    }

    /// Everything that people see.
    pub(crate) fn router(&self) -> Router {
        let mut router = Router::new();
        for route in routes::all() {
            router = router.route(route.path, route.handler.layer(axum::Extension(route.access)));
        }
        let nothing = problem::no_such_page.layer(axum::Extension(Access::Anyone));
        router.fallback_service(nothing.with_state(self.clone())).with_state(self.clone())
    }

    /// Ends the imports that were begun here at their next checkpoint.
    pub(crate) async fn end(&self) {
        self.imports.end().await;
    }
}

#[cfg(test)]
mod tests;
