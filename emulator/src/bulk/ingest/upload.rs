//! `PUT /jobs/ingest/{id}/batches`: from the connection to disk, piece by piece.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use flate2::write::GzDecoder;
use http::{StatusCode, header};

use super::job::{Job, Receipt, State};
use crate::answer::{Answer, ApiError};
use crate::bulk::file::{DiskError, Stored, Tape, lost_results};
use crate::call::Call;
use crate::faults::Effect;
use crate::org::Org;

/// Bytes that are collected before they are written.
const PIECE: usize = 1 << 20;

/// Why an upload is not kept.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the connection broke")]
    Broken,
    #[error("the upload is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("the body is not what its Content-Encoding says: {0}")]
    Encoding(io::Error),
}

impl Org {
    pub(super) async fn upload_content(
        &self,
        call: &Call,
        job: &Arc<Job>,
        effect: Option<&Effect>,
    ) -> Result<Answer, ApiError> {
        match job.state() {
            State::Open(None) => {}
            State::Open(Some(_)) => return Err(second_upload(job)),
            other => return Err(not_open(other.name())),
        }
        if !call.has_media_type("text/csv") {
            let message = "The content of a job is uploaded as text/csv";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message));
        }
        let stored = self.receive_content(call, effect).await.map_err(refused)?;
        match job.receive(stored, self.now()) {
            Receipt::Taken => Ok(Answer::empty(StatusCode::CREATED)),
            Receipt::AlreadyThere => Err(second_upload(job)),
            Receipt::WasNotOpen(state) => Err(not_open(state)),
        }
    }

    async fn receive_content(&self, call: &Call, effect: Option<&Effect>) -> Result<Arc<Stored>, Lost> {
        let limit = self.scenario.bulk.upload_kilobytes << 10;
        let zipped = call.header(header::CONTENT_ENCODING).is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        let mut sink = Sink::new(Capped { tape: Tape::new(self.jobs.disk()), limit, problem: None }, zipped);
        let Some(upload) = &call.upload else {
            return write(sink, call.body.clone()).await?.finish();
        };
        if upload.length().await.is_some_and(|length| length > limit) {
            return Err(Lost::TooLarge { limit });
        }
        let cut = match effect {
            Some(Effect::CutUpload { after }) => Some(*after),
            _ => None,
        };
        let (mut pending, mut read) = (Vec::with_capacity(PIECE), 0);
        while let Some(piece) = upload.next().await {
            let piece = piece.map_err(|_| Lost::Broken)?;
            read += piece.len() as u64;
            if cut.is_some_and(|after| read >= after) {
                return Err(Lost::Broken);
            }
            pending.extend_from_slice(&piece);
            if pending.len() >= PIECE {
                sink = write(sink, std::mem::take(&mut pending).into()).await?;
            }
        }
        write(sink, pending.into()).await?.finish()
    }
}

/// Writes off the event loop.
async fn write(mut sink: Sink, bytes: Bytes) -> Result<Sink, Lost> {
    let work = tokio::task::spawn_blocking(move || sink.write(&bytes).map(|()| sink));
    work.await.map_err(|error| Lost::Encoding(io::Error::other(error)))?
}

/// Takes the bytes of a body as they come.
enum Sink {
    Plain(Capped),
    Gzip(Box<GzDecoder<Capped>>),
}

impl Sink {
    fn new(capped: Capped, zipped: bool) -> Self {
        if zipped { Self::Gzip(Box::new(GzDecoder::new(capped))) } else { Self::Plain(capped) }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        let (written, capped) = match self {
            Self::Plain(capped) => (capped.write_all(bytes), capped),
            Self::Gzip(decoder) => (decoder.write_all(bytes), decoder.get_mut()),
        };
        written.map_err(|error| capped.problem.take().unwrap_or(Lost::Encoding(error)))
    }

    fn finish(self) -> Result<Arc<Stored>, Lost> {
        let capped = match self {
            Self::Plain(capped) => capped,
            Self::Gzip(decoder) => decoder.finish().map_err(Lost::Encoding)?,
        };
        Ok(capped.tape.finish()?)
    }
}

/// A tape that takes only so much.
struct Capped {
    tape: Tape,
    limit: u64,
    /// What a writer that knows I/O errors alone cannot say.
    problem: Option<Lost>,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = if self.tape.length() + bytes.len() as u64 > self.limit {
            Err(Lost::TooLarge { limit: self.limit })
        } else {
            self.tape.append(|out| out.extend_from_slice(bytes)).map_err(Lost::Disk)
        };
        written.map(|()| bytes.len()).map_err(|problem| {
            self.problem = Some(problem);
            io::Error::other("the upload cannot be kept")
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The status of an upload that is too large is unverified, and so are the codes.
fn refused(lost: Lost) -> ApiError {
    match lost {
        Lost::TooLarge { limit } => {
            let message = format!("The upload is larger than {limit} bytes, which are 150 MB in base64");
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_ENTITY_TOO_LARGE", message)
        }
        Lost::Broken | Lost::Encoding(_) => ApiError::bad_request("CLIENTINPUTERROR", lost.to_string()),
        Lost::Disk(error) => lost_results(error),
    }
}

/// The text is from memory; that the second request itself is refused is inferred.
fn second_upload(job: &Job) -> ApiError {
    let message = format!(
        "Found multiple contents for job: <{}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job \
         and make sure you only do 'PUT' once on a given Job.",
        job.id
    );
    ApiError::bad_request("CLIENTINPUTERROR", message)
}

fn not_open(state: &str) -> ApiError {
    ApiError::bad_request("INVALIDJOBSTATE", format!("Data can be uploaded in the state Open only, not in {state}"))
}
