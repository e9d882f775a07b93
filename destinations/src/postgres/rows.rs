//! Counting a stream's rows, and removing them for good; and the columns of any table.

use sync::{checkpoint::Epoch, destination::DestinationError, table::StreamKey};
use tokio_postgres::{GenericClient, types::ToSql};

use super::{
    PostgresSettings,
    checkpoints::{self, CHECKPOINTS},
    fault::Fault,
    matcher,
    schema::{CONNECTION, DELETED, STREAM, Target},
    session::Session,
};
use crate::{DeclaredColumn, RowCounts};

pub(crate) async fn count(settings: &PostgresSettings, stream: &StreamKey) -> Result<RowCounts, DestinationError> {
    let target = settings.target(stream);
    let session = Session::open(settings).await?;
    let counted = async {
        let client = session.client();
        let has_flag = has_column(client, &target, DELETED).await?;
        let deleted = if has_flag { format!("count(*) FILTER (WHERE {DELETED})") } else { "0::bigint".to_owned() };
        let (own, parameters) = own_rows(client, &target, stream).await?;
        let query = format!("SELECT count(*), {deleted} FROM {} WHERE {own}", target.quoted());
        client.batch_execute("SET enable_seqscan = on").await?;
        let row = client.query_one(&query, &parameters).await?;
        Ok((row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?))
    }
    .await;
    session.close().await;
    let (all, deleted) = counted.map_err(|fault: Fault| fault.resolve(&target))?;
    Ok(RowCounts { present: (all - deleted).unsigned_abs(), deleted: deleted.unsigned_abs() })
}

/// The columns of the table that is named, which has no prefix: it may be anybody's.
pub(crate) async fn columns(
    settings: &PostgresSettings,
    stream: &StreamKey,
) -> Result<Vec<DeclaredColumn>, DestinationError> {
    let target = Target { table: stream.table.clone(), ..settings.target(stream) };
    let query = "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute \
                 JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace \
                 WHERE nspname = $1 AND relname = $2 AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let session = Session::open(settings).await?;
    let looked = async {
        let rows = session.client().query(query, &[&target.schema, &target.table]).await?;
        let column =
            |row: &tokio_postgres::Row| Ok(DeclaredColumn { name: row.try_get(0)?, declared: row.try_get(1)? });
        Ok(rows.iter().map(column).collect::<Result<Vec<_>, tokio_postgres::Error>>()?)
    }
    .await;
    session.close().await;
    looked.map_err(|fault: Fault| fault.resolve(&target))
}

/// Looks whether the rows are the stream's own to remove.
pub(crate) async fn may_remove(settings: &PostgresSettings, stream: &StreamKey) -> Result<(), DestinationError> {
    let target = settings.target(stream);
    let session = Session::open(settings).await?;
    let looked = async {
        match has_table(session.client(), &target.schema, CHECKPOINTS).await? {
            true => checkpoints::refuse_what_is_not_ours(session.client(), &target, stream).await,
            false => Ok(()),
        }
    }
    .await;
    session.close().await;
    looked.map_err(|fault: Fault| fault.resolve(&target))
}

/// Removes the rows, their links and the checkpoint together, and the table when no other stream has rows in it.
pub(crate) async fn remove(settings: &PostgresSettings, stream: &StreamKey) -> Result<u64, DestinationError> {
    let target = settings.target(stream);
    let mut session = Session::open(settings).await?;
    let removed = remove_rows(&mut session, &target, stream, None).await;
    session.close().await;
    removed.map_err(|fault| fault.resolve(&target))
}

/// The same, and leaves the place to another org's rows, of this epoch or a later one.
pub(crate) async fn hand_over(
    settings: &PostgresSettings,
    stream: &StreamKey,
    epoch: Epoch,
) -> Result<u64, DestinationError> {
    let target = settings.target(stream);
    let mut session = Session::open(settings).await?;
    let removed = remove_rows(&mut session, &target, stream, Some(epoch)).await;
    session.close().await;
    removed.map_err(|fault| fault.resolve(&target))
}

async fn remove_rows(
    session: &mut Session,
    target: &Target,
    stream: &StreamKey,
    successor: Option<Epoch>,
) -> Result<u64, Fault> {
    let work = session.transaction().await?;
    let transaction = &work.transaction;
    if has_table(transaction, &target.schema, CHECKPOINTS).await? {
        checkpoints::refuse_what_is_not_ours(transaction, target, stream).await?;
        match successor {
            None => checkpoints::remove(transaction, target, stream).await?,
            Some(epoch) => checkpoints::hand_over(transaction, target, stream, epoch).await?,
        }
        matcher::remove(transaction, target, stream).await?;
    }
    let mut rows = 0;
    if has_table(transaction, &target.schema, &target.table).await? {
        let (own, parameters) = own_rows(transaction, target, stream).await?;
        rows = transaction.execute(&format!("DELETE FROM {} WHERE {own}", target.quoted()), &parameters).await?;
        let is_used = format!("SELECT EXISTS (SELECT FROM {})", target.quoted());
        if !transaction.query_one(&is_used, &[]).await?.try_get::<_, bool>(0)? {
            transaction.batch_execute(&format!("DROP TABLE {}", target.quoted())).await?;
        }
    }
    work.commit().await?;
    Ok(rows)
}

async fn has_table(client: &impl GenericClient, schema: &str, table: &str) -> Result<bool, tokio_postgres::Error> {
    let query = "SELECT EXISTS (SELECT FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace \
                 WHERE nspname = $1 AND relname = $2 AND relkind IN ('r', 'p'))";
    client.query_one(query, &[&schema, &table]).await?.try_get(0)
}

pub(super) async fn has_column(
    client: &impl GenericClient,
    target: &Target,
    column: &str,
) -> Result<bool, tokio_postgres::Error> {
    let query = "SELECT EXISTS (SELECT FROM pg_attribute JOIN pg_class c ON c.oid = attrelid \
                 JOIN pg_namespace n ON n.oid = relnamespace \
                 WHERE nspname = $1 AND relname = $2 AND attname = $3 AND NOT attisdropped)";
    client.query_one(query, &[&target.schema, &target.table, &column]).await?.try_get(0)
}

/// The condition for a stream's own rows, and its parameters.
async fn own_rows<'a>(
    client: &impl GenericClient,
    target: &Target,
    stream: &'a StreamKey,
) -> Result<(String, [&'a (dyn ToSql + Sync); 2]), tokio_postgres::Error> {
    let named = if has_column(client, target, STREAM).await? { STREAM } else { "NULL" };
    let own = format!("{CONNECTION} = $1 AND {named} IS NOT DISTINCT FROM $2::text");
    Ok((own, [&stream.connection, &stream.stream]))
}
