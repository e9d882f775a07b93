//! A local Salesforce org, described by a scenario.

pub mod catalog;
pub mod database;
pub mod generate;
pub mod ids;
pub mod schema;
pub mod soql;
pub mod table;
pub mod tree;
pub mod value;
