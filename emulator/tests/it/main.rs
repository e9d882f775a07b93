//! The emulator as its clients see it: over HTTP, with a client that shares no code with the project's own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod authorize;
mod batch;
mod browser;
mod bulk;
mod client;
mod collections;
mod composite;
mod conditional;
mod control;
mod device;
mod example;
mod faults;
mod features;
mod fidelity;
mod graph;
mod guides;
mod history;
mod home;
mod identity;
mod jwt;
mod metadata;
mod oauth;
mod orgs;
mod policies;
mod proof;
mod recordings;
mod reference;
mod rest;
mod rows;
mod rules;
mod schema;
mod search;
mod soap;
mod soap_client;
mod soap_data;
mod soql;
mod token_errors;
mod token_requests;
mod transport;
mod tree;
mod vendor;
mod web_server;
