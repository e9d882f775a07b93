//! A connection: an org that we hold a grant for, and how its grant is kept alive.

pub mod forecast;
pub mod keeper;
pub mod outcome;
pub mod state;
