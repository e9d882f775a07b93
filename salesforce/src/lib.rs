//! The wire: Salesforce's OAuth and data APIs over HTTP, typed, and nothing of ours.
//!
//! Start with [`client::Client`], which speaks for one org in one API version, and [`oauth::exchange`], which
//! obtains the token it speaks with. A sign-in that needs a person begins with [`oauth::AuthorizationRequest`] or
//! [`oauth::start_device`]. Everything that leaves the process goes through [`http::Http`].
//!
//! Invariants:
//! - A request goes only to a host that [`host::HostRules`] admits, over HTTPS, without following redirects.
//! - A secret is one of the types in [`secret`], which cannot be printed or serialised.
//! - A refused session is renewed once for all callers, and a refusal that a new session cannot cure renews nothing.
//! - An error knows its [`error::Recovery`].
//!
//! Absent on purpose: a database, a clock (waiting goes through [`http::Timer`]), and any knowledge of destinations.

pub mod bulk;
pub mod changes;
pub mod client;
mod composite;
pub mod describe;
pub mod error;
pub mod host;
pub mod http;
pub mod ids;
pub mod oauth;
pub mod org;
pub mod query;
pub mod quota;
pub mod secret;
pub mod time;

pub use client::{ApiVersion, Client};
pub use error::{ApiError, ErrorCode, OAuthError, Recovery};
pub use host::{HostRules, OrgUrl};
pub use http::{Http, HttpConfig};
pub use time::Timestamp;
