//! The emulator as its clients see it: over HTTP, with a client that shares no code with the project's own.

mod bulk;
mod client;
mod control;
mod faults;
mod oauth;
mod rest;
mod transport;
