//! What a user of Orgtide can name, tested through the library and through the binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod access;
mod altered;
mod broken_places;
mod calls;
mod care;
mod cli;
mod config;
mod connect;
mod currencies;
mod database;
mod describes;
mod disconnect;
mod doctor;
mod drift;
mod ended;
mod findings;
mod full_disk;
mod guide;
mod guide_findings;
mod keeper;
mod keyring;
mod mappings;
mod org;
mod patience;
mod person;
mod pitfalls;
mod place;
mod promote;
mod proof;
mod refusals;
mod rejecting;
mod retyped;
mod runs;
mod samples;
mod sandboxes;
mod schedule;
mod secrets;
mod serve;
mod staging;
mod store;
mod streams;
mod sweep;
mod vendors;
mod verify;
