//! Steps that remove rows for good.

use serde::Deserialize;
use sync::{checkpoint::Epoch, destination::DestinationError, table::StreamKey};

use super::{Place, Refusal, Table};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remove {
    #[serde(default = "super::acme")]
    connection: String,
    #[serde(default = "super::org")]
    org: String,
    #[serde(default = "super::installation")]
    installation: String,
    /// How many that are; `None`: it is refused, because others write them.
    rows: Option<u64>,
}

/// The rows of a connection give their place to those of another org.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HandOver {
    #[serde(default = "super::acme")]
    connection: String,
    #[serde(default = "super::org")]
    org: String,
    #[serde(default = "super::installation")]
    installation: String,
    epoch: i64,
    /// How many rows go.
    #[serde(default)]
    rows: u64,
    refused: Option<Refusal>,
}

pub(super) async fn run_remove(remove: &Remove, table: &Table, place: &dyn Place, index: usize) {
    let (org, installation) = (remove.org.clone(), remove.installation.clone());
    let stream = StreamKey { org, installation, ..table.stream(&remove.connection) };
    let looked = destinations::may_remove(&place.settings(), &stream).await;
    let removed = destinations::remove(&place.settings(), &stream).await;
    match remove.rows {
        Some(rows) => {
            looked.unwrap_or_else(|error| panic!("step {index}: {error}"));
            assert_eq!(
                removed.unwrap_or_else(|error| panic!("step {index}: {error}")),
                rows,
                "removed at step {index}"
            );
        }
        None => {
            for refused in [looked.unwrap_err(), removed.unwrap_err()] {
                assert!(matches!(refused, DestinationError::NotOurs { .. }), "step {index}: {refused}");
                assert!(refused.to_string().contains("another installation of Orgtide"), "step {index}: {refused}");
            }
        }
    }
}

pub(super) async fn run_hand_over(given: &HandOver, table: &Table, place: &dyn Place, index: usize) {
    let (org, installation) = (given.org.clone(), given.installation.clone());
    let stream = StreamKey { org, installation, ..table.stream(&given.connection) };
    let handed_over = destinations::hand_over(&place.settings(), &stream, Epoch(given.epoch)).await;
    match (&given.refused, handed_over) {
        (None, Ok(rows)) => assert_eq!(rows, given.rows, "removed at step {index}"),
        (None, Err(error)) => panic!("step {index}: {error}"),
        (Some(Refusal::Fenced), Err(error)) => {
            assert!(matches!(error, DestinationError::Fenced { .. }), "step {index}: {error}");
        }
        (Some(_), Err(error)) => assert!(matches!(error, DestinationError::NotOurs { .. }), "step {index}: {error}"),
        (Some(_), Ok(rows)) => panic!("step {index}: {rows} rows were removed"),
    }
}
