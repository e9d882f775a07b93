//! Bodies of answers: from memory or from a file, whole, cut or slowed down.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// A body that arrives in pieces.
pub(crate) type Chunks = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// The body of an answer.
pub(crate) struct Payload {
    source: Source,
    defect: Defect,
    /// Released when the answer has been sent or given up.
    held: Option<Box<dyn Any + Send>>,
}

enum Source {
    Bytes(Bytes),
    Chunks { chunks: Chunks, length: Option<u64> },
}

enum Defect {
    None,
    Cut(Cut),
    Paced(Pace),
}

/// The connection breaks after so many more bytes.
struct Cut {
    left: u64,
    lingering: Option<Pin<Box<Sleep>>>,
}

struct Pace {
    bytes_per_second: u64,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Real time that the pace may still cost.
    allowance: Duration,
    pending: Bytes,
}

/// Between the last byte and the break, so that what was sent leaves the buffers and reaches the client.
const LINGERING: Duration = Duration::from_millis(20);
/// A slowed body takes at most this much longer, so that no test hangs on it.
const MAX_PACING: Duration = Duration::from_secs(60);
const PACES_PER_SECOND: u64 = 20;

impl Payload {
    pub(crate) fn empty() -> Self {
        Self::bytes(Bytes::new())
    }

    pub(crate) fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::from_source(Source::Bytes(bytes.into()))
    }

    /// A body in pieces; `length` in bytes when it is known.
    pub(crate) fn chunks(chunks: Chunks, length: Option<u64>) -> Self {
        Self::from_source(Source::Chunks { chunks, length })
    }

    fn from_source(source: Source) -> Self {
        Self { source, defect: Defect::None, held: None }
    }

    /// The bytes, when the body is in memory.
    pub(crate) fn in_memory(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Bytes(bytes) => Some(bytes),
            Source::Chunks { .. } => None,
        }
    }

    /// The same body with other bytes in it, such as the compressed ones.
    pub(crate) fn replaced(mut self, bytes: Bytes) -> Self {
        self.source = Source::Bytes(bytes);
        self
    }

    /// Breaks the connection after `bytes`, although the length promises more.
    pub(crate) fn cut_after(mut self, bytes: u64) -> Self {
        self.defect = Defect::Cut(Cut { left: bytes, lingering: None });
        self
    }

    /// Sends at most `bytes_per_second`, for at most a minute.
    pub(crate) fn paced(mut self, bytes_per_second: u64) -> Self {
        self.defect = Defect::Paced(Pace {
            bytes_per_second: bytes_per_second.max(1),
            waiting: None,
            allowance: MAX_PACING,
            pending: Bytes::new(),
        });
        self
    }

    /// Keeps `guard` until the body has been sent or the client has gone.
    pub(crate) fn holding(mut self, guard: Box<dyn Any + Send>) -> Self {
        self.held = Some(guard);
        self
    }
}

impl Source {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match self {
            Self::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(std::mem::take(bytes)))),
            Self::Chunks { chunks, .. } => chunks.as_mut().poll_next(context),
        }
    }

    fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Chunks { length, .. } => *length,
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        let next = match &mut this.defect {
            Defect::None => this.source.poll_next(context),
            Defect::Cut(cut) => cut.poll(&mut this.source, context),
            Defect::Paced(pace) => pace.poll(&mut this.source, context),
        };
        let next = ready!(next);
        if next.is_none() {
            this.held = None;
        }
        Poll::Ready(next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.source, Source::Bytes(bytes) if bytes.is_empty()) && matches!(self.defect, Defect::None)
    }

    fn size_hint(&self) -> SizeHint {
        self.source.length().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Cut {
    fn poll(&mut self, source: &mut Source, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left > 0
            && let Some(chunk) = ready!(source.poll_next(context))
        {
            return Poll::Ready(Some(chunk.map(|mut chunk| {
                chunk.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= chunk.len() as u64;
                chunk
            })));
        }
        let lingering = self.lingering.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGERING)));
        ready!(lingering.as_mut().poll(context));
        let broken = io::Error::new(io::ErrorKind::ConnectionAborted, "a fault cuts this body");
        Poll::Ready(Some(Err(broken)))
    }
}

impl Pace {
    fn poll(&mut self, source: &mut Source, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(context));
            self.waiting = None;
        }
        if self.pending.is_empty() {
            match ready!(source.poll_next(context)) {
                Some(Ok(chunk)) => self.pending = chunk,
                end => return Poll::Ready(end),
            }
        }
        let portion = (self.bytes_per_second / PACES_PER_SECOND).max(1);
        let portion = usize::try_from(portion).unwrap_or(usize::MAX);
        let chunk = self.pending.split_to(portion.min(self.pending.len()));
        self.start_waiting(chunk.len() as u64);
        Poll::Ready(Some(Ok(chunk)))
    }

    fn start_waiting(&mut self, sent: u64) {
        let wait = Duration::from_secs_f64(sent as f64 / self.bytes_per_second as f64);
        let wait = wait.min(self.allowance);
        self.allowance -= wait;
        self.waiting = Some(Box::pin(tokio::time::sleep(wait)));
    }
}
