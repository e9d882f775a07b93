//! The pipeline: one object of one org into one table, complete and in order.
//!
//! Start with [`run::run`]: `next` (read), `apply` (map), `write` (durable), in one loop for the first load and for
//! every later one. A record's path is [`read`] → [`decode`] → [`mapping`] → [`destination`].
//!
//! Invariants:
//! - A batch is an Arrow record batch typed by describe, never by looking at values, and bounded by bytes.
//! - A value that does not fit its type becomes null and is kept as a [`batch::Misfit`]; its row is never lost.
//! - A destination's own checkpoint wins; an older epoch writes nothing.
//! - The same data read over REST and over Bulk gives the same table.
//!
//! Absent on purpose: SQL, files, and the network (that is `salesforce`).

pub mod batch;
pub mod catalogue;
pub mod cells;
pub mod checkpoint;
pub mod decode;
pub mod destination;
pub mod drift;
pub mod forecast;
pub mod idle;
pub mod mapping;
pub mod matching;
pub mod preview;
pub mod read;
pub mod reread;
pub mod run;
pub mod shown;
pub mod strategy;
pub mod suggest;
pub mod table;
pub mod verify;

pub use salesforce::{ApiVersion, Recovery, Timestamp, time::civil_from_days};
