//! What an org has: its objects and their fields, as the connection's user sees them.

use salesforce::describe::{ObjectDescribe, ObjectSummary};

use super::App;
use crate::error::Error;

impl App {
    /// Every object that the connection's user may see.
    pub async fn objects(&self, connection: &str) -> Result<Vec<ObjectSummary>, Error> {
        let stored = self.store.connection(connection).await?;
        let objects = self.client(&stored).describe_global().await;
        objects.map_err(|source| Error::api(connection, source))
    }

    /// One object with the fields that the connection's user may see.
    pub async fn describe(&self, connection: &str, object: &str) -> Result<ObjectDescribe, Error> {
        let stored = self.store.connection(connection).await?;
        let described = self.client(&stored).describe(object).await;
        described.map_err(|source| Error::api(connection, source))
    }
}
