//! Staged import: the target is built, the first records are tried, all are read and judged, and only then is anything
//! imported.

use std::sync::Arc;

use destinations::DestinationSettings;
use salesforce::{Client, Timestamp};
use serde::Serialize;
use serde_json::Value;
use sync::{
    checkpoint::Epoch,
    mapping::{CompiledMapping, RowProblem},
    run::{self, Report},
    table::{ColumnType, DeleteMode, StreamKey, TableSchema},
};
use tokio::sync::watch;

use self::{
    progress::StageProgress,
    target::{Shown, StageTarget},
};
use super::{
    App,
    import::{
        ImportRequest, RunEvent, StreamOutcome, Watcher,
        calls::Calls,
        chosen,
        execute::{Errand, OpenRun, Order, ending_of, failed},
        heartbeat::LEASE_TERM,
        mirror::{Mirror, stored},
    },
    rejected::{RejectedRecord, read},
};
use crate::{
    error::Error,
    store::{
        connections::Connection,
        runs::{Ending, Purpose},
        staged::{Stage, StageCounts, Staged, StagedContent, StagedState, Which},
        streams::Stream,
    },
};

pub mod again;
mod progress;
mod target;

/// A test reads so many records.
pub const TESTED: u64 = 10;
/// So many staged records are opened at a time.
const PAGE: u32 = 500;

/// A table as it is in the destination now, by the names that it has there.
#[derive(Debug, Serialize)]
pub struct Built {
    pub object: String,
    pub table: String,
    pub destination: String,
    /// The column that tells the rows of a connection apart.
    pub key: String,
    /// The column that says which of two versions is newer.
    pub version: Option<String>,
    pub deletes: DeleteMode,
    pub columns: Vec<BuiltColumn>,
}

#[derive(Debug, Serialize)]
pub struct BuiltColumn {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Paths of the fields that it is made of; none: it is the same in every row.
    pub fields: Vec<String>,
}

/// What came of a test.
#[derive(Debug, Serialize)]
pub struct Tested {
    pub object: String,
    pub table: String,
    pub destination: String,
    pub run: String,
    /// The rows that were written, by column. Personal data.
    pub rows: Vec<Value>,
    pub rejected: Vec<RejectedRecord>,
}

/// A stream's stage, for people and programs.
#[derive(Debug, Serialize)]
pub struct StageStatus {
    /// Nothing of the stream is imported yet, and no sync runs it.
    pub is_draft: bool,
    /// Everything has been read and judged.
    pub is_complete: bool,
    pub staged_at: Timestamp,
    #[serde(flatten)]
    pub counts: StageCounts,
}

impl StageStatus {
    pub(crate) fn of(stage: &Stage) -> Self {
        let complete = |at: &sync::checkpoint::Checkpoint| at.at == sync::checkpoint::Position::Complete;
        Self {
            is_draft: stage.is_draft,
            is_complete: stage.checkpoint.as_ref().is_some_and(complete),
            staged_at: stage.staged_at,
            counts: stage.counts,
        }
    }
}

/// A stage with its records.
#[derive(Debug, Serialize)]
pub struct StageView {
    pub connection: String,
    pub object: String,
    pub table: String,
    #[serde(flatten)]
    pub status: StageStatus,
    pub records: Vec<StagedRecord>,
}

/// A record that has been read and judged. Personal data.
#[derive(Debug, Clone, Serialize)]
pub struct StagedRecord {
    pub record_id: String,
    pub state: StagedState,
    pub selected: bool,
    /// Why it cannot be imported.
    pub problems: Vec<RowProblem>,
    /// The row as it would be written, or what was read; `None`: it was written, or has expired.
    pub fields: Option<Value>,
    pub staged_at: Timestamp,
}

impl StagedRecord {
    fn of(staged: Staged) -> Self {
        let (problems, fields) = match staged.content {
            Some(StagedContent::Row(row)) => (Vec::new(), Some(read(&row))),
            Some(StagedContent::Rejected { problems, record }) => (problems, Some(read(&record))),
            None => (Vec::new(), None),
        };
        Self {
            record_id: staged.record_id,
            state: staged.state,
            selected: staged.is_selected,
            problems,
            fields,
            staged_at: staged.staged_at,
        }
    }

    fn is_because_of(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let names = |part: &String| part.to_lowercase().contains(&text);
        self.problems.iter().any(|problem| names(&problem.column) || names(&problem.message))
    }
}

/// What is to be staged.
#[derive(Debug)]
pub struct StageRequest {
    pub import: ImportRequest,
    /// The request says how. Otherwise streams of these objects that are remembered stay as they are.
    pub says_how: bool,
}

impl App {
    /// Creates the tables, or brings them up to date, and shows them. Reads no record.
    ///
    /// # Errors
    /// A mapping that does not fit, a destination that refuses the table, or a run that is under way.
    pub async fn build(&self, request: &StageRequest) -> Result<Vec<Built>, Error> {
        let (connection, calls, streams) = self.staging(request).await?;
        let mut built = Vec::new();
        for (stream, mapping) in streams {
            let mapping = self.mapping_of(&connection, &calls.client, &stream, mapping).await?;
            let settings = self.settings(&stream.destination)?;
            let lease = self.store.acquire_lease(&stream.lease_name(), &self.holder, LEASE_TERM).await?;
            let begun = self.store.begin_stage(&stream, &lease).await;
            let key = stream.key(&connection, &self.store);
            let prepared = prepare(&key, &settings, &mapping.table, Epoch(lease.epoch)).await;
            // A lease that cannot be given back lapses.
            let _ = self.store.release_lease(&lease).await;
            begun?;
            prepared?;
            built.push(shape(&stream, &mapping, &settings, &key));
        }
        Ok(built)
    }

    /// Reads the first records, writes those that become rows, and shows both kinds.
    ///
    /// # Errors
    /// As a run's; and for a stream that is imported already, whose table a test would change.
    pub async fn test(
        &self,
        request: &StageRequest,
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Vec<Tested>, Error> {
        let (connection, calls, streams) = self.staging(request).await?;
        let errand =
            Errand { connection: &connection, calls: &calls, purpose: Purpose::Test, watcher, stop, give_way: None };
        let mut tested = Vec::new();
        for (stream, _) in streams {
            tested.push(self.test_one(&errand, stream).await?);
        }
        Ok(tested)
    }

    async fn test_one(&self, errand: &Errand<'_>, stream: Stream) -> Result<Tested, Error> {
        let connection = errand.connection;
        let is_draft = self.store.stage(&stream.id).await?.is_some_and(|stage| stage.is_draft);
        if !is_draft && stream.checkpoint.is_some() {
            return Err(Error::Imported { connection: connection.name.clone(), object: stream.object });
        }
        let mut mapping = stream.mapping.clone();
        mapping.limit = Some(mapping.limit.map_or(TESTED, |limit| limit.min(TESTED)));
        let mapping = Arc::new(self.compiled_by(connection, &errand.calls.client, &mapping).await?);
        let open = self.open_run(errand.connection, &stream, errand.purpose).await?;
        let outcome = self.test_open(errand, &stream, mapping, &open).await;
        let run = open.record.id.clone();
        let (rows, ending) = match outcome {
            Ok((rows, ending)) => (Ok(rows), ending),
            Err(error) => {
                let ending = failed(&error);
                (Err(error), ending)
            }
        };
        let closed = self.close_run(open, errand.calls, ending, &[], false).await;
        let rows = rows?;
        closed?;
        let rejected = self.rejected_records(&stream, None, usize::MAX).await?;
        Ok(Tested {
            rejected: rejected.into_iter().filter(|record| record.run == run).collect(),
            object: stream.object,
            table: stream.table,
            destination: stream.destination,
            run,
            rows,
        })
    }

    async fn test_open(
        &self,
        errand: &Errand<'_>,
        stream: &Stream,
        mapping: Arc<CompiledMapping>,
        open: &OpenRun,
    ) -> Result<(Vec<Value>, Ending), Error> {
        let Errand { connection, calls, purpose, watcher, stop, .. } = *errand;
        self.store.begin_stage(stream, &open.lease).await?;
        let progress = Arc::new(Mirror::open(self, stream, open, watcher, &calls.client).await?);
        let settings = self.settings(&stream.destination)?;
        let mut target = Shown::new(destinations::open(&settings).map_err(Error::destination)?);
        let result = run::run(run::Run {
            client: calls.client.clone(),
            calls_before: calls.before(),
            mapping,
            stream: stream.key(connection, &self.store),
            destination: &mut target,
            progress: Arc::clone(&progress) as Arc<dyn run::Progress>,
            epoch: Epoch(open.lease.epoch),
            options: self.run_options(stream, purpose),
            stop: stop.clone(),
            give_way: None,
        })
        .await;
        let result = result.map_err(|source| Error::Run { object: stream.object.clone(), source: Box::new(source) });
        let rows = target.close().await.map_err(Error::destination)?;
        let report = result?;
        Ok((rows, ending_of(&report)))
    }

    /// Reads and judges everything, and writes nothing. Goes on where it was interrupted; begins anew when it is whole, or
    /// the mapping has changed.
    ///
    /// # Errors
    /// A mapping that does not fit, or a stream that is under way elsewhere. What happens to one stream later stands in
    /// its outcome.
    pub async fn stage(
        &self,
        request: &StageRequest,
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<Vec<StreamOutcome>, Error> {
        let (connection, calls, streams) = self.staging(request).await?;
        let errand =
            Errand { connection: &connection, calls: &calls, purpose: Purpose::Stage, watcher, stop, give_way: None };
        let mut outcomes = Vec::new();
        for (stream, mapping) in streams {
            let started_at = self.clock.now();
            let result = self.stage_one(&errand, stream.clone(), mapping).await;
            let outcome = StreamOutcome { stream, result, started_at, ended_at: self.clock.now() };
            watcher.event(RunEvent::Ended { outcome: &outcome });
            outcomes.push(outcome);
            if *stop.borrow() {
                break;
            }
        }
        Ok(outcomes)
    }

    async fn stage_one(
        &self,
        errand: &Errand<'_>,
        stream: Stream,
        mapping: Option<CompiledMapping>,
    ) -> Result<Report, Error> {
        let Errand { connection, calls, watcher, .. } = *errand;
        let mapping = self.mapping_of(connection, &calls.client, &stream, mapping).await?;
        if !mapping.is_keyed_by_record() {
            return Err(Error::NotStageable { connection: connection.name.clone(), object: stream.object });
        }
        let open = self.open_run(errand.connection, &stream, errand.purpose).await?;
        watcher.event(RunEvent::Started { stream: &stream });
        let progress = Arc::new(StageProgress::new(self, &stream, &open.lease, watcher));
        let result = self.stage_open(errand, &stream, mapping, &open, &progress).await;
        let ending = match &result {
            Ok(report) => ending_of(report),
            Err(error) => Ending { counts: stored(progress.counts()), ..failed(error) },
        };
        let closed = self.close_run(open, calls, ending, &[], false).await;
        let report = result?;
        closed?;
        Ok(report)
    }

    async fn stage_open(
        &self,
        errand: &Errand<'_>,
        stream: &Stream,
        mapping: Arc<CompiledMapping>,
        open: &OpenRun,
        progress: &Arc<StageProgress>,
    ) -> Result<Report, Error> {
        let Errand { connection, calls, purpose, stop, .. } = *errand;
        self.store.begin_stage(stream, &open.lease).await?;
        let mut target = StageTarget::whole(&self.store, stream, &open.lease);
        let result = run::run(run::Run {
            client: calls.client.clone(),
            calls_before: calls.before(),
            mapping,
            stream: stream.key(connection, &self.store),
            destination: &mut target,
            progress: Arc::clone(progress) as Arc<dyn run::Progress>,
            epoch: Epoch(open.lease.epoch),
            options: self.run_options(stream, purpose),
            stop: stop.clone(),
            give_way: None,
        })
        .await;
        result.map_err(|source| Error::Run { object: stream.object.clone(), source: Box::new(source) })
    }

    /// What a stream's stage holds, and its records: at most `at_most` of those whose reasons name `reason`.
    ///
    /// # Errors
    /// There is no such stream, or it is not staged.
    pub async fn staged(
        &self,
        connection: &str,
        object: &str,
        which: &Which,
        reason: Option<&str>,
        at_most: usize,
    ) -> Result<StageView, Error> {
        let (connection, stream, stage) = self.staged_stream(connection, object).await?;
        let mut records: Vec<StagedRecord> = Vec::new();
        let mut after = String::new();
        while records.len() < at_most {
            let page = self.store.staged(&stream.id, which, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.record_id);
            let page = page.into_iter().map(StagedRecord::of);
            records.extend(page.filter(|record| reason.is_none_or(|reason| record.is_because_of(reason))));
        }
        records.truncate(at_most);
        Ok(StageView {
            connection: connection.name,
            object: stream.object,
            table: stream.table,
            status: StageStatus::of(&stage),
            records,
        })
    }

    /// One staged record.
    ///
    /// # Errors
    /// It is not among the staged ones.
    pub async fn staged_record(&self, connection: &str, object: &str, id: &str) -> Result<StagedRecord, Error> {
        let (_, stream, _) = self.staged_stream(connection, object).await?;
        let staged = self.store.staged_record(&stream.id, id).await?;
        let unknown = || Error::NotAmongStaged { object: stream.object.clone(), record: id.to_owned() };
        staged.map(StagedRecord::of).ok_or_else(unknown)
    }

    /// Selects staged records for writing, or takes them out of the selection; returns how many that changed.
    pub async fn select_staged(
        &self,
        connection: &str,
        object: &str,
        ids: &[String],
        selected: bool,
    ) -> Result<u64, Error> {
        let (_, stream, _) = self.staged_stream(connection, object).await?;
        Ok(self.store.select_staged(&stream.id, ids, selected).await?)
    }

    /// Imports a staged stream whole; its stage ends with that.
    pub async fn import_staged(
        &self,
        connection: &str,
        object: &str,
        watcher: &Arc<dyn Watcher>,
        stop: &watch::Receiver<bool>,
    ) -> Result<StreamOutcome, Error> {
        let (connection, stream, _) = self.staged_stream(connection, object).await?;
        self.refuse_paused(&connection).await?;
        let calls = self.calls_of_runs(&connection);
        let errand =
            Errand { connection: &connection, calls: &calls, purpose: Purpose::Import, watcher, stop, give_way: None };
        Ok(self.carry_out(&errand, Order { stream, is_agreed: false }).await)
    }

    async fn staged_stream(&self, connection: &str, object: &str) -> Result<(Connection, Stream, Stage), Error> {
        let connection = self.store.connection(connection).await?;
        let mut streams = chosen(&connection, self.store.streams(&connection.id).await?, &[object.to_owned()])?;
        if streams.len() > 1 {
            streams.retain(|stream| stream.table == object);
        }
        let Some(stream) = streams.pop() else {
            let remedy = "name the table instead of the object: several tables have it";
            return Err(Error::Missing { what: "which of several tables is meant", remedy });
        };
        match self.store.stage(&stream.id).await? {
            Some(stage) => Ok((connection, stream, stage)),
            None => Err(Error::NotStaged { connection: connection.name, object: stream.object }),
        }
    }

    /// The streams that a request is about, remembered; those that it says anything of have been compiled.
    async fn staging(
        &self,
        request: &StageRequest,
    ) -> Result<(Connection, Calls, Vec<(Stream, Option<CompiledMapping>)>), Error> {
        let connection = self.store.connection(&request.import.connection).await?;
        let calls = self.calls_of_runs(&connection);
        self.refuse_paused(&connection).await?;
        if !request.says_how {
            let objects: Vec<String> = request.import.mappings.iter().map(|mapping| mapping.object.clone()).collect();
            let known = self.store.streams(&connection.id).await?;
            if let Ok(streams) = chosen(&connection, known, &objects) {
                return Ok((connection, calls, streams.into_iter().map(|stream| (stream, None)).collect()));
            }
        }
        let remembered = self.remember_streams(&connection, &calls.client, &request.import).await?;
        let streams = remembered.into_iter().map(|(stream, compiled)| (stream, Some(compiled)));
        Ok((connection, calls, streams.collect()))
    }

    async fn mapping_of(
        &self,
        connection: &Connection,
        client: &Client,
        stream: &Stream,
        mapping: Option<CompiledMapping>,
    ) -> Result<Arc<CompiledMapping>, Error> {
        match mapping {
            Some(mapping) => Ok(Arc::new(mapping)),
            None => Ok(Arc::new(self.compiled_by(connection, client, &stream.mapping).await?)),
        }
    }
}

async fn prepare(
    key: &StreamKey,
    settings: &DestinationSettings,
    table: &TableSchema,
    epoch: Epoch,
) -> Result<(), Error> {
    let mut destination = destinations::open(settings).map_err(Error::destination)?;
    let prepared = destination.prepare(key, table, epoch).await;
    let closed = destination.close().await;
    prepared.map_err(Error::destination)?;
    closed.map_err(Error::destination)
}

fn shape(stream: &Stream, mapping: &CompiledMapping, settings: &DestinationSettings, key: &StreamKey) -> Built {
    let table = &mapping.table;
    let name = |index: usize| settings.column_name(&table.columns[index].name);
    Built {
        object: stream.object.clone(),
        table: settings.table_name(key),
        destination: stream.destination.clone(),
        key: name(table.id),
        version: table.version.map(name),
        deletes: table.deletes,
        columns: table
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| BuiltColumn {
                name: settings.column_name(&column.name),
                kind: column.kind,
                fields: mapping.sources(index).into_iter().map(str::to_owned).collect(),
            })
            .collect(),
    }
}
