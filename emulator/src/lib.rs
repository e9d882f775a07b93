//! A local Salesforce org, described by a scenario, that any client can use.
//!
//! The data side knows no HTTP: [`database`], [`schema`], [`soql`] and what they stand on. The wire side serves it:
//! [`Emulator`] listens, [`scenario`] says who may do what, [`Control`] changes things while it runs. What is faithful
//! to Salesforce and what is not is listed in `FIDELITY.md`.

pub mod catalog;
pub mod database;
#[doc(hidden)]
pub mod fuzzing;
pub mod generate;
pub mod ids;
pub mod scenario;
pub mod schema;
pub mod soql;
pub mod sosl;
pub mod table;
pub mod tree;
pub mod value;

mod answer;
mod bulk;
mod call;
mod clock;
mod cometd;
mod control;
mod dispatch;
mod faults;
mod history;
mod home;
mod journal;
mod jwt;
mod limits;
mod login_history;
mod mailbox;
mod metadata;
mod multipart;
mod oauth;
mod org;
mod pattern;
mod payload;
mod proxy;
mod random;
mod rest;
mod route;
mod secret;
mod server;
mod session;
mod sign_in;
mod site;
mod soap;
mod tls;
mod web;
mod world;

pub use clock::Passage;
pub use control::{Control, ControlError, Writer};
pub use faults::{Effect, Fault, FaultRate};
pub use history::{Deed, History, Step};
pub use journal::JournalEntry;
pub use login_history::LoginEntry;
pub use mailbox::Message;
pub use metadata::{DeployError, Position, Problem};
pub use org::PopulateError;
pub use pattern::Pattern;
pub use scenario::{Scenario, ScenarioError};
pub use secret::Secret;
pub use server::{Emulator, Options, StartError};
pub use tls::TlsError;
