//! The web server flow: a person signs in in their browser, and comes back with a code.

use std::time::Duration;

use salesforce::{
    Timestamp,
    oauth::{AuthorizationRequest, CallbackError, Flow, Grant, exchange, probe_authorize, read_callback},
    secret::CodeVerifier,
};
use url::{Url, form_urlencoded};

use super::{
    ConnectRequest, Connected, Granted, SCOPES,
    begun::{Begun, Pending},
};
use crate::{app::App, auth::Token, diagnose::Checklist, error::Error};

/// Signing in with a second factor and reading the consent page takes a while; a link that was forgotten ends.
pub const LIFE: Duration = Duration::from_secs(30 * 60);

/// A sign-in in a browser that was begun.
#[derive(Debug)]
pub struct BegunWebServer {
    pub id: String,
    /// Where the person's browser goes.
    pub url: Url,
    pub expires_at: Timestamp,
}

impl App {
    /// Begins a sign-in in a browser. `begun_by` is what the callback has to come with: the browser's session.
    ///
    /// The link is tried first: an unknown app, a callback URL that is not registered and the like would leave the person
    /// on a page of Salesforce's, from which nobody comes back.
    ///
    /// # Errors
    /// The refusal that the browser would have met.
    pub async fn begin_web_server(
        &self,
        request: ConnectRequest,
        redirect_uri: &str,
        begun_by: &str,
    ) -> Result<BegunWebServer, Error> {
        let prepared = self.prepare(request, Flow::WebServer).await?;
        self.knock(&prepared.name, &prepared.org).await?;
        let (verifier, state) = (CodeVerifier::fresh(), Token::fresh());
        let link = AuthorizationRequest {
            login: &prepared.org,
            client_id: &prepared.app.client_app().client_id,
            redirect_uri,
            scopes: SCOPES,
            state: state.expose(),
            verifier: &verifier,
            login_hint: prepared.existing.as_ref().map(|existing| existing.username.as_str()),
        };
        probe_authorize(&self.http, &link).await.map_err(|source| Error::sign_in(&prepared.name, source))?;
        let url = link.url();
        let pending =
            Pending::WebServer { verifier: verifier.expose().to_owned(), redirect_uri: redirect_uri.to_owned() };
        let begun = Begun::new(&prepared, pending);
        let hash = state.hash();
        let (id, expires_at) = self.remember(Flow::WebServer, &begun, begun_by, Some(&hash), LIFE).await?;
        Ok(BegunWebServer { id, url, expires_at })
    }

    /// Ends a sign-in with what the browser brought back: the callback's query. Each state serves once.
    ///
    /// # Errors
    /// [`Error::Callback`] for a callback that belongs to no sign-in of `begun_by`, contradicts itself, or brings
    /// Salesforce's refusal. Nothing is saved then, and what was granted is given back.
    pub async fn finish_web_server(
        &self,
        query: &str,
        begun_by: &str,
        checklist: &dyn Checklist,
    ) -> Result<Connected, Error> {
        let state = state_of(query).ok_or_else(|| Error::callback(None, CallbackError::StateMissing))?;
        let taken = self.store.take_sign_in(&Token::presented(&state).hash(), begun_by).await?;
        let (_, document) = taken.ok_or_else(|| Error::callback(None, CallbackError::StateMismatch))?;
        let begun = Begun::from_document(&document)?;
        let Pending::WebServer { verifier, redirect_uri } = &begun.pending else {
            return Err(Error::callback(Some(&begun.name), CallbackError::StateMismatch));
        };
        let code = read_callback(query, &state).map_err(|error| Error::callback(Some(&begun.name), error))?;
        let grant =
            Grant::AuthorizationCode { code, redirect_uri: redirect_uri.clone(), verifier: verifier.clone().into() };
        let prepared = self.prepare(begun.request(), Flow::WebServer).await?;
        let tokens = exchange(&self.http, &prepared.org, prepared.app.client_app(), &grant)
            .await
            .map_err(|source| Error::sign_in(&prepared.name, source))?;
        let granted = Granted { flow: Flow::WebServer, tokens, credentials: Vec::new(), audience: None };
        self.conclude(prepared, granted, checklist).await
    }
}

fn state_of(query: &str) -> Option<String> {
    let mut parameters = form_urlencoded::parse(query.trim_start_matches('?').as_bytes());
    parameters.find(|(name, _)| name == "state").map(|(_, state)| state.into_owned())
}
