//! Every case of `cases/` against every destination, and what is particular to each.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod case;
mod conformance;
mod contact;
mod files;
mod foresight;
mod parity;
mod postgres;
mod reading;
mod rows;
mod sqlite;
mod webhook;
