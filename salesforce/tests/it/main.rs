//! The client against an emulated org, over TLS and under the org's real host names.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod acme;
mod assertions;
mod browser;
mod changes;
mod device;
mod failures;
mod org;
mod query;
mod recordings;
mod secrets;
mod sessions;
mod sign_in;
mod soap;
mod tokens;
mod web_server;
