//! Customers and their connections.

use salesforce::{
    ApiVersion, OrgUrl, Timestamp,
    oauth::Flow,
    org::{OrgKind, Organization},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{
    Store,
    credentials::{self, CredentialKind},
    database::{Change, Committed, DatabaseError, Row},
    error::StoreError,
    fresh_id,
    lease::Lease,
};
use crate::connection::state::ConnectionState;

/// An org that we hold a grant for.
#[derive(Debug, Clone)]
pub struct Connection {
    pub id: String,
    /// The customer's name.
    pub customer: String,
    pub name: String,
    /// Where the grant is redeemed.
    pub org: OrgUrl,
    /// The API base of the last answer of the token endpoint.
    pub instance: OrgUrl,
    /// 18 characters.
    pub org_id: String,
    pub user_id: String,
    pub username: String,
    pub api_version: ApiVersion,
    /// How it was connected.
    pub flow: Flow,
    /// The client app of the server configuration that it was made with; `None`: it has credentials of its own.
    pub app: Option<String>,
    /// Called Consumer Key in Setup; empty for SOAP `login()`. That of a configured app is not shown.
    pub client_id: String,
    /// What the last sign-in granted; empty where the answer names no scope.
    pub scopes: Vec<String>,
    /// The audience of assertions that the org accepts; JWT bearer only.
    pub audience: Option<String>,
    /// The person who signed in, where persons have accounts here.
    pub owner: Option<String>,
    pub state: ConnectionState,
    /// When a person last signed in.
    pub signed_in_at: Timestamp,
    /// When the grant was last redeemed.
    pub renewed_at: Timestamp,
    pub created_at: Timestamp,
    /// What the org said last of itself, where its user may read that.
    pub organization: Option<Organization>,
}

/// A sign-in that has been proved, to be saved.
#[derive(Debug)]
pub struct NewConnection {
    pub customer: String,
    pub name: String,
    pub org: OrgUrl,
    pub instance: OrgUrl,
    pub org_id: String,
    pub user_id: String,
    pub username: String,
    pub api_version: ApiVersion,
    pub flow: Flow,
    pub app: Option<String>,
    pub client_id: String,
    pub scopes: Vec<String>,
    pub audience: Option<String>,
    pub owner: Option<String>,
    pub state: ConnectionState,
    pub credentials: Vec<(CredentialKind, SecretString)>,
    pub confirmed: Confirmed,
    pub organization: Option<Organization>,
    /// The org of a sandbox before its refresh, whose rows are removed already; the sign-in may take its place.
    pub handed_over: Option<String>,
}

/// What a person has agreed to when a sign-in replaces that of an existing connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// It may be another user's.
    pub other_user: bool,
    /// It may lead to another org, as long as nothing of the former one was imported.
    pub other_org: bool,
    /// It may lead to what a refresh has made of its sandbox: the former org's rows are removed, and everything is
    /// imported anew.
    #[serde(default)]
    pub refreshed: bool,
}

/// What became of a connection that was to be saved.
#[derive(Debug)]
pub enum SavedConnection {
    Saved(Box<Connection>),
    /// The name belongs to a connection that this sign-in does not fit; nothing is changed.
    Differs(Difference),
}

/// In what a sign-in differs from the connection that it would replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The connection's org.
    Org { expected: String },
    /// The connection's org; rows of it are imported, so that a confirmation does not help.
    OrgWithData { expected: String },
    /// The connection's sandbox was refreshed, and nobody has said what becomes of the former org's rows.
    Refreshed { expected: String },
    /// The connection's user.
    User { expected: String },
}

impl Connection {
    /// What kind of org it is.
    pub fn org_kind(&self) -> OrgKind {
        OrgKind::of(&self.instance, self.organization.as_ref())
    }

    /// Whether an org that answers at `instance` with another id than the connection's is what a refresh has made of its
    /// sandbox: the host is the same, and it is a sandbox's.
    pub fn is_refreshed_at(&self, instance: &OrgUrl) -> bool {
        *instance == self.instance && self.org_kind().is_sandbox()
    }

    /// How `new` differs from this connection in a way that nobody has confirmed.
    pub(crate) fn difference(&self, new: &NewConnection, has_streams: bool) -> Option<Difference> {
        if self.org_id != new.org_id {
            let expected = self.org_id.clone();
            if new.handed_over.as_ref() == Some(&expected) {
                return None;
            }
            let is_agreed_to = new.confirmed.other_org && !has_streams;
            if self.is_refreshed_at(&new.instance) && !is_agreed_to {
                return Some(Difference::Refreshed { expected });
            }
            return match (new.confirmed.other_org, has_streams) {
                (true, false) => None,
                (true, true) => Some(Difference::OrgWithData { expected }),
                (false, _) => Some(Difference::Org { expected }),
            };
        }
        let is_other_user = self.user_id != new.user_id && !new.confirmed.other_user;
        is_other_user.then(|| Difference::User { expected: self.username.clone() })
    }
}

const BY_NAME: &str = "SELECT connections.id, customers.name, connections.name, org_host, instance_host, org_id, \
     user_id, username, api_version, grant_kind, app, client_id, scopes, audience, owner, state, signed_in_at, \
     renewed_at, connections.created_at, organization \
     FROM connections JOIN customers ON customers.id = connections.customer_id WHERE connections.name = $1";

const BY_ID: &str = "SELECT connections.id, customers.name, connections.name, org_host, instance_host, org_id, \
     user_id, username, api_version, grant_kind, app, client_id, scopes, audience, owner, state, signed_in_at, \
     renewed_at, connections.created_at, organization \
     FROM connections JOIN customers ON customers.id = connections.customer_id WHERE connections.id = $1";

const ALL: &str = "SELECT connections.id, customers.name, connections.name, org_host, instance_host, org_id, \
     user_id, username, api_version, grant_kind, app, client_id, scopes, audience, owner, state, signed_in_at, \
     renewed_at, connections.created_at, organization \
     FROM connections JOIN customers ON customers.id = connections.customer_id ORDER BY connections.name";

impl Store {
    /// Every connection, by name.
    pub async fn connections(&self) -> Result<Vec<Connection>, StoreError> {
        self.database.query(ALL, []).await?.into_iter().map(connection).collect()
    }

    /// The connection of that name, if there is one.
    pub async fn find_connection(&self, name: &str) -> Result<Option<Connection>, StoreError> {
        self.database.query_first(BY_NAME, [name.into()]).await?.map(connection).transpose()
    }

    /// The connection of that name.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] with the names there are.
    pub async fn connection(&self, name: &str) -> Result<Connection, StoreError> {
        if let Some(connection) = self.find_connection(name).await? {
            return Ok(connection);
        }
        let known = self.connections().await?.into_iter().map(|connection| connection.name).collect();
        Err(StoreError::Unknown { kind: "connection", name: name.to_owned(), known })
    }

    /// The connection that something of the store belongs to.
    pub async fn connection_of_id(&self, id: &str) -> Result<Connection, StoreError> {
        let row = self.database.query_first(BY_ID, [id.into()]).await?;
        row.map(connection).transpose()?.ok_or_else(|| StoreError::corrupt(format!("the connection {id} is missing")))
    }

    /// Saves a sign-in with its credentials: a new connection, or the same one again. All of it or nothing.
    pub async fn save_connection(&self, new: &NewConnection) -> Result<SavedConnection, StoreError> {
        // Twice: between the look and the commit another process may create the name.
        for _ in 0..2 {
            let existing = self.find_connection(&new.name).await?;
            if let Some(existing) = &existing {
                let has_streams = !self.streams(&existing.id).await?.is_empty();
                if let Some(difference) = existing.difference(new, has_streams) {
                    return Ok(SavedConnection::Differs(difference));
                }
            }
            let (id, org_id) = existing.map_or_else(|| (fresh_id("con"), String::new()), |it| (it.id, it.org_id));
            let changes = self.changes_to_save(&id, &org_id, new)?;
            match self.database.commit(changes).await {
                Ok(Committed::Done(_)) => {
                    return self.connection(&new.name).await.map(|saved| SavedConnection::Saved(Box::new(saved)));
                }
                Ok(Committed::Undone) | Err(DatabaseError::Taken) => {}
                Err(error) => return Err(error.unexpected()),
            }
        }
        Err(StoreError::NameTaken { kind: "connection", name: new.name.clone() })
    }

    /// `org_id` is that of the connection as it stands, if there is one: it is replaced as it was read or not at all.
    fn changes_to_save(&self, id: &str, org_id: &str, new: &NewConnection) -> Result<Vec<Change>, StoreError> {
        const CUSTOMER: &str =
            "INSERT INTO customers (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING";
        const CONNECTION: &str = "INSERT INTO connections (id, customer_id, name, org_host, instance_host, org_id, \
             user_id, username, api_version, grant_kind, client_id, state, created_at, updated_at, app, scopes, \
             audience, owner, signed_in_at, renewed_at, organization) \
             VALUES ($1, (SELECT id FROM customers WHERE name = $2), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
             $13, $14, $15, $16, $17, $13, $13, $19) \
             ON CONFLICT (name) DO UPDATE SET customer_id = excluded.customer_id, org_host = excluded.org_host, \
             instance_host = excluded.instance_host, org_id = excluded.org_id, user_id = excluded.user_id, \
             username = excluded.username, api_version = excluded.api_version, grant_kind = excluded.grant_kind, \
             client_id = excluded.client_id, state = excluded.state, updated_at = excluded.updated_at, \
             app = excluded.app, scopes = excluded.scopes, audience = excluded.audience, owner = excluded.owner, \
             signed_in_at = excluded.signed_in_at, renewed_at = excluded.renewed_at, organization = excluded.organization \
             WHERE connections.id = excluded.id AND connections.org_id = $18";
        const FORGET_CREDENTIALS: &str = "DELETE FROM credentials WHERE connection_id = $1";
        const FORGET_REDEMPTION: &str = "DELETE FROM redemptions WHERE connection_id = $1";
        let now = self.clock.now();
        let connection = vec![
            id.into(),
            (&new.customer).into(),
            (&new.name).into(),
            new.org.host().into(),
            new.instance.host().into(),
            (&new.org_id).into(),
            (&new.user_id).into(),
            (&new.username).into(),
            i64::from(new.api_version.0).into(),
            new.flow.name().into(),
            (&new.client_id).into(),
            document(&new.state).into(),
            now.into(),
            new.app.as_deref().into(),
            new.scopes.join(" ").into(),
            new.audience.as_deref().into(),
            new.owner.as_deref().into(),
            org_id.into(),
            new.organization.as_ref().map(organization_document).into(),
        ];
        let mut changes = vec![
            Change::new(CUSTOMER, [fresh_id("cus").into(), (&new.customer).into(), now.into()]),
            Change::exactly_one(CONNECTION, connection),
            Change::new(FORGET_CREDENTIALS, [id.into()]),
            Change::new(FORGET_REDEMPTION, [id.into()]),
        ];
        changes.extend(self.approval(new));
        for (kind, secret) in &new.credentials {
            changes.push(credentials::save(&self.vault, id, *kind, secret, now)?);
        }
        Ok(changes)
    }

    /// Keeps what an org says of itself.
    pub async fn save_organization(&self, connection: &str, organization: &Organization) -> Result<(), StoreError> {
        const SAVE: &str = "UPDATE connections SET organization = $2 WHERE id = $1";
        let save = Change::new(SAVE, [connection.into(), organization_document(organization).into()]);
        self.database.commit_one(save).await.map_err(DatabaseError::unexpected)?;
        Ok(())
    }

    /// Commits changes of which one demands that `lease` is still held.
    pub(super) async fn commit_under(&self, lease: &Lease, changes: Vec<Change>) -> Result<(), StoreError> {
        match self.database.commit(changes).await.map_err(DatabaseError::unexpected)? {
            Committed::Done(_) => Ok(()),
            Committed::Undone => Err(StoreError::Fenced { name: lease.name.clone(), epoch: lease.epoch }),
        }
    }
}

fn connection(mut row: Row) -> Result<Connection, StoreError> {
    Ok(Connection {
        id: row.text()?,
        customer: row.text()?,
        name: row.text()?,
        org: host(row.text()?)?,
        instance: host(row.text()?)?,
        org_id: row.text()?,
        user_id: row.text()?,
        username: row.text()?,
        api_version: ApiVersion(
            u16::try_from(row.integer()?).map_err(|_| StoreError::corrupt("an API version is out of range"))?,
        ),
        flow: flow(&row.text()?)?,
        app: row.optional_text()?,
        client_id: row.text()?,
        scopes: row.text()?.split_whitespace().map(str::to_owned).collect(),
        audience: row.optional_text()?,
        owner: row.optional_text()?,
        state: row.document()?,
        signed_in_at: row.moment()?,
        renewed_at: row.moment()?,
        created_at: row.moment()?,
        organization: row.optional_document()?,
    })
}

pub(super) fn flow(name: &str) -> Result<Flow, StoreError> {
    name.parse().map_err(|error| StoreError::corrupt(format!("{error}")))
}

/// A host that was admitted when it was saved.
fn host(host: String) -> Result<OrgUrl, StoreError> {
    serde_json::from_value(serde_json::Value::String(host))
        .map_err(|error| StoreError::corrupt(format!("a host cannot be read: {error}")))
}

fn organization_document(organization: &Organization) -> String {
    serde_json::to_string(organization).expect("what an org says of itself is plain data")
}

fn document(state: &ConnectionState) -> String {
    serde_json::to_string(state).expect("a state is plain data")
}
