//! Every case of `cases/` against every destination, and what is particular to each.

mod case;
mod conformance;
mod sqlite;
