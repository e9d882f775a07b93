//! The end of every sign-in: look around, save, and give back what is not needed.

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use salesforce::{
    ApiError, ApiVersion, Client, OAuthError, OrgUrl,
    oauth::{Flow, IssuedToken, Renewal, Session, TokenSource, revoke},
    org::{UserInfo, versions},
    secret::{AccessToken, RefreshToken},
};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{Connected, Granted, NEWEST_KNOWN, Prepared};
use crate::{
    app::{App, disconnect::Removed},
    connection::{
        keeper::{self, LEASE_TERM},
        state::{ConnectionEvent, ConnectionState},
    },
    diagnose::{self, Case, Checklist, Patience, catalogue},
    error::Error,
    store::{
        connections::{Connection, Difference, NewConnection, SavedConnection},
        credentials::CredentialKind,
    },
};

/// The session of a sign-in that is not saved yet. It cannot be renewed.
struct Fresh(Session);

impl TokenSource for Fresh {
    fn session(&self) -> BoxFuture<'_, Result<Session, OAuthError>> {
        std::future::ready(Ok(self.0.clone())).boxed()
    }

    fn renew<'a>(&'a self, _rejected: &'a AccessToken) -> BoxFuture<'a, Result<Session, OAuthError>> {
        let reason = "Salesforce does not accept the session it has just issued".to_owned();
        std::future::ready(Err(OAuthError::Retired { reason })).boxed()
    }
}

impl App {
    /// Looks around with what was granted, and saves it. What was granted cannot be had again without the person, so only
    /// the looking is repeated while something may pass.
    pub(super) async fn conclude(
        &self,
        prepared: Prepared,
        granted: Granted,
        checklist: &dyn Checklist,
    ) -> Result<Connected, Error> {
        let mut patience = Patience::new(self.http.timer(), checklist);
        self.conclude_with(&prepared, granted, &mut patience, checklist).await
    }

    pub(super) async fn conclude_with(
        &self,
        prepared: &Prepared,
        granted: Granted,
        patience: &mut Patience<'_>,
        checklist: &dyn Checklist,
    ) -> Result<Connected, Error> {
        let error = loop {
            match self.look_around_and_save(prepared, &granted, checklist).await {
                Ok(connected) => return Ok(connected),
                Err(error) if patience.waits_out_with_session(&error).await => {}
                Err(error) => break error,
            }
        };
        // A token that was not replaced is as good as before.
        if granted.flow == Flow::RefreshToken && granted.tokens.refresh_token.is_some() {
            return Err(Error::Spent { source: Box::new(error) });
        }
        self.give_back(&granted).await;
        Err(error)
    }

    /// Ends what a person has just approved and what is not saved: each approval that is left behind counts among the
    /// five that a user has with an app (help article 000205876).
    async fn give_back(&self, granted: &Granted) {
        if let Some(token) = granted.tokens.refresh_token.as_ref().filter(|_| granted.is_approved_now()) {
            self.revoke_left_over(&granted.tokens.instance_url, token).await;
        }
    }

    /// The refresh token that a new approval replaces, and where it is revoked.
    async fn replaced_token(
        &self,
        prepared: &Prepared,
        granted: &Granted,
        new: &NewConnection,
    ) -> Result<Option<(OrgUrl, RefreshToken)>, Error> {
        // That of an org that a refresh has ended is dead.
        let is_of_this_org = |existing: &&Connection| existing.org_id == new.org_id;
        let Some(existing) = prepared.existing.as_ref().filter(|_| granted.is_approved_now()).filter(is_of_this_org)
        else {
            return Ok(None);
        };
        let token = self.store.credential(&existing.id, CredentialKind::RefreshToken).await?;
        Ok(token.map(|token| (existing.instance.clone(), token.expose_secret().to_owned().into())))
    }

    /// Tries to; what fails is logged, as the sign-in itself is decided.
    async fn revoke_left_over(&self, host: &OrgUrl, token: &RefreshToken) {
        if let Err(error) = revoke(&self.http, host, IssuedToken::Refresh(token)).await {
            tracing::warn!(%error, "a sign-in that is not used any more could not be ended at Salesforce");
        }
    }

    pub(super) async fn look_around_and_save(
        &self,
        prepared: &Prepared,
        granted: &Granted,
        checklist: &dyn Checklist,
    ) -> Result<Connected, Error> {
        let (user, client) = self.look_around(&prepared.name, prepared.request.api_version, granted).await?;
        let (flow, api_version) = (granted.flow, client.version());
        let case = Case {
            connection: prepared.name.clone(),
            instance: granted.tokens.instance_url.clone(),
            flow: Some(flow),
            scopes: granted.tokens.scopes.clone(),
            app: Some(prepared.app.client_app().clone()),
            calls_of_a_day: None,
            has_refresh_token: granted.tokens.refresh_token.is_some(),
            api_version,
            // Whether it may replace what there is, is decided where it is saved.
            expected: None,
            needs: diagnose::usual_needs(),
        };
        let examined = self.examine(&case, Some(&client), checklist).await;
        if let Some(obstacle) = examined.obstacle() {
            return Err(Error::finding_of(&prepared.name, obstacle.clone()));
        }
        let (again, actor) = (prepared.existing.is_some(), prepared.request.actor.clone());
        let new = self.to_save(prepared.clone(), granted.clone(), &user, api_version);
        let new = NewConnection { organization: examined.organization.clone(), ..new };
        let replaced = self.replaced_token(prepared, granted, &new).await?;
        let (connection, removed) = self.save_in_its_place(prepared, new).await?;
        if let Some((host, token)) = replaced {
            self.revoke_left_over(&host, &token).await;
        }
        let event = if again { "connected again" } else { "connected" };
        let detail = json!({ "flow": flow, "org_id": connection.org_id, "username": connection.username });
        self.store.note(Some(&connection.name), &actor, event, detail).await?;
        self.forget_keeper(&connection.name);
        self.describes.forget(&connection.id);
        let mut warnings = warnings(flow, &connection.scopes, connection.api_version);
        warnings.extend(self.approvals_warning(&connection).await?);
        warnings.extend(self.begin_first_import(prepared, &connection).await);
        Ok(Connected { connection, user, again, warnings, findings: examined.findings, removed })
    }

    async fn look_around(
        &self,
        name: &str,
        wanted: Option<ApiVersion>,
        granted: &Granted,
    ) -> Result<(UserInfo, Client), Error> {
        let tokens = &granted.tokens;
        let api = |source: ApiError| Error::api(name, source);
        let offered = versions(&self.http, &tokens.instance_url).await.map_err(api)?;
        let offered: Vec<ApiVersion> = offered.into_iter().map(|offered| offered.version).collect();
        let api_version =
            choose_version(wanted, &offered).ok_or_else(|| no_version(&tokens.instance_url, wanted, &offered))?;
        let client = Client::new(self.http.clone(), Arc::new(Fresh(tokens.session())), api_version);
        match client.userinfo().await {
            Ok(user) => Ok((user, client)),
            Err(ApiError::SignIn(OAuthError::Retired { reason })) => {
                Err(Error::finding_of(name, catalogue::SESSION_REFUSED.found(reason)))
            }
            Err(error) => Err(api(error)),
        }
    }

    fn to_save(&self, prepared: Prepared, granted: Granted, user: &UserInfo, api_version: ApiVersion) -> NewConnection {
        let Prepared { name, org, app, existing, request } = prepared;
        let Granted { flow, tokens, mut credentials, audience } = granted;
        let now = self.clock.now();
        let begun = existing.as_ref().map_or(ConnectionState::Connected { since: now }, |it| it.state.clone());
        let state = begun.on(ConnectionEvent::Authorized, now).unwrap_or(ConnectionState::Connected { since: now });
        let customer = request.customer.or_else(|| existing.map(|existing| existing.customer));
        if let Some(token) = tokens.refresh_token.as_ref().filter(|_| flow.renewal() == Renewal::RefreshToken) {
            credentials.retain(|(kind, _)| *kind != CredentialKind::RefreshToken);
            credentials.push((CredentialKind::RefreshToken, token.expose().into()));
        }
        credentials.extend(app.secret_to_keep().map(|secret| (CredentialKind::ClientSecret, secret)));
        credentials.push((CredentialKind::Session, keeper::document(&tokens.session())));
        NewConnection {
            customer: customer.unwrap_or_else(|| name.clone()),
            name,
            org,
            instance: tokens.instance_url,
            org_id: user.organization_id.clone(),
            user_id: user.user_id.clone(),
            username: user.preferred_username.clone(),
            api_version,
            flow,
            client_id: app.client_app().client_id.clone(),
            app: app.configured,
            scopes: tokens.scopes,
            audience: audience.map(|audience| audience.0.host().to_owned()),
            owner: request.owner,
            state,
            credentials,
            confirmed: request.confirmed,
            organization: None,
            handed_over: None,
        }
    }

    /// Saves; where a person has agreed to it, in the place of the org that the connection's sandbox was before its
    /// refresh. Returns what was removed of that.
    async fn save_in_its_place(
        &self,
        prepared: &Prepared,
        new: NewConnection,
    ) -> Result<(Connection, Vec<Removed>), Error> {
        let former = prepared.existing.as_ref().filter(|existing| {
            new.confirmed.refreshed && existing.org_id != new.org_id && existing.is_refreshed_at(&new.instance)
        });
        let Some(former) = former else { return Ok((self.save(new).await?, Vec::new())) };
        let mut handed_over = self.hand_over(former, &new.org_id, &prepared.request.actor).await?;
        let saved = self.save(NewConnection { handed_over: Some(handed_over.former.clone()), ..new }).await;
        let removed = std::mem::take(&mut handed_over.removed);
        self.let_go(handed_over).await;
        Ok((saved?, removed))
    }

    /// Saves under the lease of the sign-in, so that a renewal under way elsewhere does not overwrite it.
    async fn save(&self, new: NewConnection) -> Result<Connection, Error> {
        let lease = self.store.acquire_lease(&keeper::lease_name(&new.name), &self.holder, LEASE_TERM).await?;
        let saved = self.store.save_connection(&new).await;
        let noted = match &saved {
            Ok(SavedConnection::Differs(Difference::Refreshed { .. })) => {
                self.note_refreshed_under(&lease, &new.name, &new.org_id).await
            }
            _ => Ok(()),
        };
        self.store.release_lease(&lease).await?;
        noted?;
        let connection = new.name.clone();
        match saved? {
            SavedConnection::Saved(connection) => Ok(*connection),
            SavedConnection::Differs(Difference::Org { expected }) => {
                Err(Error::OtherOrg { connection, expected, found: new.org_id, has_data: false })
            }
            SavedConnection::Differs(Difference::OrgWithData { expected }) => {
                Err(Error::OtherOrg { connection, expected, found: new.org_id, has_data: true })
            }
            SavedConnection::Differs(Difference::Refreshed { .. }) => {
                Err(Error::sandbox_refreshed(&self.store.connection(&connection).await?, &new.org_id))
            }
            SavedConnection::Differs(Difference::User { expected }) => {
                Err(Error::OtherUser { connection, expected, found: new.username })
            }
        }
    }
}

/// The wanted version if the org has it, else the newest that both sides know.
fn choose_version(wanted: Option<ApiVersion>, offered: &[ApiVersion]) -> Option<ApiVersion> {
    match wanted {
        Some(wanted) => offered.contains(&wanted).then_some(wanted),
        None => offered.iter().copied().filter(|version| *version <= NEWEST_KNOWN).max(),
    }
}

fn no_version(org: &OrgUrl, wanted: Option<ApiVersion>, offered: &[ApiVersion]) -> Error {
    let wanted = wanted.map_or_else(|| format!("{NEWEST_KNOWN} or older"), |wanted| wanted.to_string());
    let offered = match (offered.first(), offered.last()) {
        (Some(oldest), Some(newest)) => format!("{oldest} to {newest}"),
        _ => "none".to_owned(),
    };
    Error::Version { org: org.host().to_owned(), wanted, offered }
}

/// What ends, and what a scope too many or too few means.
fn warnings(flow: Flow, scopes: &[String], version: ApiVersion) -> Vec<String> {
    let ending = flow.ending().map(|ending| {
        format!(
            "{ending}. Move to client credentials: an External Client App with \"Enable Client Credentials Flow\" and a \
             Run As user (`orgtide guide --flow client-credentials`), then connect again under the same name."
        )
    });
    let full = scopes.iter().any(|scope| scope == "full").then(|| {
        "The app grants full access (scope full): whoever gets hold of this connection may do all that the user may. \
         Reading needs \"Manage user data via APIs (api)\" alone; take Full access out of the app's scopes, then connect \
         again."
            .to_owned()
    });
    ending.into_iter().chain(full).chain(version.warning()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_both_sides_know_is_chosen_unless_a_person_says_otherwise() {
        let offered = [ApiVersion(60), ApiVersion(68), ApiVersion(70)];
        assert_eq!(choose_version(None, &offered), Some(ApiVersion(68)));
        assert_eq!(choose_version(Some(ApiVersion(70)), &offered), Some(ApiVersion(70)));
        assert_eq!(choose_version(Some(ApiVersion(61)), &offered), None);
        assert_eq!(choose_version(None, &[ApiVersion(99)]), None);
    }

    #[test]
    fn full_access_and_ways_that_end_are_warned_of_with_what_to_do() {
        let scopes = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let version = ApiVersion(68);
        assert!(warnings(Flow::ClientCredentials, &scopes("api"), version).is_empty());
        let full = warnings(Flow::RefreshToken, &scopes("full refresh_token"), version);
        assert!(full.len() == 1 && full[0].contains("take Full access out"), "{full:?}");
        let ending = warnings(Flow::Password, &[], version);
        assert!(ending.len() == 1 && ending[0].contains("Move to client credentials"), "{ending:?}");
    }
}
