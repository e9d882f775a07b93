//! Each stream's epoch and checkpoint, in the schema that holds its rows.

use futures_util::future::try_join;
use sync::{
    checkpoint::{Checkpoint, Epoch},
    destination::DestinationError,
    table::StreamKey,
};
use tokio_postgres::{
    GenericClient, Transaction,
    types::{ToSql, Type},
};

use super::{fault::Fault, name::quoted, schema::Target};
use crate::{lost::Lost, not_ours, other_writer};

pub(super) const CHECKPOINTS: &str = "_orgtide_checkpoints";

/// What tells streams apart. A stream without a name has the empty one.
const KEY: &str = "connection, object, \"table\", stream";

/// The table's name, as SQL spells it.
fn place(target: &Target) -> String {
    format!("{}.{CHECKPOINTS}", quoted(&target.schema))
}

pub(super) fn create(target: &Target) -> String {
    format!(
        "CREATE TABLE {} (
            connection text COLLATE \"C\" NOT NULL,
            object text COLLATE \"C\" NOT NULL,
            \"table\" text COLLATE \"C\" NOT NULL,
            stream text COLLATE \"C\" NOT NULL DEFAULT '',
            org text NOT NULL,
            installation text NOT NULL DEFAULT '',
            epoch bigint NOT NULL,
            checkpoint text,
            PRIMARY KEY ({KEY})
        )",
        place(target)
    )
}

/// The values of [`KEY`].
struct Key<'a>([&'a str; 4]);

impl<'a> Key<'a> {
    fn of(stream: &'a StreamKey, target: &'a Target) -> Self {
        Self([&stream.connection, &stream.object, &target.table, stream.stream.as_deref().unwrap_or_default()])
    }

    fn with<'b>(&'b self, more: &[&'b (dyn ToSql + Sync)]) -> Vec<&'b (dyn ToSql + Sync)> {
        self.0.iter().map(|part| part as &(dyn ToSql + Sync)).chain(more.iter().copied()).collect()
    }

    /// For a statement that is asked once: with its types it takes one round trip.
    fn typed<'b>(&'b self, more: &[(&'b (dyn ToSql + Sync), Type)]) -> Vec<(&'b (dyn ToSql + Sync), Type)> {
        let parts = self.0.iter().map(|part| (part as &(dyn ToSql + Sync), Type::TEXT));
        parts.chain(more.iter().cloned()).collect()
    }
}

/// Records the epoch and gives the stored checkpoint, unless a newer epoch holds the stream.
pub(super) async fn claim(
    transaction: &Transaction<'_>,
    target: &Target,
    stream: &StreamKey,
    epoch: Epoch,
) -> Result<Option<Checkpoint>, Fault> {
    let claim = format!(
        "INSERT INTO {} AS held ({KEY}, epoch, org, installation) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT ({KEY}) DO UPDATE SET epoch = excluded.epoch,
            org = CASE WHEN held.org = '' THEN excluded.org ELSE held.org END
         WHERE held.epoch <= excluded.epoch
         RETURNING checkpoint",
        place(target)
    );
    let key = Key::of(stream, target);
    let parameters =
        key.typed(&[(&epoch.0, Type::INT8), (&stream.org, Type::TEXT), (&stream.installation, Type::TEXT)]);
    let claimed = async { Ok(transaction.query_typed_opt(&claim, &parameters).await?) };
    // What is claimed of another writer's is undone with the transaction.
    let ((), claimed) = try_join(refuse_other_writer(transaction, target, stream), claimed).await?;
    let Some(row) = claimed else {
        return Err(fenced(transaction, target, &key, epoch).await);
    };
    let text: Option<String> = row.try_get(0)?;
    text.map(|text| serde_json::from_str(&text)).transpose().map_err(|error| {
        let reason = format!(
            "the checkpoint of {} for connection {} is not one this version can read ({error}); run the version that \
             wrote it, or delete its row from {} to import everything again",
            stream.object,
            stream.connection,
            place(target)
        );
        DestinationError::Unusable { place: target.place.clone(), reason }.into()
    })
}

/// Records the epoch and the checkpoint, unless a newer epoch holds the stream.
pub(super) async fn save(
    transaction: &Transaction<'_>,
    target: &Target,
    stream: &StreamKey,
    epoch: Epoch,
    checkpoint: &str,
) -> Result<(), Fault> {
    let save = format!(
        "INSERT INTO {} AS held ({KEY}, epoch, checkpoint, org, installation) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT ({KEY}) DO UPDATE SET epoch = excluded.epoch, checkpoint = excluded.checkpoint
         WHERE held.epoch <= excluded.epoch",
        place(target)
    );
    let key = Key::of(stream, target);
    let parameters = key.typed(&[
        (&epoch.0, Type::INT8),
        (&checkpoint, Type::TEXT),
        (&stream.org, Type::TEXT),
        (&stream.installation, Type::TEXT),
    ]);
    if transaction.execute_typed(&save, &parameters).await? == 0 {
        return Err(fenced(transaction, target, &key, epoch).await);
    }
    Ok(())
}

/// Rows of two orgs, or of two installations, under one connection's name would take each other's place.
async fn refuse_other_writer(transaction: &Transaction<'_>, target: &Target, stream: &StreamKey) -> Result<(), Fault> {
    match other_writer_of(transaction, target, stream).await? {
        Some((org, installation)) => Err(target.incompatible(other_writer(stream, &org, &installation)).into()),
        None => Ok(()),
    }
}

/// What another org has written, or another installation, is not removed.
pub(super) async fn refuse_what_is_not_ours(
    client: &impl GenericClient,
    target: &Target,
    stream: &StreamKey,
) -> Result<(), Fault> {
    match other_writer_of(client, target, stream).await? {
        Some((org, installation)) => Err(target.not_ours(not_ours(stream, &org, &installation)).into()),
        None => Ok(()),
    }
}

/// The org and the installation that write the table under the connection's name, unless these are the stream's.
async fn other_writer_of(
    client: &impl GenericClient,
    target: &Target,
    stream: &StreamKey,
) -> Result<Option<(String, String)>, tokio_postgres::Error> {
    let query = format!(
        "SELECT org, installation FROM {} WHERE connection = $1 AND \"table\" = $2 \
         AND (org NOT IN ('', $3) OR installation NOT IN ('', $4)) LIMIT 1",
        place(target)
    );
    let ours: [&(dyn ToSql + Sync); 4] = [&stream.connection, &target.table, &stream.org, &stream.installation];
    let row = client.query_typed_opt(&query, &ours.map(|part| (part, Type::TEXT))).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// Why an epoch was not recorded.
async fn fenced(transaction: &Transaction<'_>, target: &Target, key: &Key<'_>, ours: Epoch) -> Fault {
    let query = format!("SELECT epoch FROM {} WHERE ({KEY}) = ($1, $2, $3, $4)", place(target));
    let current = transaction.query_one(&query, &key.with(&[])).await.and_then(|row| row.try_get(0));
    match current {
        Ok(current) => DestinationError::Fenced { place: target.place.clone(), ours: ours.0, current }.into(),
        Err(error) => error.into(),
    }
}

/// Somebody has dropped the table: what its checkpoints say was written is gone.
pub(super) async fn forget(transaction: &Transaction<'_>, target: &Target) -> Result<(), Fault> {
    let forget = format!("UPDATE {} SET checkpoint = NULL WHERE \"table\" = $1", place(target));
    transaction.execute(&forget, &[&target.table]).await?;
    Ok(())
}

/// Somebody has altered the table: each of its streams learns what it has to read again. A checkpoint that this version
/// cannot read stays as it is, for the version that can.
pub(super) async fn revise(transaction: &Transaction<'_>, target: &Target, lost: &Lost) -> Result<(), Fault> {
    if lost.is_nothing() {
        return Ok(());
    }
    let place = place(target);
    let query =
        format!("SELECT {KEY}, checkpoint FROM {place} WHERE \"table\" = $1 AND checkpoint IS NOT NULL FOR UPDATE");
    for row in transaction.query(&query, &[&target.table]).await? {
        let mut key = [""; 4];
        for (index, part) in key.iter_mut().enumerate() {
            *part = row.try_get(index)?;
        }
        let Ok(checkpoint) = serde_json::from_str::<Checkpoint>(row.try_get(4)?) else { continue };
        let Some(revised) = lost.revise(&checkpoint, !key[3].is_empty()) else { continue };
        let text = serde_json::to_string(&revised).expect("a checkpoint is plain data");
        let save = format!("UPDATE {place} SET checkpoint = $5 WHERE ({KEY}) = ($1, $2, $3, $4)");
        transaction.execute(&save, &Key(key).with(&[&text])).await?;
    }
    Ok(())
}

/// Removes a stream's checkpoint, and leaves its epoch to whichever org comes next under the connection's name.
pub(super) async fn hand_over(
    transaction: &Transaction<'_>,
    target: &Target,
    stream: &StreamKey,
    epoch: Epoch,
) -> Result<(), Fault> {
    claim(transaction, target, stream, epoch).await?;
    let leave = format!("UPDATE {} SET org = '', checkpoint = NULL WHERE ({KEY}) = ($1, $2, $3, $4)", place(target));
    transaction.execute(&leave, &Key::of(stream, target).with(&[])).await?;
    Ok(())
}

/// Removes a stream's epoch and checkpoint.
pub(super) async fn remove(transaction: &Transaction<'_>, target: &Target, stream: &StreamKey) -> Result<(), Fault> {
    let remove = format!("DELETE FROM {} WHERE ({KEY}) = ($1, $2, $3, $4)", place(target));
    transaction.execute(&remove, &Key::of(stream, target).with(&[])).await?;
    Ok(())
}
