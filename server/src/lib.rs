//! Orgtide, the product: the control store, the keyring, connections, and the command line.
//!
//! Start with [`app::App`], whose methods are what the program can do; the command line and the console ([`web`])
//! parse, call one of them, and render. [`connection::keeper`] is the only place where a stored grant is redeemed.
//!
//! Invariants:
//! - SQL is in [`store`], the environment in [`config`]; requests to Salesforce are sent by the crate `salesforce`.
//! - A secret or personal value reaches the store only through the [`vault`].
//! - What must happen once holds a lease of the store, whose epoch is checked at the place of effect.
//!
//! Absent on purpose: the wire, the pipeline and the destinations, which are crates of their own.

pub mod api;
pub mod app;
pub mod auth;
pub mod certificate;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection;
mod counts;
pub mod diagnose;
pub mod error;
pub mod guide;
mod hex;
pub mod quota;
pub mod schedule;
pub mod store;
mod ui;
pub mod vault;
pub mod web;
